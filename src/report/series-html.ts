/** The parts of a report that only a model of series has. */

import { text } from './escape.ts';
import type { Report, SeriesScores } from './report.ts';

const percent = (value: number): string => `${(100 * value).toFixed(1)} %`;
const short = (value: number): string => String(Number(value.toPrecision(3)));

export function seriesFacts({ model, dataset }: Report, { rmse, forecast, anomalies }: SeriesScores): string {
  const [steps = 0, channels = 0] = dataset.shape;
  const [code = 0] = model.codeShape;
  const facts: [string, string][] = [
    [
      `${steps}${channels > 1 ? ` × ${channels}` : ''} → ${code}`,
      `time steps${channels > 1 ? ' × channels' : ''} to numbers of code`,
    ],
    ...(anomalies ? [[anomalies.model.f1.toFixed(3), 'F1 of anomalies'] as [string, string]] : []),
    [rmse.model.toFixed(3), 'RMSE of ordinary test series, in standard deviations'],
    ...(forecast ? [[forecast.model.toFixed(3), 'RMSE of forecasts'] as [string, string]] : []),
    ...(model.parameters === undefined ? [] : [[model.parameters.toLocaleString('en'), 'weights'] as [string, string]]),
  ];
  const list = facts.map(([value, what]) => `<li><b>${text(value)}</b><span>${text(what)}</span></li>`);
  return `<ul class="tiles">${list.join('')}</ul>`;
}

const card = (title: string, body: string): string => `<section class="card"><h2>${title}</h2>${body}</section>`;

export const seriesFigures = (scores: SeriesScores): string =>
  `${anomalyCard(scores)}${forecastCard(scores)}${reconstructionCard(scores)}${examples(scores)}`;

type Line = readonly [name: string, ...values: number[]];

function table(
  heads: readonly string[],
  best: 'least' | 'most',
  lines: readonly Line[],
  show: (value: number) => string,
) {
  const rows = lines.map(([name, ...values]) => {
    const cells = values.map((value, i) => {
      const all = lines.map((line) => line[i + 1] as number);
      const wins = value === (best === 'least' ? Math.min(...all) : Math.max(...all));
      return `<td data-head="${heads[i]}"${wins ? ' class="best"' : ''}>${show(value)}</td>`;
    });
    return `<tr><td>${text(name)}</td>${cells.join('')}</tr>`;
  });
  const head = heads.map((name) => `<th scope="col">${name}</th>`).join('');
  return `<div class="wide"><table><thead><tr><th></th>${head}</tr></thead><tbody>${rows.join('')}</tbody></table></div>`;
}

function anomalyCard({ anomalies, threshold }: SeriesScores): string {
  if (!anomalies) return '';
  const { model, pca, ordinary, anomalous, classes, histogram } = anomalies;
  const line = (name: string, { f1, precision, recall, auroc }: typeof model): Line => [
    name,
    f1,
    precision,
    recall,
    auroc,
  ];
  const lines = [line('this model', model), ...(pca ? [line('PCA of the same size', pca)] : [])];
  const found = classes
    .filter(({ series }) => series > 0)
    .map(
      ({ name, series, flagged }) =>
        `<tr><td>${text(name)}</td><td data-head="test series">${series}</td><td data-head="called anomalous">${percent(flagged / series)}</td></tr>`,
    );
  return card(
    'Anomalies',
    `${table(['F1', 'precision', 'recall', 'AUROC'], 'most', lines, (value) => value.toFixed(4))}
${scoreHistogram(histogram, threshold)}<p class="soft">${anomalous.toLocaleString('en')} anomalous and ${ordinary.toLocaleString('en')} ordinary test series by their score, on a logarithmic scale; the line is the threshold, ${short(threshold)}.</p>
<div class="wide"><table><thead><tr><th>class</th><th scope="col">test series</th><th scope="col">called anomalous</th></tr></thead><tbody>${found.join('')}</tbody></table></div>`,
  );
}

function forecastCard({ forecast }: SeriesScores): string {
  if (!forecast) return '';
  const { model, lastValue, seasonal, mean, season, share } = forecast;
  const lines: Line[] = [
    ['this model', model],
    ['the last value', lastValue],
    [season > 0 ? `the value ${season} steps before` : 'the season before (none was found: the last value)', seasonal],
    ['the mean series of the training', mean],
  ];
  return card(
    'Forecasts',
    `${table(['RMSE'], 'least', lines, (value) => value.toFixed(4))}<p class="soft">The last ${percent(share)} of each ordinary test series, from what is before; in standard deviations of a channel.</p>`,
  );
}

