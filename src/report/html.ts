/** The report as one page for people, in the style of the console: no scripts, nothing loaded from elsewhere. */

import { sizeOf } from '../base/ndarray.ts';
import type { JobSpec } from '../jobspec/job.ts';
import { themeCss } from '../theme/theme.ts';
import { lineChart, type Series, shown } from './chart.ts';
import { documentDefinitions, documentFacts, documentFigures } from './documents-html.ts';
import { text } from './escape.ts';
import { histogramPlot, mapPlot, type PlotCurve, ratePlot } from './plot.ts';
import { ratingDefinitions, recommendationFacts, recommendationFigures } from './recommender-html.ts';
import type { Report } from './report.ts';
import type { Scores } from './scores.ts';
import { seriesDefinitions, seriesFacts, seriesFigures } from './series-html.ts';
import { translationDefinitions, translationFacts, translationFigures } from './translation-html.ts';
import { framing, verdictOf } from './verdict.ts';

/** What a report needs besides the style sheet of all pages. */
const style = `
main{max-width:60rem;margin:0 auto;padding:1.5rem 1.25rem 4rem}
h1{font-size:1.75rem}main>.card>h2{margin-bottom:.5rem}.soft{color:var(--quiet)}
.verdict{font-size:1.25rem;line-height:1.4;margin:1rem 0;letter-spacing:-.01em}.verdict b{display:block;font-size:1.625rem;line-height:1.25;color:var(--accent)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(9.5rem,1fr));gap:.75rem;margin:0 0 1rem;padding:0;list-style:none}
.tiles li{background:var(--card);border:1px solid var(--line);border-radius:.75rem;padding:.625rem .875rem}
.tiles b{display:block;font-size:1.25rem;font-variant-numeric:tabular-nums}.tiles span{color:var(--quiet);font-size:.8125rem}
th,td{text-align:right;white-space:nowrap}th:first-child,td:first-child{text-align:left;white-space:normal}td:last-child,th:last-child{padding-right:0}
.pictures{display:flex;gap:.875rem;align-items:stretch;margin-top:.5rem}.pictures ol{list-style:none;margin:0;padding:0;display:flex;flex-direction:column;font-size:.8125rem;line-height:1.2;color:var(--quiet);flex:none;width:6.5em}
.pictures li{flex:1;display:flex;align-items:center;justify-content:flex-end;text-align:right}
.pictures img{min-width:0;height:auto;image-rendering:pixelated;align-self:flex-start}
.thirds{display:grid;grid-template-columns:repeat(3,1fr);margin:.25rem 0 0 7.4em;color:var(--quiet);font-size:.8125rem}
.plot,.chart{width:100%;height:auto;max-width:44rem;display:block}.map{width:min(100%,26rem);height:auto;display:block;border:1px solid var(--line);border-radius:.5rem;overflow:visible}
svg text{fill:var(--quiet);font-size:12px}.rule{stroke:var(--line)}.chart polyline,.plot path{fill:none;stroke-width:2}
.chart .s0{stroke:var(--series-1)}.chart .s1{stroke:var(--series-2)}.chart circle.s0{fill:var(--series-1)}.chart circle.s1{fill:var(--series-2)}
${Array.from({ length: 12 }, (_, i) => `path.c${i + 1}{stroke:var(--series-${i + 1})}circle.c${i + 1},rect.c${i + 1}{fill:var(--series-${i + 1})}`).join('')}
.key{display:flex;flex-wrap:wrap;gap:.125rem 1.125rem;font-size:.8125rem;margin:.25rem 0}
main img{max-width:100%}.behind b{color:var(--warn)}pre{background:var(--page);border-radius:.5rem;padding:.875rem;overflow-x:auto;white-space:pre-wrap;overflow-wrap:anywhere;margin:.5rem 0 0}
dt{font-weight:600}dd{margin:0 0 .5rem;color:var(--quiet)}details{margin-top:.5rem}
@media(max-width:40rem){thead{display:none}table,tbody,tr,td,td:first-child{display:block}tr{border-bottom:1px solid var(--line);padding:.5rem 0}
td,td:first-child{border:0;padding:.125rem 0;text-align:left;white-space:normal}td:first-child{font-weight:600}td[data-head]{display:flex;justify-content:space-between;gap:.75rem}td[data-head]::before{color:var(--quiet);content:attr(data-head)}
main{padding-inline:.875rem}.card{padding-inline:.75rem}.pictures{display:block}.pictures ol{display:block;width:auto}.pictures li{display:inline}.pictures li+li::before{content:", then "}.pictures img{width:100%;margin-top:.5rem}.thirds{margin-left:0}}`;

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
  if (report.documents) return documentFacts(report, report.documents);
  if (report.series) return seriesFacts(report, report.series);
  if (report.translation) return translationFacts(report, report.translation);
  const inputs = sizeOf(dataset.shape);
  const code = sizeOf(model.codeShape);
  const items: [string, string][] = [[`${inputs} → ${code}`, `${inputs} inputs to ${code} numbers of code`]];
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
    items.push([
      `${Math.ceil(finest.bytesPerRow) + framing} bytes`,
      `a frame of one row at ${finest.psnr.toFixed(1)} dB`,
    ]);
  if (model.parameters !== undefined) items.push([model.parameters.toLocaleString('en'), 'weights']);
  return `<ul class="tiles">${items.map(([value, what]) => `<li><b>${text(value)}</b><span>${text(what)}</span></li>`).join('')}</ul>`;
}

