/**
 * One attempt at a job, inside the process that may die:
 *
 *   fence ─► published already? ─► data set ─► train (resumes) ─► evaluate ─► codec ─► fence ─► publish
 */

import { setTimeout as delay } from 'node:timers/promises';
import { HourglassError } from '../base/errors.ts';
import type { OutlierCalibration } from '../base/outliers.ts';
import { type RecommenderFacts, recommenderFile } from '../base/recommender.ts';
import { writeSafetensors } from '../base/safetensors.ts';
import { textFiles } from '../base/text-index.ts';
import { vocabularyFile, wordRules } from '../base/words.ts';
import { type Bundle, buildBundle } from '../bundle/bundle.ts';
import { buildTextBundle } from '../bundle/text-bundle.ts';
import type { Dataset, DatasetInfo } from '../data/dataset.ts';
import { createDatasetStore } from '../data/store.ts';
import { engineRevision } from '../engine/engine.ts';
import type { JobProgress } from '../jobspec/job.ts';
import type { SequenceModel } from '../jobspec/sequence-model.ts';
import type { TextCode } from '../models/plan.ts';
import type { Manifest } from '../registry/manifest.ts';
import { type Publication, Registry } from '../registry/registry.ts';
import { checkRoom } from '../registry/room.ts';
import { evaluateDocuments } from '../report/documents.ts';
import { evaluateModel } from '../report/evaluate.ts';
import type { Evaluation, EvaluationFacts } from '../report/evaluation.ts';
import { evaluateRecommender } from '../report/recommender.ts';
import { openReconstruction } from '../report/reconstruction.ts';
import { evaluateSeries } from '../report/series.ts';
import { evaluateTranslations } from '../report/translation.ts';
import type { Stores } from '../store/contract.ts';
import { openStores } from '../store/open.ts';
import { RequestTally } from '../store/request-metrics.ts';
import { ordinaryRows, type TrainedModel, trainJob } from '../train/job.ts';
import { openEngine } from './engine-choice.ts';
import { trainPictures } from './picture-training.ts';
import type { Assignment, FromChild, PublishedVersion } from './protocol.ts';
import { trainRestorations } from './restoration-training.ts';

export interface TrainingOptions {
  readonly assignment: Assignment;
  /** aborted with `cancelled`: stops after a last checkpoint */
  readonly signal: AbortSignal;
  readonly tell: (message: FromChild) => void;
}

type Trained = Extract<FromChild, { type: 'done' | 'trained' }>;

/** Share of the whole that training takes, in percent; the rest is for evaluation and publishing. */
const trainingShare = 97;

const nothingYet: JobProgress = { phase: 'data', epoch: 0, epochs: 0, step: 0, steps: 0, percent: 0 };

const tellRequestsMs = 2000;

/** As `train`; also tells the worker how the bucket was used, every two seconds and at the end. */
export async function runTraining(options: TrainingOptions): Promise<Trained> {
  const tally = new RequestTally();
  const tell = (): void => {
    const requests = tally.take();
    if (requests.length > 0) options.tell({ type: 'requests', requests });
  };
  const timer = setInterval(tell, tellRequestsMs);
  try {
    return await train(options, await openStores(options.assignment.stores, tally.observe));
  } finally {
    clearInterval(timer);
    tell();
  }
}

/**
 * Throws FencedError when a later attempt has begun, `cancelled` when the signal was aborted, `quota-exceeded`, and what `trainJob`,
 * `DatasetStore.open` and `Registry.publish` throw.
 */