function reconstructionCard({ rmse }: SeriesScores): string {
  const lines: Line[] = [
    ['this model', rmse.model],
    ...(rmse.pca === undefined ? [] : [['PCA of the same size', rmse.pca] as Line]),
    ['the mean series of the training', rmse.mean],
  ];
  return card(
    'Reconstruction of ordinary test series',
    table(['RMSE'], 'least', lines, (value) => value.toFixed(4)),
  );
}

const [width, height] = [300, 120];

function examples({ examples }: SeriesScores): string {
  if (examples.length === 0) return '';
  const key =
    '<p class="key"><span><i class="dot series-1"></i> the series</span><span><i class="dot series-2"></i> the model</span></p>';
  const figures = examples.map(
    (example) =>
      `<figure style="margin:0">${seriesPlot(example)}<figcaption class="soft">${text(example.what)}: ${short(example.score)}</figcaption></figure>`,
  );
  return card(
    'Some test series',
    `${key}<div style="display:grid;grid-template-columns:repeat(auto-fit,minmax(16rem,1fr));gap:1rem">${figures.join('')}</div><p class="soft">The first channel. Behind the upright line is what the model was not shown.</p>`,
  );
}

/** A series and what the model makes of it. */
function seriesPlot({ values, model, seen, what }: SeriesScores['examples'][number]): string {
  const there = [...values.filter((value) => value !== null), ...model];
  const [low, high] = [Math.min(...there), Math.max(...there)];
  const x = (step: number): string => ((step / Math.max(1, values.length - 1)) * width).toFixed(1);
  const y = (value: number): string => (4 + ((high - value) / Math.max(high - low, 1e-9)) * (height - 8)).toFixed(1);
  let pen = 'M';
  const line = values
    .map((value, step) => {
      if (value === null) {
        pen = 'M';
        return '';
      }
      const point = `${pen}${x(step)} ${y(value)}`;
      pen = 'L';
      return point;
    })
    .join('');
  const answer = `M${model.map((value, step) => `${x(step)} ${y(value)}`).join('L')}`;
  const cut = seen < values.length ? `<line class="rule" x1="${x(seen)}" x2="${x(seen)}" y1="0" y2="${height}"/>` : '';
  return `<svg class="plot" viewBox="0 0 ${width} ${height}" role="img" aria-label="${text(what)}">${cut}<path class="c1" d="${line}"/><path class="c2" d="${answer}"/></svg>`;
}

function scoreHistogram(
  { from, to, ordinary, anomalous }: NonNullable<SeriesScores['anomalies']>['histogram'],
  threshold: number,
): string {
  const [wide, tall] = [480, 150];
  const base = tall - 18;
  const place = (score: number): number =>
    (Math.log10(Math.max(score, 1e-12) / from) / Math.max(Math.log10(to / from), 1e-9)) * wide;
  const bar = wide / ordinary.length;
  const most = Math.max(1, ...ordinary, ...anomalous);
  const bars = [ordinary, anomalous].flatMap((counts, series) =>
    counts.map((count, i) => {
      const size = (count / most) * (base - 6);
      return `<rect class="c${series + 1}" fill-opacity=".6" x="${(i * bar).toFixed(1)}" y="${(base - size).toFixed(1)}" width="${(bar - 1).toFixed(1)}" height="${size.toFixed(1)}"/>`;
    }),
  );
  const at = place(threshold).toFixed(1);
  const ends = `<text x="0" y="${tall - 4}">${short(from)}</text><text x="${wide}" y="${tall - 4}" text-anchor="end">${short(to)}</text>`;
  const key =
    '<p class="key"><span><i class="dot series-1"></i> ordinary</span><span><i class="dot series-2"></i> anomalous</span></p>';
  return `${key}<svg class="plot" viewBox="0 0 ${wide} ${tall}" role="img" aria-label="Scores of test series">${bars.join('')}<line stroke="currentColor" x1="${at}" x2="${at}" y1="0" y2="${base}"/>${ends}</svg>`;
}

export const seriesDefinitions = `<details><summary>What the figures mean</summary><dl>
<dt>Score</dt><dd>Mean squared error of a series as it comes back, where it was observed, in standard deviations of the channel over the training.</dd>
<dt>Threshold</dt><dd>The score that a given share of ordinary series is above ("falseAlarms"): of those that the model was not trained on.</dd>
<dt>F1, precision, recall</dt><dd>Of anomalous series: the share of those called so that are, the share that is found, and the harmonic mean of both. AUROC: how often an anomalous series scores higher than an ordinary one; it needs no threshold.</dd>
<dt>PCA</dt><dd>Principal component analysis of the ordinary training series with as many components as the code has numbers, gaps filled by the mean series; with a threshold of its own, set in the same way.</dd></dl></details>`;