function figures({
  reconstruction,
  denoising,
  baseline,
  recommendation,
  documents,
  series,
  translation,
}: Report): string {
  if (translation) return translationFigures(translation);
  if (recommendation) return recommendationFigures(recommendation);
  if (documents) return documentFigures(documents);
  if (series) return seriesFigures(series);
  const pca = `PCA, ${baseline?.components ?? 0} components`;
  const parts: string[] = [];
  const lines = (scored: NonNullable<Report['reconstruction']>): ScoredLine[] => [
    { name: 'this model', scores: scored.model },
    { name: pca, scores: scored.pca },
    { name: `${pca}, clipped to the range`, scores: scored.pcaClipped },
  ];
  if (reconstruction) parts.push(card('Reconstruction of test rows', scoreTable(lines(reconstruction))));
  if (denoising) {
    const { type, ...strength } = denoising.corruption;
    const noise = `${type} (${Object.entries(strength)
      .map(([name, value]) => `${name} ${value}`)
      .join(', ')})`;
    parts.push(
      card(
        `Denoising of test rows with ${text(noise)} noise`,
        scoreTable([{ name: 'the noisy rows themselves', scores: denoising.input }, ...lines(denoising)]),
      ),
    );
  }
  return parts.join('');
}

/** Bytes and quality of frames, coarse to fine, beside PCA and files of the same pictures. */
function frameCosts({ frames, rates, baseline, reconstruction, model }: Report): string {
  if (!frames) return '';
  const curves: PlotCurve[] = [
    { name: 'frames', colour: 1, points: frames.map(({ bytesPerRow, psnr }) => [bytesPerRow + framing, psnr]) },
  ];
  const pca = reconstruction?.pca;
  if (baseline && pca)
    curves.push({ name: 'PCA, float32', colour: 5, points: [[4 * sizeOf(model.codeShape), pca.psnrOfMean]] });
  const files = { WebP: rates?.webp, JPEG: rates?.jpeg };
  for (const [i, [name, points = []]] of Object.entries(files).entries()) {
    if (points.length > 0)
      curves.push({ name, colour: 6 + i, isDashed: true, points: points.map(({ bytes, psnr }) => [bytes, psnr]) });
  }
  const plot = ratePlot(curves, {
    xLabel: 'bytes of one row',
    yLabel: 'PSNR, dB',
    label: `PSNR against bytes: ${curves.map(({ name }) => name).join(', ')}`,
  });
  const said = rates
    ? ` WebP and JPEG: means of the first ${rates.pictures} test pictures, of which a lossless PNG takes ${Math.round(rates.png)} bytes.`
    : '';
  const heads = ['bytes of a row', 'PSNR, dB'];
  const rows = frames.map(({ bytesPerRow, psnr }, i) => {
    const cells = [bytesPerRow.toFixed(1), decibels(psnr)];
    return `<tr><td>quality ${i + 1}</td>${cells.map((cell, j) => `<td data-head="${heads[j]}">${cell}</td>`).join('')}</tr>`;
  });
  const head = heads.map((name) => `<th scope="col">${name}</th>`).join('');
  return card(
    'Bytes and quality',
    `${plot}<p class="soft">Frames as measured on training rows that were held out, with the ${framing} bytes that a frame of one row adds.${said}</p>
<details><summary>Each quality</summary><div class="wide"><table><thead><tr><th></th>${head}</tr></thead><tbody>${rows.join('')}</tbody></table></div></details>`,
  );
}

