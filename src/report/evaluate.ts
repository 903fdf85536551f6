/**
 * Evaluates a trained version on held-out rows and writes its report.
 *
 *   test rows ─┬─► model ─► scores ┐
 *              ├─► PCA ───► scores ├─► report.json, report.html, pictures.png, extremes.png …, metrics
 *   + noise ───┴─► the same        ┘
 */

import type { Static } from 'typebox';
import { type Shape, sizeOf } from '../base/ndarray.ts';
import type { OutlierCalibration } from '../base/outliers.ts';
import { RandomStream } from '../base/random.ts';
import { corrupt, drawNoise } from '../data/corruption.ts';
import type { Dataset } from '../data/dataset.ts';
import { type FrameCost, metricsOf, type Report, reportSchemaVersion } from '../figures/report.ts';
import { interpolationsFile, samplesFile } from '../figures/rows.ts';
import type { Corruption } from '../jobspec/model.ts';
import type { ResultCache } from '../store/contract.ts';
import { type NewPictures, newPictures } from './between.ts';
import type { Evaluation, EvaluationFacts } from './evaluation.ts';
import { measureFormats } from './formats.ts';
import { Gemm } from './gemm.ts';
import { isPicture, pictureGrid } from './grid.ts';
import { reportHtml } from './html.ts';
import { latentPoints } from './latent-map.ts';
import { type Answered, Answers, type Baseline } from './model-answers.ts';
import { canFit, type PrincipalComponents } from './pca.ts';
import { cachedPrincipalComponents } from './pca-cache.ts';
import type { Reconstruction } from './reconstruction.ts';
import { RowErrors } from './row-errors.ts';
import { ScoreKeeper } from './scores.ts';

export interface EvaluateOptions extends EvaluationFacts {
  readonly dataset: Dataset;
  readonly model: Reconstruction;
  readonly codeShape: Shape;
  /** what frames cost; absent: the model has none */
  readonly frames?: readonly Static<typeof FrameCost>[];
  /** of the version's outlier scores; absent: it has none */
  readonly outliers?: OutlierCalibration;
  /** number of weights, where known */
  readonly parameters?: number;
  /** keeps the principal components of each data set; absent: found anew */
  readonly results?: ResultCache;
  /** test rows that are used, the first ones; default 50,000 */
  readonly maxRows?: number;
}

const batchRows = 256;
const shownRows = 12;
const pictureFile = 'pictures.png';
const extremesFile = 'extremes.png';
/** best, median and worst rows that are shown, of each */
const shownExtremes = 4;
const mappedRows = 500;
const shownQuantiles = 201;

/** Deterministic: the noise follows from the job's seed. */
export async function evaluateModel(options: EvaluateOptions): Promise<Evaluation> {
  const { dataset, threads, spec } = options;
  const gemm = new Gemm(threads);
  try {
    const pca = await fitBaseline(options, gemm);
    const measured = await measure(options, pca && { pca, components: componentsOf(options), gemm });
    const more = await lookCloser(options, measured);
    const report = { ...reportOf(options, pca, measured), ...more.members };
    const { shape, range } = dataset.info;
    const gridOf = (shown: readonly Shown[]) =>
      pictureGrid(
        shown.map(({ rows }) => rows),
        shownRows,
        shape,
        range,
      );
    const picture = report.pictures && (await gridOf(measured.shown));
    const extremes = report.extremes && (await gridOf(more.extremes));
    const { interpolations, samples } = await picturesBetween(options);
    const files: Record<string, Uint8Array> = {
      'report.json': Buffer.from(`${JSON.stringify(report, null, 2)}\n`),
      'report.html': Buffer.from(
        reportHtml(report, spec, {
          picture,
          extremes,
          interpolations,
          samples,
          classNames: dataset.info.classNames ?? [],
        }),
      ),
      ...(picture && { [pictureFile]: picture }),
      ...(extremes && { [extremesFile]: extremes }),
      ...(interpolations && { [interpolationsFile]: interpolations }),
      ...(samples && { [samplesFile]: samples }),
    };
    return { report, files, metrics: metricsOf(report) };
  } finally {
    gemm.dispose();
  }
}

