/** The parts of a report of models whose rows are numbers or pictures of one size: reconstruction, bytes, classes, codes, outliers. */

import { sizeOf } from '../base/ndarray.ts';
import { el, type Markup } from './markup.ts';
import {
  counted,
  decibels,
  definitionList,
  note,
  type ScoreHead,
  type Section,
  scoreTable,
  section,
  short,
  table,
  tiles,
} from './parts.ts';
import { histogramPlot, mapPlot, type PlotCurve, ratePlot } from './plot.ts';
import type { Report, Scores } from './report.ts';
import { framing } from './verdict.ts';

/** What is shown besides figures. */
export interface ReportFiles {
  /** where a picture of the version is; undefined: it is not shown */
  readonly addressOf: (file: string) => string | undefined;
  /** of the data set, by class number */
  readonly classNames: readonly string[];
}

/** Files of a version: what is decoded between pairs of test rows, and from codes drawn from the prior. */
export const interpolationsFile = 'interpolations.png';
export const samplesFile = 'samples.png';

export function rowTiles({ model, dataset, reconstruction, denoising, baseline, frames }: Report): Markup {
  const [inputs, code] = [sizeOf(dataset.shape), sizeOf(model.codeShape)];
  const facts: [string, string][] = [[`${inputs} → ${code}`, `${inputs} inputs to ${code} numbers of code`]];
  const named = baseline && `PCA with ${baseline.components}`;
  if (denoising) {
    facts.push([
      `${decibels(denoising.input.psnr)} → ${decibels(denoising.model.psnr)} dB`,
      'PSNR of noisy test rows → denoised',
    ]);
    if (denoising.pca && named) facts.push([`${decibels(denoising.pca.psnr)} dB`, `PSNR by ${named}`]);
  } else if (reconstruction) {
    facts.push([`${decibels(reconstruction.model.psnr)} dB`, 'PSNR of test rows']);
    if (reconstruction.pca && named) facts.push([`${decibels(reconstruction.pca.psnr)} dB`, `PSNR by ${named}`]);
  }
  const finest = frames?.at(-1);
  if (finest) {
    const bytes = Math.ceil(finest.bytesPerRow) + framing;
    facts.push([`${bytes} bytes`, `a frame of one row at ${finest.psnr.toFixed(1)} dB`]);
  }
  if (model.parameters !== undefined) facts.push([counted(model.parameters), 'weights']);
  return tiles(facts);
}

export const rowSections = (report: Report, files: ReportFiles): (Section | undefined)[] => [
  bytesAndQuality(report),
  ...pictures(report, files),
  reconstruction(report),
  denoising(report),
  classes(report),
  latentMap(report, files.classNames),
  outliers(report),
];

const columns: readonly (ScoreHead & { readonly key: keyof Scores })[] = [
  { key: 'mse', name: 'MSE', best: 'least', show: short },
  { key: 'sse', name: 'SSE', best: 'least', show: short },
  { key: 'psnr', name: 'PSNR, dB', best: 'most', show: decibels },
  { key: 'psnrOfMean', name: 'PSNR of mean, dB', best: 'most', show: decibels },
  { key: 'bce', name: 'BCE, nats', best: 'least', show: short },
];

type Scored = NonNullable<Report['reconstruction']>;

function scores(lines: readonly { readonly name: string; readonly scores: Scores | undefined }[]): Markup {
  const present = lines.flatMap(({ name, scores }) => (scores ? [{ name, scores }] : []));
  const used = columns.filter(({ key }) => present.some(({ scores }) => scores[key] !== undefined));
  return scoreTable(
    used,
    present.map(({ name, scores }) => ({ name, values: used.map(({ key }) => scores[key]) })),
  );
}

function answers({ baseline }: Report, { model, pca, pcaClipped }: Scored) {
  const name = `PCA, ${baseline?.components ?? 0} components`;
  return [
    { name: 'this model', scores: model },
    { name, scores: pca },
    { name: `${name}, clipped to the range`, scores: pcaClipped },
  ];
}

function reconstruction(report: Report): Section | undefined {
  const scored = report.reconstruction;
  return scored && section('Reconstruction of test rows', scores(answers(report, scored)));
}

function denoising(report: Report): Section | undefined {
  const scored = report.denoising;
  if (!scored) return undefined;
  const { type, ...strength } = scored.corruption;
  const given = Object.entries(strength).map(([name, value]) => `${name} ${value}`);
  return section(
    `Denoising of test rows with ${type} (${given.join(', ')}) noise`,
    scores([{ name: 'the noisy rows themselves', scores: scored.input }, ...answers(report, scored)]),
  );
}

/** Colours of what frames are compared with, in reports and in the console. */
export const fileColours = { pca: 5, WebP: 6, JPEG: 7 } as const;

export const rateAxes = { xLabel: 'bytes of one row', yLabel: 'PSNR, dB' } as const;