export const dataUrl = (png: Uint8Array): string => `data:image/png;base64,${Buffer.from(png).toString('base64')}`;

function pictureRows(rows: readonly string[], png: Uint8Array): string {
  const names = rows.map((name) => `<li>${text(name)}</li>`).join('');
  return `<div class="pictures"><ol>${names}</ol><img src="${dataUrl(png)}" alt="${text(rows.join(', '))}"></div>`;
}

function pictureParts({ pictures, extremes }: Report, shown: ReportPictures): string {
  const first = pictures && shown.picture ? card('The first test rows', pictureRows(pictures.rows, shown.picture)) : '';
  const thirds = '<p class="thirds"><span>best</span><span>around the median</span><span>worst</span></p>';
  const ends =
    extremes && shown.extremes
      ? card('Best, median and worst test rows', pictureRows(extremes.rows, shown.extremes) + thirds)
      : '';
  return first + ends + newPictureParts(shown);
}

function newPictureParts({ interpolations, samples }: ReportPictures): string {
  const image = (png: Uint8Array, alt: string): string =>
    `<div class="pictures"><img src="${dataUrl(png)}" alt="${alt}"></div>`;
  const between = interpolations
    ? card(
        'Between two test rows',
        `${image(interpolations, 'pairs of test rows and what is decoded between them')}<p class="soft">At the ends of a line two test rows as they are; between them what codes on the straight line from one to the other decode to.</p>`,
      )
    : '';
  const drawn = samples
    ? card(
        'Drawn from the prior',
        `${image(samples, 'decoded codes that were drawn')}<p class="soft">What codes drawn from N(0, I) decode to.</p>`,
      )
    : '';
  return between + drawn;
}

function classTable({ classes = [] }: Report): string {
  if (classes.length < 2) return '';
  const best = Math.max(...classes.map(({ psnr }) => psnr));
  const rows = classes.map(
    ({ name, rows, psnr }) =>
      `<tr><td>${text(name)}</td><td data-head="test rows">${rows.toLocaleString('en')}</td><td data-head="PSNR, dB"${psnr === best ? ' class="best"' : ''}>${decibels(psnr)}</td></tr>`,
  );
  return card(
    'Classes',
    `<div class="wide"><table><thead><tr><th scope="col">class</th><th scope="col">test rows</th><th scope="col">PSNR, dB</th></tr></thead><tbody>${rows.join('')}</tbody></table></div>`,
  );
}

function latentMap({ map }: Report, classNames: readonly string[]): string {
  if (!map) return '';
  const plane =
    map.share === 1
      ? 'Both numbers of the code'
      : `The two directions in which the codes vary most: ${Math.round(100 * map.share)} % of their variance`;
  return card(
    'Latent map',
    `${mapPlot(map.points, map.labels, classNames, `Codes of ${map.points.length} test rows`)}<p class="soft">${plane}, for ${map.points.length} test rows${map.labels ? ', coloured by class' : ''}.</p>`,
  );
}

function outlierPart({ outliers }: Report): string {
  if (!outliers) return '';
  const plot = histogramPlot(outliers.quantiles, 'score', `Scores of ${outliers.rows} held-out rows`);
  return card(
    'How unusual rows are',
    `${plot}<p class="soft">Scores of ${outliers.rows.toLocaleString('en')} held-out rows. A new row gets a p-value of its place among them; the smallest that can be told is ${(2 / (outliers.rows + 1)).toPrecision(2)}.</p>`,
  );
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
        return `<span><i class="dot series-${i + 1}"></i> ${text(name)}, at the end ${shown(values.at(-1)!)}</span>`;
      });
      const title = `Loss per epoch: ${text(phase)}`;
      return card(title, `<p class="key">${key.join('')}</p>${lineChart(series, title)}`);
    })
    .join('');
}

const definitions = `<details><summary>What the figures mean</summary><dl>
<dt>MSE, SSE</dt><dd>Squared error of one value; summed over the values of a row and averaged over rows.</dd>
<dt>PSNR, PSNR of mean</dt><dd>10·log₁₀(peak² / MSE): of each row and then averaged; of the mean error of all rows.</dd>
<dt>BCE</dt><dd>Cross-entropy per value in nats. It has a floor above 0, since grey values are uncertain themselves.</dd>
<dt>PCA</dt><dd>Principal component analysis of the training rows with as many components as the code has units: the best that a linear code can do.</dd></dl></details>`;

