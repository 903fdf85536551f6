/** The report as one page for people: no scripts, nothing loaded from elsewhere, readable in light and dark. */

import { sizeOf } from '../base/ndarray.ts';
import type { JobSpec } from '../jobspec/job.ts';
import { lineChart, type Series, shown } from './chart.ts';
import { text } from './escape.ts';
import { ratingDefinitions, recommendationFacts, recommendationFigures } from './recommender-html.ts';
import type { Report } from './report.ts';
import type { Scores } from './scores.ts';

const style = `
:root{color-scheme:light dark;--ink:#1c2430;--soft:#5d6878;--line:#d9dee6;--page:#fff;--card:#f5f7fa;--a:#1f6fd6;--b:#d2691e;--best:#0a7a3d}
@media(prefers-color-scheme:dark){:root{--ink:#e6eaf0;--soft:#97a3b4;--line:#323b48;--page:#12161c;--card:#1a2029;--a:#6aa9ff;--b:#ffa05c;--best:#5fd38d}}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.5 system-ui,sans-serif;overflow-wrap:anywhere}
a{color:inherit}main{max-width:880px;margin:0 auto;padding:32px 20px 64px}
h1{font-size:28px;margin:0}h2{font-size:18px;margin:36px 0 12px}p{margin:8px 0}.soft,caption{color:var(--soft)}
.facts{display:flex;flex-wrap:wrap;gap:12px;margin:20px 0 0;padding:0;list-style:none}
.facts li{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:10px 16px}
.facts b{display:block;font-size:22px;font-variant-numeric:tabular-nums}.facts span{color:var(--soft);font-size:13px}
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:7px 12px;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap}
th:first-child,td:first-child{text-align:left;padding-left:0;white-space:normal}th{font-weight:600;color:var(--soft);font-size:14px}
.best{color:var(--best);font-weight:600}
.pictures{display:flex;gap:14px;align-items:stretch}.pictures ol{list-style:none;margin:0;padding:0;display:flex;flex-direction:column;font-size:14px;line-height:1.2;color:var(--soft);flex:none;width:6em}
.pictures li{flex:1;display:flex;align-items:center;justify-content:flex-end;text-align:right}
.pictures img{min-width:0;height:auto;image-rendering:pixelated;align-self:flex-start}
.chart{width:100%;height:auto;max-width:720px}.chart text{fill:var(--soft);font-size:12px}.chart .rule{stroke:var(--line)}
.chart polyline{fill:none;stroke-width:2}.chart .s0{stroke:var(--a)}.chart .s1{stroke:var(--b)}.chart circle.s0{fill:var(--a)}.chart circle.s1{fill:var(--b)}
.key{font-size:14px}.key i{display:inline-block;width:18px;height:3px;vertical-align:middle;margin:0 6px 0 0}.key span{margin-right:18px}
pre{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:14px;overflow-x:auto;font-size:13px}
dt{font-weight:600}dd{margin:0 0 8px;color:var(--soft)}
@media(max-width:40rem){thead{display:none}table,tbody,tr,td,td:first-child{display:block}tr{border-bottom:1px solid var(--line);padding:8px 0}
td,td:first-child{border:0;padding:2px 0;text-align:left;white-space:normal}td:first-child{font-weight:600}td[data-head]{display:flex;justify-content:space-between;gap:12px}td[data-head]::before{color:var(--soft);content:attr(data-head)}
.pictures{display:block}.pictures ol{display:block;width:auto}.pictures li{display:inline}.pictures li+li::before{content:", then "}.pictures img{width:100%;margin-top:8px}}`;

interface ScoredLine {
  readonly name: string;
  readonly scores: Scores | undefined;
}

const decibels = (value: number): string => value.toFixed(2);

interface Column {
  readonly key: keyof Scores;
  readonly head: string;
  readonly best: 'least' | 'most';
  readonly show: (value: number) => string;
}

const columns: readonly Column[] = [
  { key: 'mse', head: 'MSE', best: 'least', show: shown },
  { key: 'sse', head: 'SSE', best: 'least', show: shown },
  { key: 'psnr', head: 'PSNR, dB', best: 'most', show: decibels },
  { key: 'psnrOfMean', head: 'PSNR of mean, dB', best: 'most', show: decibels },
  { key: 'bce', head: 'BCE, nats', best: 'least', show: shown },
];