async function picturesBetween({ dataset, model, spec, codeShape }: EvaluateOptions): Promise<NewPictures> {
  const { shape, range, rows: counts } = dataset.info;
  if (!isPicture(shape)) return {};
  const rows = new Float32Array(Math.min(shownRows, counts.test) * sizeOf(shape));
  await dataset.split('test').readRange(0, rows.length / sizeOf(shape), rows);
  return newPictures({ spec, model, shape, codeShape, range, rows });
}

const componentsOf = ({ codeShape, dataset }: EvaluateOptions): number =>
  Math.min(sizeOf(codeShape), sizeOf(dataset.info.shape));

async function fitBaseline(options: EvaluateOptions, gemm: Gemm): Promise<PrincipalComponents | undefined> {
  const { dataset, results, signal } = options;
  const { shape, rows } = dataset.info;
  if (!canFit(rows.train, sizeOf(shape)) || rows.test === 0) return undefined;
  return cachedPrincipalComponents({
    dataset,
    components: componentsOf(options),
    gemm,
    ...(results && { results }),
    onBlock: () => breathe(signal),
  });
}

/** Lets messages in, such as the one to stop. */
async function breathe(signal: AbortSignal | undefined): Promise<void> {
  await new Promise(setImmediate);
  signal?.throwIfAborted();
}

interface Measured {
  readonly rows: number;
  readonly clean?: Answers;
  readonly noisy?: { readonly corruption: Corruption; readonly input: ScoreKeeper; readonly answers: Answers };
  readonly shown: readonly Shown[];
  /** of clean rows */
  readonly errors: RowErrors;
}

/** A row of the picture: the first test rows in one of their forms. */
interface Shown {
  readonly what: string;
  readonly rows: Float32Array;
}

async function measure(options: EvaluateOptions, baseline: Baseline | undefined): Promise<Measured> {
  const { dataset, spec, maxRows = 50_000, model, signal } = options;
  const { shape, range } = dataset.info;
  const split = dataset.split('test');
  const rows = Math.min(split.length, maxRows);
  const size = sizeOf(shape);
  const errors = new RowErrors(size, range);
  if (rows === 0) return { rows, shown: [], errors };
  const corruption = 'corruption' in spec.model ? spec.model.corruption : undefined;
  const random = new RandomStream(spec.training.seed, 'noise/report');
  const clean = new Answers(size, range, model, baseline);
  const noisy = corruption && {
    corruption,
    input: new ScoreKeeper(size, range, false),
    answers: new Answers(size, range, model, baseline),
  };
  let shown: Shown[] = [];
  for (let start = 0; start < rows; start += batchRows) {
    await breathe(signal);
    const end = Math.min(start + batchRows, rows);
    const x = new Float32Array((end - start) * size);
    await split.readRange(start, end, x);
    const answered = await clean.add(x, x);
    errors.add(x, answered.model);
    if (!noisy) {
      if (start === 0) shown = [{ what: 'input', rows: x }, ...describe(answered, 'reconstruction', 'PCA')];
      continue;
    }
    const noise = drawNoise(noisy.corruption, random, new Float32Array(x.length), options.dataset.info.shape);
    const corrupted = corrupt(x, noise, noisy.corruption, range);
    noisy.input.add(x, corrupted);
    const denoised = await noisy.answers.add(corrupted, x);
    if (start > 0) continue;
    shown = [
      { what: 'clean', rows: x },
      { what: 'noisy input', rows: corrupted },
      ...describe(denoised, 'denoised', 'PCA of noisy input'),
    ];
  }
  return { rows, clean, ...(noisy && { noisy }), shown, errors };
}