/** Bytes and quality of frames, coarse to fine, beside PCA and files of the same pictures. */
function bytesAndQuality({ frames, rates, baseline, reconstruction, model }: Report): Section | undefined {
  if (!frames) return undefined;
  const curves: PlotCurve[] = [
    { name: 'frames', colour: 1, points: frames.map(({ bytesPerRow, psnr }) => [bytesPerRow + framing, psnr]) },
  ];
  const pca = reconstruction?.pca;
  if (baseline && pca) {
    const points = [[4 * sizeOf(model.codeShape), pca.psnrOfMean] as const];
    curves.push({ name: 'PCA, float32', colour: fileColours.pca, points });
  }
  for (const [name, points = []] of [
    ['WebP', rates?.webp],
    ['JPEG', rates?.jpeg],
  ] as const) {
    if (points.length > 0)
      curves.push({
        ...{ name, colour: fileColours[name], isDashed: true },
        points: points.map(({ bytes, psnr }) => [bytes, psnr]),
      });
  }
  const files = rates
    ? ` WebP and JPEG: means of the first ${rates.pictures} test pictures, of which a lossless PNG takes ${Math.round(rates.png)} bytes.`
    : '';
  return section(
    'Bytes and quality',
    ratePlot(curves, { ...rateAxes, label: `PSNR against bytes: ${curves.map(({ name }) => name).join(', ')}` }),
    note(
      `Frames as measured on training rows that were held out, with the ${framing} bytes that a frame of one row adds.${files}`,
    ),
    el(
      'details',
      {},
      el('summary', {}, 'Each quality'),
      table(
        '',
        [{ name: 'bytes of a row' }, { name: 'PSNR, dB' }],
        frames.map(({ bytesPerRow, psnr }, i) => ({
          name: `quality ${i + 1}`,
          cells: [{ content: bytesPerRow.toFixed(1) }, { content: decibels(psnr) }],
        })),
      ),
    ),
  );
}

function pictures({ pictures, extremes }: Report, { addressOf }: ReportFiles): (Section | undefined)[] {
  const lines = (names: readonly string[], address: string): Markup =>
    el(
      'div',
      { class: 'pictures' },
      el(
        'ol',
        {},
        names.map((name) => el('li', {}, name)),
      ),
      el('img', { src: address, alt: names.join(', ') }),
    );
  const [first, others] = [pictures && addressOf(pictures.file), extremes && addressOf(extremes.file)];
  const thirds = el(
    'p',
    { class: 'thirds' },
    ['best', 'around the median', 'worst'].map((name) => el('span', {}, name)),
  );
  const alone = (file: string, alt: string): Markup | undefined => {
    const address = addressOf(file);
    return address === undefined ? undefined : el('div', { class: 'pictures' }, el('img', { src: address, alt }));
  };
  const between = alone(interpolationsFile, 'pairs of test rows and what is decoded between them');
  const drawn = alone(samplesFile, 'decoded codes that were drawn');
  return [
    pictures && first !== undefined ? section('The first test rows', lines(pictures.rows, first)) : undefined,
    extremes && others !== undefined
      ? section('Best, median and worst test rows', lines(extremes.rows, others), thirds)
      : undefined,
    between &&
      section(
        'Between two test rows',
        between,
        note(
          'At the ends of a line two test rows as they are; between them what codes on the straight line from one to the other decode to.',
        ),
      ),
    drawn && section('Drawn from the prior', drawn, note('What codes drawn from N(0, I) decode to.')),
  ];
}

function classes({ classes = [] }: Report): Section | undefined {
  if (classes.length < 2) return undefined;
  const best = Math.max(...classes.map(({ psnr }) => psnr));
  return section(
    'Classes',
    table(
      'class',
      [{ name: 'test rows' }, { name: 'PSNR, dB' }],
      classes.map(({ name, rows, psnr }) => ({
        name,
        cells: [{ content: counted(rows) }, { content: decibels(psnr), isBest: psnr === best }],
      })),
    ),
  );
}

function latentMap({ map }: Report, classNames: readonly string[]): Section | undefined {
  if (!map) return undefined;
  const plane =
    map.share === 1
      ? 'Both numbers of the code'
      : `The two directions in which the codes vary most: ${Math.round(100 * map.share)} % of their variance`;
  return section(
    'Latent map',
    mapPlot(map.points, map.labels, classNames, `Codes of ${map.points.length} test rows`),
    note(`${plane}, for ${map.points.length} test rows${map.labels ? ', coloured by class' : ''}.`),
  );
}

function outliers({ outliers }: Report): Section | undefined {
  if (!outliers) return undefined;
  const { rows, quantiles } = outliers;
  const scores = { name: 'held-out rows', colour: 1, values: quantiles };
  return section(
    'How unusual rows are',
    histogramPlot([scores], 'score', `Scores of ${rows} held-out rows`),
    note(
      `Scores of ${counted(rows)} held-out rows. A new row gets a p-value of its place among them; the smallest that can be told is ${(2 / (rows + 1)).toPrecision(2)}.`,
    ),
  );
}

export const rowDefinitions = definitionList({
  'MSE, SSE': 'Squared error of one value; summed over the values of a row and averaged over rows.',
  'PSNR, PSNR of mean': '10·log₁₀(peak² / MSE): of each row and then averaged; of the mean error of all rows.',
  BCE: 'Cross-entropy per value in nats. It has a floor above 0, since grey values are uncertain themselves.',
  PCA: 'Principal component analysis of the training rows with as many components as the code has units: the best that a linear code can do.',
});