async function train({ assignment, signal, tell }: TrainingOptions, stores: Stores): Promise<Trained> {
  const { id, attempt, spec, run, checkpoints, release, isTrial, mostModelBytes } = assignment;
  const fence = await stores.jobs.begin(id, attempt);
  const registry = await Registry.open(stores.versions, { orphanAgeMs: 'never' });
  const earlier = await registry.versionOfJob(spec.name, id);
  if (earlier) return { type: 'done', published: publishedAs(earlier) };
  // Many jobs may have been queued while there was room.
  if (mostModelBytes !== null && !isTrial) await checkRoom(registry, mostModelBytes);

  let progress = nothingYet;
  const advance = (to: Partial<JobProgress>): void => {
    progress = { ...progress, ...to };
    tell({ type: 'progress', progress });
  };
  advance({});
  const dataset = await createDatasetStore({ files: stores.datasets, builtIns: stores.builtIns }).open(spec.dataset);
  try {
    signal.throwIfAborted();
    const { model } = spec;
    if (model.type === 'picture' || model.type === 'restoration') {
      const parts = { assignment, stores, fence, dataset, signal, tell, advance };
      const { metrics, publication } = await (model.type === 'picture'
        ? trainPictures({ ...parts, model })
        : trainRestorations({ ...parts, model }));
      if (!publication) {
        advance({ phase: 'done', percent: 100, etaSeconds: 0 });
        return { type: 'trained', metrics };
      }
      advance({ phase: 'publish', percent: 99 });
      const published = await whenThere(signal, async () => {
        await fence.check();
        return publishOnce(registry, spec.name, id, publication);
      });
      advance({ phase: 'done', percent: 100, etaSeconds: 0 });
      return { type: 'done', published: publishedAs(published) };
    }
    const engine = await openEngine(assignment.engine);
    try {
      const trained = await trainJob({
        spec,
        dataset,
        engine,
        release,
        checkpoints: stores.jobs.checkpoints(checkpoints.job, checkpoints.run, fence),
        checkpointSeconds: assignment.checkpointSeconds,
        onCheckpoint: (position) => tell({ type: 'checkpoint', mark: `${run}/${JSON.stringify(position)}` }),
        signal,
        onProgress: (trained) => advance({ ...trained, percent: (trained.percent * trainingShare) / 100 }),
        onEpoch: (epoch) => tell({ type: 'epoch', epoch }),
        ...(!isTrial && { onSample: (rows, sample) => tell({ type: 'sample', rows, sample }) }),
        log: (message) => console.log(message),
      });
      if (isTrial) {
        advance({ phase: 'done', percent: 100, etaSeconds: 0 });
        return { type: 'trained', metrics: trained.metrics };
      }
      signal.throwIfAborted();
      advance({ phase: 'evaluate', percent: trainingShare });
      const { model } = spec;
      const isSeries = model.type === 'sequence';
      const bundle =
        trained.scores || trained.text || model.type === 'sequence-to-sequence'
          ? undefined
          : await bundleOf(assignment, isSeries ? await ordinaryRows(spec, dataset) : dataset, trained);
      const parts = { assignment, stores, dataset, trained, bundle, signal };
      const evaluation = trained.scores
        ? await evaluateScores(parts, trained.scores)
        : trained.text
          ? await evaluateTexts(parts, trained.text)
          : isSeries
            ? await evaluateSequences(parts, model)
            : model.type === 'sequence-to-sequence'
              ? await evaluatePairs(parts)
              : await evaluate(parts);
      signal.throwIfAborted();

      advance({ phase: 'publish', percent: 99 });
      const publication: Publication = {
        files: {
          ...trained.files,
          ...evaluation.files,
          ...bundle?.files,
          'weights.safetensors': writeSafetensors(trained.weights),
        },
        meta: {
          operations: [...trained.operations],
          inputShape: [...trained.inputShape],
          codeShape: [...trained.codeShape],
          inputRange: [dataset.info.range[0], dataset.info.range[1]],
          inputScaling: { ...dataset.info.scaling },
          ...(dataset.info.preprocessing && { preprocessing: dataset.info.preprocessing }),
          ...(trained.operations.includes('classify') && { classes: classNamesOf(dataset.info) }),
          ...(model.type === 'sequence-to-sequence' && {
            translates: { beams: model.beams, symbols: dataset.info.pairs?.targetLength ?? 1 },
          }),
          ...(trained.text && { text: textFactsOf(trained, trained.text) }),
          lineage: {
            jobId: id,
            spec,
            seed: spec.training.seed,
            dataset: { name: dataset.info.name, hash: dataset.info.hash },
            hourglass: release,
            engine: `${engine.name}/${engine.device}`,
            engineRevision,
          },
          metrics: { ...trained.metrics, ...evaluation.metrics },
          ...(bundle && { codec: bundle.codec }),
        },
      };
      const published = await whenThere(signal, async () => {
        await fence.check();
        return publishOnce(registry, spec.name, id, publication);
      });
      advance({ phase: 'done', percent: 100, etaSeconds: 0 });
      return { type: 'done', published: publishedAs(published) };
    } finally {
      await engine.dispose();
    }
  } finally {
    await dataset.close();
  }
}