function scoreTable(lines: readonly ScoredLine[]): string {
  const present = lines.filter((line): line is ScoredLine & { scores: Scores } => line.scores !== undefined);
  const used = columns.filter(({ key }) => present.some(({ scores }) => scores[key] !== undefined));
  const heads = used.map((column) => `<th scope="col">${column.head}</th>`).join('');
  const rows = present.map(({ name, scores }) => {
    const cells = used.map(({ key, head, best, show }) => {
      const value = scores[key];
      const all = present.flatMap((line) => line.scores[key] ?? []);
      const wins = value === (best === 'least' ? Math.min(...all) : Math.max(...all));
      return `<td data-head="${head}"${wins ? ' class="best"' : ''}>${value === undefined ? '–' : show(value)}</td>`;
    });
    return `<tr><td>${text(name)}</td>${cells.join('')}</tr>`;
  });
  return `<div class="wide"><table><thead><tr><th></th>${heads}</tr></thead><tbody>${rows.join('')}</tbody></table></div>`;
}

function facts(report: Report): string {
  const { model, dataset, reconstruction, denoising, baseline, frames, recommendation } = report;
  if (recommendation) return recommendationFacts(report, recommendation);
  const inputs = sizeOf(dataset.shape);
  const code = sizeOf(model.codeShape);
  const items: [string, string][] = [[`${inputs} → ${code}`, `${inputs} inputs → ${code}-number code`]];
  const named = baseline && `PCA with ${baseline.components}`;
  if (denoising) {
    items.push([
      `${decibels(denoising.input.psnr)} → ${decibels(denoising.model.psnr)} dB`,
      'PSNR of noisy test rows → denoised',
    ]);
    if (denoising.pca && named) items.push([`${decibels(denoising.pca.psnr)} dB`, `PSNR by ${named}`]);
  } else if (reconstruction) {
    items.push([`${decibels(reconstruction.model.psnr)} dB`, 'PSNR of test rows']);
    if (reconstruction.pca && named) items.push([`${decibels(reconstruction.pca.psnr)} dB`, `PSNR by ${named}`]);
  }
  const finest = frames?.at(-1);
  if (finest)
    items.push([`${Math.ceil(finest.bytesPerRow)} bytes`, `a row at ${finest.psnr.toFixed(1)} dB, and 5 of framing`]);
  if (model.parameters !== undefined) items.push([model.parameters.toLocaleString('en'), 'weights']);
  return `<ul class="facts">${items.map(([value, what]) => `<li><b>${text(value)}</b><span>${text(what)}</span></li>`).join('')}</ul>`;
}

function figures({ reconstruction, denoising, baseline, recommendation }: Report): string {
  if (recommendation) return recommendationFigures(recommendation);
  const pca = `PCA, ${baseline?.components ?? 0} components`;
  const parts: string[] = [];
  const lines = (scored: NonNullable<Report['reconstruction']>): ScoredLine[] => [
    { name: 'this model', scores: scored.model },
    { name: pca, scores: scored.pca },
    { name: `${pca}, clipped to the range`, scores: scored.pcaClipped },
  ];
  if (reconstruction) parts.push('<h2>Reconstruction of test rows</h2>', scoreTable(lines(reconstruction)));
  if (denoising) {
    const { type, ...strength } = denoising.corruption;
    const noise = `${type} (${Object.entries(strength)
      .map(([name, value]) => `${name} ${value}`)
      .join(', ')})`;
    parts.push(
      `<h2>Denoising of test rows with ${text(noise)} noise</h2>`,
      scoreTable([{ name: 'the noisy rows themselves', scores: denoising.input }, ...lines(denoising)]),
    );
  }
  return parts.join('');
}

/** Bytes and quality of frames, coarse to fine. */
function frameCosts({ frames }: Report): string {
  if (!frames) return '';
  const heads = ['bytes of a row', 'PSNR, dB'];
  const rows = frames.map(({ bytesPerRow, psnr }, i) => {
    const cells = [bytesPerRow.toFixed(1), decibels(psnr)];
    return `<tr><td>quality ${i + 1}</td>${cells.map((cell, j) => `<td data-head="${heads[j]}">${cell}</td>`).join('')}</tr>`;
  });
  const head = heads.map((name) => `<th scope="col">${name}</th>`).join('');
  return `<h2>Bytes of frames</h2><p class="soft">Measured on training rows that were held out. A frame of one row adds 5 bytes, a frame of many adds 8 in all.</p>
<div class="wide"><table><thead><tr><th></th>${head}</tr></thead><tbody>${rows.join('')}</tbody></table></div>`;
}