/** What a second look at some test rows adds: files beside frames, classes, the latent map, the best and the worst rows. */
async function lookCloser(
  { dataset, model, frames = [], outliers, signal, codeShape }: EvaluateOptions,
  { rows, errors }: Measured,
): Promise<{ readonly members: Partial<Report>; readonly extremes: readonly Shown[] }> {
  const { shape, range, classNames = [] } = dataset.info;
  const calibration = outliers && {
    outliers: { rows: outliers.rows, quantiles: spread(outliers.quantiles, shownQuantiles) },
  };
  if (rows === 0) return { members: { ...calibration }, extremes: [] };
  const split = dataset.split('test');
  const size = sizeOf(shape);
  const first = new Float32Array(Math.min(rows, mappedRows) * size);
  await split.readRange(0, first.length / size, first);
  const labels = await split.labels();
  const picture = isPicture(shape);
  const rates =
    picture && frames.length > 0
      ? await measureFormats({ rows: first, shape, range, psnr: frames.at(-1)?.psnr, breathe: () => breathe(signal) })
      : undefined;
  await breathe(signal);
  const codes = await model.encode?.(first, first.length / size);
  const map = codes && latentPoints(codes, sizeOf(codeShape));
  const chosen = picture ? errors.extremes(shownExtremes) : [];
  const clean = new Float32Array(chosen.length * size);
  if (chosen.length > 0) await split.readRows([...chosen], clean);
  const extremes: Shown[] =
    chosen.length === 0
      ? []
      : [
          { what: 'input', rows: clean },
          { what: 'reconstruction', rows: await model.reconstruct(clean, chosen.length) },
        ];
  return {
    extremes,
    members: {
      ...calibration,
      ...(rates && { rates }),
      ...(labels && { classes: errors.byClass(labels, classNames) }),
      ...(map && {
        map: {
          points: map.points.map(([x, y]): [number, number] => [shorter(x), shorter(y)]),
          ...(labels && { labels: Array.from(labels.subarray(0, map.points.length)) }),
          share: map.share,
        },
      }),
      ...(extremes.length > 0 && { extremes: { file: extremesFile, rows: extremes.map(({ what }) => what) } }),
    },
  };
}

/** Four significant digits are enough for a place on a map. */
const shorter = (value: number): number => Number(value.toPrecision(4));

/** At most `count` of the values, evenly chosen. */
const spread = (values: readonly number[], count: number): number[] =>
  values.length <= count
    ? [...values]
    : Array.from({ length: count }, (_, i) => values[Math.round((i * (values.length - 1)) / (count - 1))]!);

/** Share of the variance; all of it where there is none, as in rows that are all alike. */
function explainedBy({ variances, totalVariance }: PrincipalComponents, components: number): number {
  const held = variances.subarray(0, components).reduce((sum, variance) => sum + variance, 0);
  return totalVariance > 0 ? held / totalVariance : 1;
}

function describe({ model, pca }: Answered, ofModel: string, ofPca: string): Shown[] {
  return [{ what: ofModel, rows: model }, ...(pca ? [{ what: ofPca, rows: pca }] : [])];
}

function reportOf(options: EvaluateOptions, pca: PrincipalComponents | undefined, measured: Measured): Report {
  const { spec, dataset, codeShape, epochs, parameters, origin, frames } = options;
  const { name, hash, shape, rows } = dataset.info;
  const components = componentsOf(options);
  const explained = pca && explainedBy(pca, components);
  const notes: string[] = [];
  if (rows.test === 0) notes.push('The data set has no test rows, so nothing could be measured.');
  else if (!pca) notes.push(`PCA of ${rows.train} rows of ${sizeOf(shape)} values would take too long.`);
  if (measured.rows < rows.test) notes.push(`Measured on the first ${measured.rows} of ${rows.test} test rows.`);
  return {
    schema: reportSchemaVersion,
    model: {
      name: spec.name,
      type: spec.model.type,
      codeShape: [...codeShape],
      ...(parameters !== undefined && { parameters }),
    },
    dataset: { name, hash, shape: [...shape], trainRows: rows.train, testRows: measured.rows },
    seed: spec.training.seed,
    ...(origin && { origin }),
    ...(frames && frames.length > 0 && { frames: frames.map(({ bytesPerRow, psnr }) => ({ bytesPerRow, psnr })) }),
    notes,
    epochs: epochs.map(({ phase, epoch, metrics }) => ({ phase, epoch, metrics: { ...metrics } })),
    ...(pca && { baseline: { components, fittedRows: pca.fittedRows, explainedVariance: explained ?? 0 } }),
    ...(measured.clean && { reconstruction: measured.clean.scores() }),
    ...(measured.noisy && {
      denoising: {
        corruption: measured.noisy.corruption,
        input: measured.noisy.input.result(),
        ...measured.noisy.answers.scores(),
      },
    }),
    ...(isPicture(shape) &&
      measured.shown.length > 0 && { pictures: { file: pictureFile, rows: measured.shown.map(({ what }) => what) } }),
  };
}