interface EvaluationParts {
  readonly assignment: Assignment;
  readonly stores: Stores;
  readonly dataset: Dataset;
  readonly trained: TrainedModel;
  readonly bundle: Bundle | undefined;
  readonly signal: AbortSignal;
}

/** Scores on the test rows, the PCA baseline, pictures: of the very files that are published. */
async function evaluate(parts: EvaluationParts): Promise<Evaluation> {
  const { assignment, stores, dataset, trained, bundle } = parts;
  const { files, inputShape, codeShape, metrics } = trained;
  const [encoder, decoder] = [files['encoder.onnx'], files['decoder.onnx']];
  if (!encoder || !decoder) throw new Error('a trained model has an encoder and a decoder');
  const model = openReconstruction({ encoder, decoder, inputShape, codeShape }, assignment.engine.threads);
  const { parameters } = metrics;
  const calibration = files['outliers.json'];
  try {
    return await evaluateModel({
      ...factsOf(parts),
      ...{ dataset, model, codeShape, results: stores.results },
      ...(bundle && { frames: bundle.codec.qualities }),
      ...(calibration && { outliers: JSON.parse(Buffer.from(calibration).toString()) as OutlierCalibration }),
      ...(parameters !== undefined && { parameters }),
    });
  } finally {
    model.dispose();
  }
}

/** What is told to the evaluation of any model. */
function factsOf({ assignment, trained: { epochs, metrics }, signal }: EvaluationParts): EvaluationFacts {
  const { id: jobId, spec, release: hourglass, engine } = assignment;
  const seconds = metrics['train.seconds'];
  const createdAt = new Date().toISOString();
  const origin = { jobId, hourglass, createdAt, ...(seconds !== undefined && { seconds }) };
  return { spec, epochs, threads: engine.threads, origin, signal };
}

/** The same of a model that recommends, with what `recommend` needs to know of the items. */
async function evaluateScores(
  parts: EvaluationParts,
  scores: RecommenderFacts['scores'],
): Promise<Pick<Evaluation, 'files' | 'metrics'>> {
  const { dataset, trained } = parts;
  const { ratings, info } = dataset;
  if (!ratings || !info.ratings) throw new Error('a model that recommends was trained without ratings');
  const facts: RecommenderFacts = { scores, range: info.ratings.range, items: await ratings.items() };
  const evaluated = await evaluateRecommender({
    ...factsOf(parts),
    ...{ info, ratings, facts },
    recommender: trained.files['recommender.onnx'] ?? new Uint8Array(),
    codeShape: trained.codeShape,
    parameters: trained.metrics.parameters ?? 0,
  });
  return {
    metrics: evaluated.metrics,
    files: { ...evaluated.files, [recommenderFile]: Buffer.from(JSON.stringify(facts)) },
  };
}

/** The same of a model of documents, with what `analyse` needs to know of its words and documents. */
async function evaluateTexts(parts: EvaluationParts, codes: TextCode): Promise<Pick<Evaluation, 'files' | 'metrics'>> {
  const { dataset, trained } = parts;
  const { documents, info } = dataset;
  const { 'encoder.onnx': encoder, 'decoder.onnx': decoder } = trained.files;
  if (!documents || !encoder || !decoder) throw new Error('a model of documents was trained without documents');
  const { inputShape, codeShape, metrics } = trained;
  const evaluated = await evaluateDocuments({
    ...factsOf(parts),
    ...{ info, documents, codes, encoder, decoder, metrics },
    codeSize: codeShape[0] ?? 0,
  });
  const carried = [vocabularyFile, textFiles.facts].map((name) => [name, evaluated.files[name] as Uint8Array]);
  const files = { 'encoder.onnx': encoder, ...Object.fromEntries(carried) };
  const bundle = await buildTextBundle({ name: parts.assignment.spec.name, inputShape, codeShape, codes, files });
  return { metrics: evaluated.metrics, files: { ...evaluated.files, 'bundle.tar': bundle } };
}