function pictures({ pictures }: Report, png: Uint8Array | undefined): string {
  if (!pictures || !png) return '';
  const source = `data:image/png;base64,${Buffer.from(png).toString('base64')}`;
  const names = pictures.rows.map((name) => `<li>${text(name)}</li>`).join('');
  return `<h2>The first test rows</h2><div class="pictures"><ol>${names}</ol><img src="${source}" alt="${text(pictures.rows.join(', '))}"></div>`;
}

const lossNames = { loss: 'training loss', 'heldOut.loss': 'held-out loss' } as const;

/** One chart for each phase: its loss and, where it was measured, that of held-out rows. */
function charts({ epochs }: Report): string {
  return [...new Set(epochs.map(({ phase }) => phase))]
    .map((phase) => {
      const own = epochs.filter((epoch) => epoch.phase === phase);
      const series: Series[] = Object.entries(lossNames).flatMap(([metric, name]) => {
        const values = own.map(({ metrics }) => metrics[metric] ?? Number.NaN);
        return values.every(Number.isFinite) ? [{ name, values }] : [];
      });
      if (series.length === 0) return '';
      const key = series.map(({ name, values }, i) => {
        const color = `<i style="background:var(--${i === 0 ? 'a' : 'b'})"></i>`;
        return `<span>${color}${text(name)}, at the end ${shown(values.at(-1)!)}</span>`;
      });
      const title = `Loss per epoch: ${text(phase)}`;
      return `<h2>${title}</h2><p class="key">${key.join('')}</p>${lineChart(series, title)}`;
    })
    .join('');
}

const definitions = `<h2>What the figures mean</h2><dl>
<dt>MSE, SSE</dt><dd>Squared error of one value; summed over the values of a row and averaged over rows.</dd>
<dt>PSNR, PSNR of mean</dt><dd>10·log₁₀(peak² / MSE): of each row and then averaged; of the mean error of all rows.</dd>
<dt>BCE</dt><dd>Cross-entropy per value in nats. It has a floor above 0, since grey values are uncertain themselves.</dd>
<dt>PCA</dt><dd>Principal component analysis of the training rows with as many components as the code has units: the best that a linear code can do.</dd></dl>`;

/** Links are relative: the page is the file report.html of its version, /v1/models/NAME/versions/N/files/report.html. */
function originLine({ origin, model }: Report): string {
  const links = `<a href="../../../../${encodeURIComponent(model.name)}">all versions</a> · <a href="report.json">figures as JSON</a> · <a href="../../../../../../demo?model=${encodeURIComponent(model.name)}">try it in the demo</a> · <a href="../../../../../../docs">API</a>`;
  if (!origin) return `<p class="soft">${links}</p>`;
  const day = `<time datetime="${text(origin.createdAt)}">${text(origin.createdAt.slice(0, 16).replace('T', ' '))} UTC</time>`;
  return `<p class="soft">Trained by job ${text(origin.jobId)} with Hourglass ${text(origin.hourglass)}, ${day}. ${links}</p>`;
}

/** Another page in the same style. */
export const reportPage = (title: string, body: string): string => `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>${text(title)}</title><style>${style}</style></head><body><main>
${body}
</main></body></html>
`;

/** `spec` is shown as it was resolved; `picture` goes into the page. */
export function reportHtml(report: Report, spec: JobSpec, picture: Uint8Array | undefined): string {
  const { model, dataset, notes } = report;
  const heading = `${model.name}: ${model.type} autoencoder of ${dataset.name}`;
  const measured = report.recommendation
    ? `Measured on ${report.recommendation.ratings.toLocaleString('en')} held-out ratings of ${dataset.testRows.toLocaleString('en')} people. Seed ${report.seed}.`
    : `Measured on ${dataset.testRows.toLocaleString('en')} test rows that no training saw. Seed ${report.seed}.`;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>${text(heading)}</title><style>${style}</style></head><body><main>
<h1>${text(model.name)}</h1><p class="soft">${text(heading)}. ${text(measured)}</p>
${originLine(report)}
${notes.map((note) => `<p>${text(note)}</p>`).join('')}
${facts(report)}${figures(report)}${frameCosts(report)}${pictures(report, picture)}${charts(report)}${report.recommendation ? ratingDefinitions : definitions}
<h2>Specification</h2><pre>${text(JSON.stringify(spec, null, 2))}</pre>
<p class="soft">Data set ${text(dataset.name)}, content ${text(dataset.hash)}</p>
</main></body></html>
`;
}
