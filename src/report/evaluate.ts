/**
 * Evaluates a trained version on held-out rows and writes its report.
 *
 *   test rows ─┬─► model ─► scores ┐
 *              ├─► PCA ───► scores ├─► report.json, report.html, pictures.png, metrics
 *   + noise ───┴─► the same        ┘
 */

import type { Static } from 'typebox';
import { type Shape, sizeOf } from '../base/ndarray.ts';
import { RandomStream } from '../base/random.ts';
import { corrupt, drawNoise } from '../data/corruption.ts';
import type { Dataset } from '../data/dataset.ts';
import type { EpochMetrics, JobSpec } from '../jobspec/job.ts';
import type { Corruption } from '../jobspec/model.ts';
import type { ResultCache } from '../store/contract.ts';
import { Gemm } from './gemm.ts';
import { isPicture, pictureGrid } from './grid.ts';
import { reportHtml } from './html.ts';
import { type Answered, Answers, type Baseline } from './model-answers.ts';
import { largestRow, type PrincipalComponents } from './pca.ts';
import { cachedPrincipalComponents } from './pca-cache.ts';
import type { Reconstruction } from './reconstruction.ts';
import { type FrameCost, metricsOf, type Origin, type Report, reportSchemaVersion } from './report.ts';
import { ScoreKeeper } from './scores.ts';

export interface EvaluateOptions {
  /** resolved */
  readonly spec: JobSpec;
  readonly dataset: Dataset;
  readonly model: Reconstruction;
  readonly codeShape: Shape;
  readonly epochs: readonly EpochMetrics[];
  /** where the version comes from; absent: the report does not say */
  readonly origin?: Static<typeof Origin>;
  /** what frames cost; absent: the model has none */
  readonly frames?: readonly Static<typeof FrameCost>[];
  /** number of weights, where known */
  readonly parameters?: number;
  /** threads for PCA's products */
  readonly threads: number;
  /** keeps the principal components of each data set; absent: found anew */
  readonly results?: ResultCache;
  /** test rows that are used, the first ones; default 50,000 */
  readonly maxRows?: number;
  /** aborting throws the signal's reason */
  readonly signal?: AbortSignal;
}

export interface Evaluation {
  readonly report: Report;
  /** by file name, to be published with the version */
  readonly files: Readonly<Record<string, Uint8Array>>;
  /** `test.mse`, `test.pca.sse`, `test.denoised.psnr` …: see `metricsOf` */
  readonly metrics: Readonly<Record<string, number>>;
}

const batchRows = 256;
const shownRows = 12;
const pictureFile = 'pictures.png';

/** Deterministic: the noise follows from the job's seed. */
export async function evaluateModel(options: EvaluateOptions): Promise<Evaluation> {
  const { dataset, threads, spec } = options;
  const gemm = new Gemm(threads);
  try {
    const pca = await fitBaseline(options, gemm);
    const measured = await measure(options, pca && { pca, components: componentsOf(options), gemm });
    const report = reportOf(options, pca, measured);
    const { shape, range } = dataset.info;
    const picture =
      report.pictures &&
      (await pictureGrid(
        measured.shown.map(({ rows }) => rows),
        shownRows,
        shape,
        range,
      ));
    const files: Record<string, Uint8Array> = {
      'report.json': Buffer.from(`${JSON.stringify(report, null, 2)}\n`),
      'report.html': Buffer.from(reportHtml(report, spec, picture)),
      ...(picture && { [pictureFile]: picture }),
    };
    return { report, files, metrics: metricsOf(report) };
  } finally {
    gemm.dispose();
  }
}

const componentsOf = ({ codeShape, dataset }: EvaluateOptions): number =>
  Math.min(sizeOf(codeShape), sizeOf(dataset.info.shape));

async function fitBaseline(options: EvaluateOptions, gemm: Gemm): Promise<PrincipalComponents | undefined> {
  const { dataset, results, signal } = options;
  if (sizeOf(dataset.info.shape) > largestRow || dataset.info.rows.test === 0) return undefined;
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
  if (rows === 0) return { rows, shown: [] };
  const size = sizeOf(shape);
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
  return { rows, clean, ...(noisy && { noisy }), shown };
}

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
  else if (!pca) notes.push(`Rows of more than ${largestRow} values have no PCA beside them.`);
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
