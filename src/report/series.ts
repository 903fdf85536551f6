/**
 * Evaluates a model of series by its published files: how well test series come back and are gone on with, and whether anomalous
 * ones are told from ordinary ones; beside the mean series, PCA, the last value and the season before.
 *
 *   ordinary training series that were held out ─► scores ─► threshold
 *   test series ─► encoder.onnx ─► decoder.onnx ─► errors, in standard deviations of a channel
 */

import type { Static } from 'typebox';
import { sizeOf } from '../base/ndarray.ts';
import { calibrate } from '../base/outliers.ts';
import { type SeriesModelFacts, scoreAt, seriesFile, seriesScore } from '../base/series.ts';
import type { Dataset, DatasetInfo } from '../data/dataset.ts';
import { type FrameCost, metricsOf, type Report, reportSchemaVersion, type SeriesScores } from '../figures/report.ts';
import type { SequenceModel } from '../jobspec/sequence-model.ts';
import { anomalyScores } from './anomalies.ts';
import type { Evaluation, EvaluationFacts } from './evaluation.ts';
import { forecastScores, type Measured } from './forecast.ts';
import { Gemm } from './gemm.ts';
import { reportHtml } from './html.ts';
import { canFit, fitPrincipalComponents, type PrincipalComponents, reconstructByPca } from './pca.ts';
import { fillRows, firstChannel, meanRow, readSeries, SeriesModel, type SeriesRows } from './series-model.ts';

export interface SeriesEvaluation extends EvaluationFacts {
  readonly model: SequenceModel;
  /** all of it */
  readonly dataset: Dataset;
  /** the series of the ordinary classes alone; else the same */
  readonly ordinary: Dataset;
  readonly encoder: Uint8Array;
  readonly decoder: Uint8Array;
  readonly parameters: number;
  /** what frames cost; absent: the model has none */
  readonly frames?: readonly Static<typeof FrameCost>[];
}

/** series that are measured, the first ones */
const mostMeasured = 20_000;
const mostForMean = 10_000;
const bins = 40;

export async function evaluateSeries(options: SeriesEvaluation): Promise<Evaluation> {
  const { spec, model, dataset, epochs, origin, parameters, threads, frames } = options;
  const { info } = dataset;
  const [steps = 1, channels = 1] = info.shape;
  const files = { encoder: options.encoder, decoder: options.decoder, steps, channels, threads };
  const running = new SeriesModel(files);
  const gemm = new Gemm(threads);
  try {
    const { scores, calibration } = await measure(options, running, gemm);
    const report: Report = {
      schema: reportSchemaVersion,
      model: { name: spec.name, type: model.type, codeShape: [model.code], parameters },
      dataset: {
        ...{ name: info.name, hash: info.hash, shape: [...info.shape] },
        ...{ trainRows: options.ordinary.info.rows.train, testRows: Math.min(info.rows.test, mostMeasured) },
      },
      seed: spec.training.seed,
      ...(origin && { origin }),
      ...(frames && frames.length > 0 && { frames: frames.map(({ bytesPerRow, psnr }) => ({ bytesPerRow, psnr })) }),
      notes: notesOf(info, model, scores),
      epochs: epochs.map(({ phase, epoch, metrics }) => ({ phase, epoch, metrics: { ...metrics } })),
      series: scores,
    };
    const facts: SeriesModelFacts = {
      ...{ steps, channels, deviations: deviationsOf(info), forecasts: model.hiddenEnds > 0 },
      ...(info.series?.channels && { names: info.series.channels }),
      ...{ threshold: scores.threshold, calibration },
    };
    return {
      report,
      metrics: metricsOf(report),
      files: {
        [seriesFile]: Buffer.from(`${JSON.stringify(facts)}\n`),
        'report.json': Buffer.from(`${JSON.stringify(report, null, 2)}\n`),
        'report.html': Buffer.from(reportHtml(report, spec)),
      },
    };
  } finally {
    running.dispose();
    gemm.dispose();
  }
}

const deviationsOf = ({ series }: DatasetInfo): readonly number[] =>
  (series?.deviations ?? []).map((deviation) => (deviation > 1e-12 ? deviation : 1));