function definitionsOf({ recommendation, documents, series, translation }: Report): string {
  if (translation) return translationDefinitions;
  if (recommendation) return ratingDefinitions;
  if (documents) return documentDefinitions;
  return series ? seriesDefinitions : definitions;
}

/** Links are relative: the page is the file report.html of its version, /v1/models/NAME/versions/N/files/report.html. */
function originLine({ origin, model }: Report): string {
  const links = `<a href="../../../../${encodeURIComponent(model.name)}">all versions</a> · <a href="report.json">figures as JSON</a> · <a href="../../../../../../demo?model=${encodeURIComponent(model.name)}">try it in the demo</a> · <a href="../../../../../../docs">API</a>`;
  if (!origin) return `<p class="soft">${links}</p>`;
  const day = `<time datetime="${text(origin.createdAt)}">${text(origin.createdAt.slice(0, 16).replace('T', ' '))} UTC</time>`;
  const took = origin.seconds === undefined ? '' : ` in ${durationOf(origin.seconds)}`;
  return `<p class="soft">Trained by job <a href="../../../../../../#/jobs/${encodeURIComponent(origin.jobId)}">${text(origin.jobId)}</a> with Hourglass ${text(origin.hourglass)}${took}, ${day}. ${links}</p>`;
}

function durationOf(seconds: number): string {
  if (seconds < 100) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  return seconds < 6000 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

export const card = (title: string, body: string): string => `<section class="card"><h2>${title}</h2>${body}</section>`;

function verdictPart(report: Report): string {
  const [first, ...rest] = verdictOf(report);
  const kind = first?.includes(' below ') ? 'verdict behind' : 'verdict';
  return first === undefined ? '' : `<p class="${kind}"><b>${text(first)}</b>${text(rest.join(' '))}</p>`;
}

/** Another page in the same style. */
export const reportPage = (title: string, body: string): string => `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>${text(title)}</title><style>${themeCss()}${style}</style></head><body><main>
${body}
</main></body></html>
`;

/** What the page shows besides figures. */
export interface ReportPictures {
  /** the first test rows */
  readonly picture: Uint8Array | undefined;
  /** the best, median and worst ones */
  readonly extremes: Uint8Array | undefined;
  /** what is decoded between pairs of test rows */
  readonly interpolations?: Uint8Array | undefined;
  /** decoded codes that were drawn from the prior */
  readonly samples?: Uint8Array | undefined;
  readonly classNames: readonly string[];
}

const noPictures: ReportPictures = { picture: undefined, extremes: undefined, classNames: [] };

const nounOf = ({ documents, series, translation }: Report): string =>
  documents ? 'documents' : series ? 'series' : translation ? 'sources' : 'rows';

/** `spec` is shown as it was resolved; pictures go into the page. */
export function reportHtml(report: Report, spec: JobSpec, pictures: ReportPictures = noPictures): string {
  const { model, dataset, notes } = report;
  const heading = `${model.name}: ${model.type} autoencoder of ${dataset.name}`;
  const measured = report.recommendation
    ? `Measured on ${report.recommendation.ratings.toLocaleString('en')} held-out ratings of ${dataset.testRows.toLocaleString('en')} people. Seed ${report.seed}.`
    : `Measured on ${dataset.testRows.toLocaleString('en')} test ${nounOf(report)} that no training saw. Seed ${report.seed}.`;
  return reportPage(
    heading,
    `<h1>${text(model.name)}</h1><p class="soft">${text(heading)}. ${text(measured)}</p>
${originLine(report)}
${verdictPart(report)}
${notes.map((note) => `<p class="notice warn">${text(note)}</p>`).join('')}
${facts(report)}${frameCosts(report)}${pictureParts(report, pictures)}${figures(report)}${classTable(report)}${latentMap(report, pictures.classNames)}${outlierPart(report)}${charts(report)}
<section class="card">${definitionsOf(report)}
<details><summary>Specification</summary><pre>${text(JSON.stringify(spec, null, 2))}</pre></details>
<p class="soft">Data set ${text(dataset.name)}, content ${text(dataset.hash)}</p></section>`,
  );
}
