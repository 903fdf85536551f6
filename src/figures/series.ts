/** The parts of a report that only a model of series has. */

import { el, type Markup } from './markup.ts';
import {
  counted,
  definitionList,
  legend,
  note,
  percent,
  type ScoreHead,
  type Section,
  scoreTable,
  section,
  short,
  table,
  tiles,
} from './parts.ts';
import type { Report, SeriesScores } from './report.ts';

export function seriesTiles({ model, dataset }: Report, { rmse, forecast, anomalies }: SeriesScores): Markup {
  const [steps = 0, channels = 0] = dataset.shape;
  const [code = 0] = model.codeShape;
  return tiles([
    [
      `${steps}${channels > 1 ? ` × ${channels}` : ''} → ${code}`,
      `time steps${channels > 1 ? ' × channels' : ''} to numbers of code`,
    ],
    ...(anomalies ? [[anomalies.model.f1.toFixed(3), 'F1 of anomalies'] as const] : []),
    [rmse.model.toFixed(3), 'RMSE of ordinary test series, in standard deviations'],
    ...(forecast ? [[forecast.model.toFixed(3), 'RMSE of forecasts'] as const] : []),
    ...(model.parameters === undefined ? [] : [[counted(model.parameters), 'weights'] as const]),
  ]);
}

export const seriesSections = (scores: SeriesScores): (Section | undefined)[] => [
  anomalies(scores),
  forecasts(scores),
  reconstruction(scores),
  examples(scores),
];

const column = (name: string, best: ScoreHead['best']): ScoreHead => ({
  ...{ name, best, show: (value) => value.toFixed(4) },
});

function anomalies({ anomalies, threshold }: SeriesScores): Section | undefined {
  if (!anomalies) return undefined;
  const { model, pca, ordinary, anomalous, classes, histogram } = anomalies;
  const line = (name: string, { f1, precision, recall, auroc }: typeof model) => ({
    ...{ name, values: [f1, precision, recall, auroc] },
  });
  return section(
    'Anomalies',
    scoreTable(
      ['F1', 'precision', 'recall', 'AUROC'].map((name) => column(name, 'most')),
      [line('this model', model), ...(pca ? [line('PCA of the same size', pca)] : [])],
    ),
    scoreHistogram(histogram, threshold),
    note(
      `${counted(anomalous)} anomalous and ${counted(ordinary)} ordinary test series by their score, on a logarithmic scale; the line is the threshold, ${short(threshold)}.`,
    ),
    table(
      'class',
      [{ name: 'test series' }, { name: 'called anomalous' }],
      classes
        .filter(({ series }) => series > 0)
        .map(({ name, series, flagged }) => ({
          name,
          cells: [{ content: series }, { content: percent(flagged / series) }],
        })),
    ),
  );
}

function forecasts({ forecast }: SeriesScores): Section | undefined {
  if (!forecast) return undefined;
  const { model, lastValue, seasonal, mean, season, share } = forecast;
  return section(
    'Forecasts',
    scoreTable(
      [column('RMSE', 'least')],
      [
        { name: 'this model', values: [model] },
        { name: 'the last value', values: [lastValue] },
        {
          name: season > 0 ? `the value ${season} steps before` : 'the season before (none was found: the last value)',
          values: [seasonal],
        },
        { name: 'the mean series of the training', values: [mean] },
      ],
    ),
    note(
      `The last ${percent(share)} of each ordinary test series, from what is before; in standard deviations of a channel.`,
    ),
  );
}

const reconstruction = ({ rmse }: SeriesScores): Section =>
  section(
    'Reconstruction of ordinary test series',
    scoreTable(
      [column('RMSE', 'least')],
      [
        { name: 'this model', values: [rmse.model] },
        ...(rmse.pca === undefined ? [] : [{ name: 'PCA of the same size', values: [rmse.pca] }]),
        { name: 'the mean series of the training', values: [rmse.mean] },
      ],
    ),
  );

function examples({ examples }: SeriesScores): Section | undefined {
  if (examples.length === 0) return undefined;
  return section(
    'Some test series',
    legend([
      { name: 'the series', colour: 1 },
      { name: 'the model', colour: 2 },
    ]),
    el(
      'div',
      { class: 'examples' },
      examples.map((example) =>
        el('figure', {}, seriesPlot(example), el('figcaption', {}, `${example.what}: ${short(example.score)}`)),
      ),
    ),
    note('The first channel. Behind the upright line is what the model was not shown.'),
  );
}

const [width, height] = [300, 120];

/** A series and what the model makes of it. */
function seriesPlot({ values, model, seen, what }: SeriesScores['examples'][number]): Markup {
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
  const cut = { class: 'rule', x1: x(seen), x2: x(seen), y1: 0, y2: height };
  return el(
    'svg',
    { class: 'plot', viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': what },
    seen < values.length ? el('line', cut) : undefined,
    el('path', { class: 'c1', d: line }),
    el('path', { class: 'c2', d: `M${model.map((value, step) => `${x(step)} ${y(value)}`).join('L')}` }),
  );
}

type ScoreCounts = NonNullable<SeriesScores['anomalies']>['histogram'];

function scoreHistogram({ from, to, ordinary, anomalous }: ScoreCounts, threshold: number): Markup[] {
  const [wide, tall] = [480, 150];
  const base = tall - 18;
  const place = (score: number): number =>
    (Math.log10(Math.max(score, 1e-12) / from) / Math.max(Math.log10(to / from), 1e-9)) * wide;
  const bar = wide / ordinary.length;
  const most = Math.max(1, ...ordinary, ...anomalous);
  const bars = [ordinary, anomalous].flatMap((counts, series) =>
    counts.map((count, i) => {
      const size = (count / most) * (base - 6);
      return el('rect', {
        ...{ class: `c${series + 1}`, 'fill-opacity': '.6', width: (bar - 1).toFixed(1), height: size.toFixed(1) },
        ...{ x: (i * bar).toFixed(1), y: (base - size).toFixed(1) },
      });
    }),
  );
  const at = place(threshold).toFixed(1);
  return [
    legend([
      { name: 'ordinary', colour: 1 },
      { name: 'anomalous', colour: 2 },
    ]),
    el(
      'svg',
      { class: 'plot', viewBox: `0 0 ${wide} ${tall}`, role: 'img', 'aria-label': 'Scores of test series' },
      bars,
      el('line', { stroke: 'currentColor', x1: at, x2: at, y1: 0, y2: base }),
      el('text', { x: 0, y: tall - 4 }, short(from)),
      el('text', { x: wide, y: tall - 4, 'text-anchor': 'end' }, short(to)),
    ),
  ];
}

export const seriesDefinitions = definitionList({
  Score:
    'Mean squared error of a series as it comes back, where it was observed, in standard deviations of the channel over the training.',
  Threshold:
    'The score that a given share of ordinary series is above ("falseAlarms"): of those that the model was not trained on.',
  'F1, precision, recall':
    'Of anomalous series: the share of those called so that are, the share that is found, and the harmonic mean of both. AUROC: how often an anomalous series scores higher than an ordinary one; it needs no threshold.',
  PCA: 'Principal component analysis of the ordinary training series with as many components as the code has numbers, gaps filled by the mean series; with a threshold of its own, set in the same way.',
});