function notesOf({ rows }: DatasetInfo, { normal }: SequenceModel, { calibrated }: SeriesScores): string[] {
  const notes: string[] = [];
  if (rows.test === 0) notes.push('The data set has no series held out for testing, so nothing could be measured.');
  if (rows.test > mostMeasured) notes.push(`Measured on the first ${mostMeasured} of ${rows.test} test series.`);
  if (calibrated < 100) {
    notes.push(
      `The threshold was set on ${calibrated} ordinary series that the model was not trained on: it is uncertain. Raise "training.validation.fraction" for more of them.`,
    );
  }
  if (!normal && rows.test > 0) {
    notes.push('The job does not say which classes are ordinary ("normal"), so anomalies could not be told apart.');
  }
  return notes;
}

async function measure(options: SeriesEvaluation, running: SeriesModel, gemm: Gemm) {
  const { spec, model, dataset, ordinary, signal } = options;
  const { info } = dataset;
  const deviations = deviationsOf(info);
  const tick = (): void => signal?.throwIfAborted();
  const train = ordinary.split('train');
  const fitted = await readSeries(train, 0, Math.min(train.length, mostForMean));
  const mean = meanRow(fitted, info.series?.means ?? [0]);
  const size = sizeOf(info.shape);
  const scoresOf = (rows: SeriesRows, answers: Float32Array): number[] =>
    Array.from({ length: rows.count }, (_, i) =>
      seriesScore(
        rows.values.subarray(i * size, (i + 1) * size),
        answers.subarray(i * size, (i + 1) * size),
        deviations,
      ),
    );

  const held = Math.floor(train.length * spec.training.validation.fraction);
  const kept = held > 0 ? await readSeries(train, train.length - held) : fitted;
  const calibration = calibrate(scoresOf(kept, await running.reconstruct(kept, tick)));
  const threshold = scoreAt(calibration, model.falseAlarms);

  const split = dataset.split('test');
  const test = await readSeries(split, 0, Math.min(split.length, mostMeasured));
  const answers = await running.reconstruct(test, tick);
  const scores = scoresOf(test, answers);
  const labels = await split.labels();
  const normal = model.normal && new Set(model.normal.map((name) => info.classNames?.indexOf(name) ?? -1));
  const isAnomalous = Array.from({ length: test.count }, (_, i) => !!normal && !normal.has(labels?.[i] ?? -1));
  const pca = canFit(fitted.count, size) ? await fitBaseline(fitted, mean, model.code, gemm, tick) : undefined;
  const byPca = (rows: SeriesRows): number[] | undefined =>
    pca && scoresOf(rows, reconstructByPca(pca, Math.min(model.code, size), fillRows(rows, mean), gemm));
  const pcaScores = byPca(test);
  const rms = (all: readonly number[]): number => {
    const own = all.filter((_, i) => !isAnomalous[i]);
    return Math.sqrt(own.reduce((sum, score) => sum + score, 0) / Math.max(1, own.length));
  };
  const means = scoresOf(test, repeated(mean, test.count));
  const measured: Measured = {
    rows: test,
    isAnomalous,
    mean,
    deviations,
    shape: [info.shape[0] ?? 1, info.shape[1] ?? 1],
  };
  const foretold =
    model.hiddenEnds > 0 && test.count > 0 ? await forecastScores(running, measured, fitted, tick) : undefined;
  const result: SeriesScores = {
    rmse: { model: rms(scores), mean: rms(means), ...(pcaScores && { pca: rms(pcaScores) }) },
    ...(foretold && { forecast: foretold.scores }),
    ...{ threshold, calibrated: held },
    ...(normal &&
      test.count > 0 && {
        anomalies: {
          ordinary: isAnomalous.filter((anomalous) => !anomalous).length,
          anomalous: isAnomalous.filter(Boolean).length,
          model: anomalyScores({ scores, anomalous: isAnomalous }, threshold),
          ...(pcaScores && {
            pca: anomalyScores(
              { scores: pcaScores, anomalous: isAnomalous },
              scoreAt(calibrate(byPca(kept) as number[]), model.falseAlarms),
            ),
          }),
          classes: byClass(info.classNames ?? [], labels ?? [], scores, threshold),
          histogram: histogramOf(scores, isAnomalous),
        },
      }),
    examples: [
      ...examplesOf(test, answers, {
        scores,
        isAnomalous,
        named: (i) => info.classNames?.[labels?.[i] ?? -1],
        shape: measured.shape,
      }),
      ...(foretold?.examples ?? []),
    ],
  };
  return { scores: result, calibration };
}