/** The same of a model of series, with what `series` needs to know of its data. */
async function evaluateSequences(
  parts: EvaluationParts,
  model: SequenceModel,
): Promise<Pick<Evaluation, 'files' | 'metrics'>> {
  const { assignment, dataset, trained, bundle } = parts;
  const { 'encoder.onnx': encoder, 'decoder.onnx': decoder } = trained.files;
  if (!encoder || !decoder) throw new Error('a trained model of series has an encoder and a decoder');
  return evaluateSeries({
    ...factsOf(parts),
    ...{ model, dataset, ordinary: await ordinaryRows(assignment.spec, dataset), encoder, decoder },
    ...(bundle && { frames: bundle.codec.qualities }),
    parameters: trained.metrics.parameters ?? 0,
  });
}

/** The same of a model of pairs, with the symbols that `translate` needs. */
async function evaluatePairs(parts: EvaluationParts): Promise<Pick<Evaluation, 'files' | 'metrics'>> {
  const { dataset, trained } = parts;
  const { pairs, info } = dataset;
  const { 'translator.onnx': translator } = trained.files;
  if (!pairs || !info.pairs || !translator) throw new Error('a model that translates was trained without pairs');
  return evaluateTranslations({
    ...factsOf(parts),
    ...{ info, facts: info.pairs, pairs, test: dataset.split('test'), translator },
    codeSize: trained.codeShape[0] ?? 0,
    parameters: trained.metrics.parameters ?? 0,
  });
}

const textFactsOf = ({ inputShape }: TrainedModel, codes: TextCode) => ({
  ...{ vocabulary: vocabularyFile, words: inputShape[0] ?? 0, rules: wordRules, codes },
});

/** Undefined, with a warning in the job's log, when codes of this model cannot be sent as frames: it is published all the same. */
async function bundleOf(
  { spec, engine: { threads } }: Assignment,
  dataset: Dataset,
  { files, inputShape, codeShape, quantiser }: TrainedModel,
): Promise<Bundle | undefined> {
  const [encoder, decoder] = [files['encoder.onnx'], files['decoder.onnx']];
  if (!encoder || !decoder) return undefined;
  try {
    return await buildBundle({
      ...{ name: spec.name, dataset, threads, inputShape, codeShape, encoder, decoder },
      ...(quantiser && { quantiser }),
    });
  } catch (error) {
    if (!(error instanceof HourglassError) || error.code !== 'operation-not-supported') throw error;
    console.warn(error.message);
    return undefined;
  }
}

/** How long a publication waits for a store that is away, before the job is put back. */
const publishPatienceMs = 120_000;
const publishRetryMs = 2000;

/** Tries again while the store is away. */
async function whenThere<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  const until = performance.now() + publishPatienceMs;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      const isAway = error instanceof HourglassError && error.code === 'storage-unavailable';
      if (!isAway || performance.now() > until) throw error;
    }
    await delay(publishRetryMs);
    signal.throwIfAborted();
  }
}

/** A class without a name is called by its number. */
const classNamesOf = ({ classes = 0, classNames = [] }: DatasetInfo): string[] =>
  Array.from({ length: classes }, (_, i) => classNames[i] ?? String(i));

/** An earlier attempt may publish at the same time, with reports that name other times: the first one counts. */
async function publishOnce(registry: Registry, name: string, id: string, publication: Publication): Promise<Manifest> {
  try {
    return await registry.publish(name, publication);
  } catch (error) {
    const earlier = await registry.versionOfJob(name, id);
    if (earlier) return earlier;
    throw error;
  }
}

const publishedAs = ({ name, version, metrics, operations }: Manifest): PublishedVersion => ({
  model: name,
  version,
  metrics,
  operations,
});
