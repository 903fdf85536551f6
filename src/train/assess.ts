/** The figures of a trained model on test rows, which no training and no choice has seen. */

import type { NdArrays } from '../base/ndarray.ts';
import type { Dataset } from '../data/dataset.ts';
import type { Engine } from '../engine/engine.ts';
import type { JobSpec } from '../jobspec/job.ts';
import type { Phase } from '../models/objective.ts';
import type { Plan } from '../models/plan.ts';
import { codeFiles } from './code-files.ts';
import { encodeRows, nearestNeighbours } from './codes.ts';
import { Evaluation } from './evaluation.ts';
import type { RowRange } from './feeder.ts';
import { linearProbe } from './linear-probe.ts';

export interface AssessOptions {
  readonly plan: Plan;
  readonly spec: JobSpec;
  readonly dataset: Dataset;
  readonly engine: Engine;
  readonly weights: NdArrays;
  /** rows that the model was trained on */
  readonly training: RowRange;
  /** called now and then; a throw ends it */
  readonly tick?: (() => void) | undefined;
}

type Metrics = Record<string, number>;

export interface Assessment {
  readonly metrics: Metrics;
  /** codes, where the job asks for them */
  readonly files: Readonly<Record<string, Uint8Array>>;
}

/**
 * `test.reconstruction.loss`, `test.classifier.error`, `test.bound.loss` … as the phases measure them, and what the job's
 * `evaluation` asks for: `test.probe.error`, `test.neighbours.error`, `test.nll` (nats per row), the codes as files.
 */
export async function assess(options: AssessOptions): Promise<Assessment> {
  const measurable = options.dataset.info.rows.test > 0;
  const codes = await assessCodes(options);
  return {
    metrics: {
      ...(measurable && (await measurePhases(options))),
      ...codes.metrics,
      ...(measurable && (await measureLikelihood(options))),
    },
    files: codes.files,
  };
}

async function measurePhases(options: AssessOptions): Promise<Metrics> {
  const metrics: Metrics = {};
  for (const phase of options.plan.phases) {
    if (!phase.report) continue;
    for (const [name, value] of Object.entries(await measure(options, phase, phase.batchSize))) {
      metrics[`test.${phase.report}.${name}`] = value;
    }
  }
  return metrics;
}

async function measure(
  { dataset, engine, spec, weights, tick }: AssessOptions,
  phase: Phase,
  batch: number,
): Promise<Metrics> {
  const rows = dataset.info.rows.test;
  const evaluation = await Evaluation.compile(phase, {
    engine,
    dataset,
    split: 'test',
    range: { start: 0, end: rows },
    batch: Math.min(batch, rows),
    seed: spec.training.seed,
    tick,
  });
  try {
    return await evaluation.measure(weights);
  } finally {
    await evaluation.dispose();
  }
}

async function assessCodes(options: AssessOptions): Promise<Assessment> {
  const { plan, spec, dataset, engine, weights, training, tick } = options;
  const { linearProbe: probe, neighbours, codes: format } = spec.training.evaluation;
  if (!probe && neighbours === 0 && format === 'none') return { metrics: {}, files: {} };
  const common = { engine, dataset, model: plan.autoencoder, weights, tick };
  const train = await encodeRows({ ...common, split: 'train', range: training });
  const test = await encodeRows({ ...common, split: 'test', range: { start: 0, end: dataset.info.rows.test } });
  const files = format === 'none' ? {} : { ...codeFiles(train, 'train', format), ...codeFiles(test, 'test', format) };
  const metrics: Metrics = {};
  if (test.rows === 0) return { metrics, files };
  if (neighbours > 0)
    metrics['test.neighbours.error'] = await nearestNeighbours(engine, train, test, { k: neighbours, tick });
  if (probe)
    metrics['test.probe.error'] = await linearProbe({ engine, train, test, classes: dataset.info.classes ?? 0, tick });
  return { metrics, files };
}

/** Rows of a step times samples of a row: what fits into the memory of a small machine. */
const samplesPerStep = 5000;

async function measureLikelihood(options: AssessOptions): Promise<Metrics> {
  const { importanceSamples } = options.spec.training.evaluation;
  const likelihood = options.plan.likelihoodPhase?.(importanceSamples);
  if (!likelihood || importanceSamples === 0) return {};
  const batch = Math.max(1, Math.floor(samplesPerStep / importanceSamples));
  const { loss } = await measure(options, likelihood, batch);
  return { 'test.nll': loss ?? Number.NaN };
}