/** PCA of the ordinary training series, gaps filled by the mean series. */
async function fitBaseline(
  rows: SeriesRows,
  mean: Float32Array,
  components: number,
  gemm: Gemm,
  tick: () => void,
): Promise<PrincipalComponents> {
  const filled = fillRows(rows, mean);
  const rowSize = mean.length;
  const read = (start: number, end: number, out: Float32Array): void =>
    out.set(filled.subarray(start * rowSize, end * rowSize));
  const split = {
    ...{ length: rows.count, inMemory: true, storedBytes: filled.byteLength, rowSize },
    readRange: async (start: number, end: number, out: Float32Array) => read(start, end, out),
    readRows: async (wanted: Uint32Array | readonly number[], out: Float32Array) => {
      for (const [i, row] of wanted.entries()) read(row, row + 1, out.subarray(i * rowSize));
    },
    labels: async () => undefined,
  };
  return fitPrincipalComponents({ split, components: Math.min(components, rowSize), gemm, onBlock: tick });
}

function repeated(row: Float32Array, count: number): Float32Array {
  const all = new Float32Array(row.length * count);
  for (let i = 0; i < count; i++) all.set(row, i * row.length);
  return all;
}

function byClass(
  names: readonly string[],
  labels: ArrayLike<number>,
  scores: readonly number[],
  threshold: number,
): { name: string; series: number; flagged: number }[] {
  return names.map((name, label) => {
    const own = scores.filter((_, i) => labels[i] === label);
    return { name, series: own.length, flagged: own.filter((score) => score > threshold).length };
  });
}

function histogramOf(scores: readonly number[], isAnomalous: readonly boolean[]) {
  const logs = scores.map((score) => Math.log10(Math.max(score, 1e-12)));
  const [low, high] = [Math.min(...logs), Math.max(...logs)];
  const counts = { ordinary: new Array<number>(bins).fill(0), anomalous: new Array<number>(bins).fill(0) };
  for (const [i, value] of logs.entries()) {
    const bin = Math.min(bins - 1, Math.floor(((value - low) / Math.max(high - low, 1e-12)) * bins));
    const own = counts[isAnomalous[i] ? 'anomalous' : 'ordinary'];
    own[bin] = (own[bin] as number) + 1;
  }
  return { from: 10 ** low, to: 10 ** high, ...counts };
}

interface Examined {
  readonly scores: readonly number[];
  readonly isAnomalous: readonly boolean[];
  readonly named: (row: number) => string | undefined;
  readonly shape: readonly [steps: number, channels: number];
}

/** A typical ordinary series, the one that comes back worst, and the same of anomalous ones. */
function examplesOf(rows: SeriesRows, answers: Float32Array, { scores, isAnomalous, named, shape }: Examined) {
  const [steps, channels] = shape;
  const chosen = [false, true].flatMap((anomalous) => {
    const order = [...scores.keys()]
      .filter((i) => isAnomalous[i] === anomalous)
      .sort((a, b) => (scores[a] as number) - (scores[b] as number));
    if (order.length === 0) return [];
    const kind = anomalous ? 'anomalous' : 'ordinary';
    const places: [string, number][] = [
      [`${kind}, median score`, Math.floor(order.length / 2)],
      [`${kind}, ${anomalous ? 'lowest' : 'highest'} score`, anomalous ? 0 : order.length - 1],
    ];
    return places.map(([what, place]) => ({ what, row: order[place] as number }));
  });
  return chosen.map(({ what, row }) => {
    const name = named(row);
    return {
      what: name === undefined ? what : `${what} (class ${name})`,
      score: scores[row] as number,
      ...firstChannel(rows.values, answers, row, steps, channels),
      seen: steps,
    };
  });
}
