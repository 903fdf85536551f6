/**
 * Answers predictions: reference → version in memory → checked rows → batch → checked answer.
 *
 * An answer is always finite. When a model gives NaN or infinity for rows of the range that it was trained on, the model is
 * at fault: the request fails with `internal`, the version is set aside, the bare name means the version before. When the rows
 * were far outside of that range, or codes of unknown range, the request is at fault and fails with `non-finite`: otherwise
 * one client could take a model away from all others by sending it large numbers.
 */

import type { Caller } from '../base/caller.ts';
import { HourglassError } from '../base/errors.ts';
import { float32 } from '../base/ndarray.ts';
import { firstPreprocessing } from '../picture/preprocessing.ts';
import type { Config } from '../platform/config.ts';
import type { Metrics } from '../platform/metrics.ts';
import type { Manifest, Operation } from '../registry/manifest.ts';
import { parseReference } from '../registry/reference.ts';
import type { Registry } from '../registry/registry.ts';
import type { ModelPool } from '../runtime/pool.ts';
import { BatchTraces } from '../telemetry/batches.ts';
import type { Tracing } from '../telemetry/tracing.ts';
import { answerShape } from './answer-shape.ts';
import { type BatchAnswer, Batcher } from './batcher.ts';
import { LaneLimits } from './lane-limits.ts';
import { isDamage, ModelCache } from './model-cache.ts';
import { PredictionObserver } from './prediction-observer.ts';
import type {
  Demand,
  Prediction,
  PredictionReceiver,
  Predictor,
  PredictRequest,
  PredictTarget,
  TurnRequest,
} from './predictor.ts';
import { expectedRange, rangeWarning } from './range-warning.ts';
import { overloadError, within } from './refusal.ts';
import { type CheckedRows, checkRows, findNonFinite, type RowRule } from './row-check.ts';
import { inputShapeOf, operationError, type ServedLane, type ServedModel, takesCodes } from './served-model.ts';
import { type Receiver, TurnBatcher } from './turn-batcher.ts';

export interface PredictorOptions {
  readonly registry: Registry;
  readonly pool: ModelPool;
  readonly config: Pick<
    Config,
    | 'defaultModel'
    | 'inlineModels'
    | 'maxBatch'
    | 'maxInFlight'
    | 'maxWaiting'
    | 'targetWaitMs'
    | 'batchRows'
    | 'batchWindowMs'
    | 'deadlineMs'
  >;
  readonly metrics?: Metrics;
  /** told of versions that were set aside because they are damaged */
  readonly warn?: (message: string, facts: Readonly<Record<string, unknown>>) => void;
  /** memory that waiting rows may take; default 256 MiB */
  readonly maxWaitingBytes?: number;
  /** absent: no spans are made of batches */
  readonly tracing?: Tracing | undefined;
}

/** What is the same for all requests of a lane. */
interface LaneFacts {
  readonly rule: RowRule;
  readonly target: PredictTarget;
}

const mostInFlight = 100_000;

/** Ordinary runs take milliseconds. */
const stuckMs = 5000;

/** for how long a list of the models there are is believed */
const namesHoldMs = 1000;

/** What waits and runs, of all tenants together. */
interface Runs {
  readonly batcher: Batcher<ServedLane>;
  readonly turns: TurnBatcher<ServedLane>;
  readonly limits: LaneLimits<ServedLane>;
  readonly observer: PredictionObserver;
  lookingUp: number;
}

export class ModelPredictor implements Predictor {
  readonly maxBatch: number;
  readonly #options: PredictorOptions;
  readonly #models: ModelCache;
  readonly #runs: Runs;
  readonly #facts = new WeakMap<ServedLane, LaneFacts>();
  #names: { readonly names: readonly string[]; readonly until: number } | undefined;

  /** `runs`: of a predictor of another tenant, with which it shares threads, limits and waiting room */
  constructor(options: PredictorOptions, runs?: Runs) {
    const { registry, pool, config, metrics, warn } = options;
    this.#options = options;
    this.maxBatch = config.maxBatch;
    this.#models = new ModelCache({
      registry,
      pool,
      onLoad(_model, seconds, error) {
        metrics?.count('modelLoads', 1, { outcome: error === undefined ? 'ok' : 'failed' });
        metrics?.observe('modelLoadDuration', seconds);
      },
      onSetAside: (model, error) => warn?.('A model version is set aside: it is damaged', { model, err: error }),
    });
    if (!runs) metrics?.beforeRead(() => metrics.set('modelsLoaded', pool.loaded));
    this.#runs = runs ?? openRuns(options);
  }

  /** Answers for another tenant, whose models `registry` has. The setting of a default model names one of the tenant `default`. */
  forTenant(registry: Registry): Predictor {
    const { config, ...others } = this.#options;
    return new ModelPredictor({ ...others, registry, config: { ...config, defaultModel: null } }, this.#runs);
  }

  async resolve(caller: Caller, operation: Operation, model?: string): Promise<PredictTarget> {
    const manifest = await this.versionOf(caller, model);
    if (!manifest.operations.includes(operation)) throw operationError(manifest, operation);
    return targetOf(manifest, operation);
  }

  async versionOf(_caller: Caller, model?: string): Promise<Manifest> {
    return this.#current(model)?.manifest ?? this.#models.resolve(await this.#reference(model));
  }

  setAside(_caller: Caller, damaged: Manifest, error: HourglassError): void {
    this.#models.setAside(damaged, error);
  }

  predict(caller: Caller, request: PredictRequest): Promise<Prediction> {
    return new Promise((resolve, reject) => {
      const receiver: PredictionReceiver = {
        answered: (prediction) => {
          const { dtype, shape, data } = prediction.outputs;
          resolve({ ...prediction, outputs: { dtype, shape, data: data.slice() } });
        },
        failed: reject,
      };
      if (!this.predictInTurn(caller, request, receiver)) this.#predictSlowly(caller, request).then(resolve, reject);
    });
  }

  predictInTurn(
    { traceparent }: Caller,
    { operation, model, inputs: given, demand, mostValues = Number.POSITIVE_INFINITY }: TurnRequest,
    receiver: PredictionReceiver,
  ): boolean {
    const served = this.#current(model);
    if (!served) return false;
    const lane = served.lane(operation);
    this.#runs.limits.requireRoom(lane);
    const { target, rule } = this.#factsOf(lane);
    const inputs = typeof given === 'function' ? given(target) : given;
    const checked = checkRows(inputs, rule);
    if (!this.#runsHere(lane, checked.rows) || checked.rows * lane.outputSize > mostValues) return false;
    reserveAnswer(lane, checked.rows, demand);
    const limit = this.#runs.limits.enter(lane);
    const waiting: Receiver = {
      answered: (data, finite) => {
        limit.leave();
        try {
          receiver.answered(this.#prediction(served, operation, inputs, checked, { data, finite }));
        } catch (error) {
          receiver.failed(error);
        }
      },
      unloaded: () => {
        limit.leave();
        // An answer that finds no room is refused as one that fails.
        this.#answer(served, operation, inputs, demand, traceparent)
          .then((prediction) => receiver.answered(prediction))
          .catch((error: unknown) => receiver.failed(error));
      },
      failed: (error) => {
        limit.leave();
        receiver.failed(error);
      },
    };
    try {
      this.#runs.turns.add(lane, inputs.data, checked.rows, waiting, demand, traceparent);
    } catch (error) {
      limit.leave();
      throw error;
    }
    return true;
  }

  async #predictSlowly(
    { traceparent }: Caller,
    { operation, model, inputs, demand }: PredictRequest,
  ): Promise<Prediction> {
    const reference = await this.#reference(model);
    const { kind } = parseReference(reference);
    for (;;) {
      const served = await this.#served(reference, demand);
      try {
        return await this.#answer(served, operation, inputs, demand, traceparent);
      } catch (error) {
        if (!isDamage(error)) throw error;
        // The pool had dropped the model, and its files could not be read again.
        this.#models.setAside(served.manifest, error);
        if (kind !== 'newest') throw error;
      }
    }
  }

  threads(): { readonly count: number; readonly stuck: number } {
    const { pool } = this.#options;
    return { count: pool.threads, stuck: pool.slowThreads(stuckMs) };
  }

  async load(_caller: Caller, model: string): Promise<void> {
    await this.#served(model, undefined);
  }

  async unload(_caller: Caller, model: string): Promise<void> {
    await this.#models.unload(await this.#models.resolve(model));
  }

  /** Finishes what is in flight; the pool and the registry are the caller's. */
  async close(): Promise<void> {
    await Promise.all([this.#runs.turns.close(), this.#runs.batcher.close()]);
  }

  /** Finding the version takes long only when it has to be loaded; that waits as everything does, in bounds. */
  async #served(reference: string, demand: Demand | undefined): Promise<ServedModel> {
    const { deadlineMs, maxWaiting } = this.#options.config;
    if (this.#runs.lookingUp >= maxWaiting) throw overloadError(this.#runs.lookingUp, 1);
    this.#runs.lookingUp++;
    try {
      return await within(this.#models.get(reference), deadlineMs, demand?.signal);
    } finally {
      this.#runs.lookingUp--;
    }
  }

  async #answer(
    served: ServedModel,
    operation: Operation,
    inputs: PredictRequest['inputs'],
    demand: Demand | undefined,
    trace: string | undefined,
  ): Promise<Prediction> {
    const lane = served.lane(operation);
    const checked = checkRows(inputs, this.#factsOf(lane).rule);
    const { rows } = checked;
    reserveAnswer(lane, rows, demand);
    const runsHere = this.#runsHere(lane, rows);
    const limit = this.#runs.limits.enter(lane);
    try {
      const here = runsHere ? await this.#runs.turns.submit(lane, inputs.data, rows, demand, trace) : undefined;
      const answer = here ?? (await this.#runs.batcher.submit(lane, inputs.data, rows, demand?.signal, trace));
      return this.#prediction(served, operation, inputs, checked, answer);
    } finally {
      limit.leave();
    }
  }

  #runsHere(lane: ServedLane, rows: number): boolean {
    return lane.isShort && this.#options.config.inlineModels && this.#runs.turns.takes(lane, rows);
  }

  #factsOf(lane: ServedLane): LaneFacts {
    const known = this.#facts.get(lane);
    if (known) return known;
    const { operation, model } = lane;
    const noun = takesCodes(operation) ? 'code' : 'input';
    const shape = inputShapeOf(model.manifest, operation);
    const range = expectedRange(model.manifest, operation);
    const mayMiss = noun === 'input' && model.manifest.operations.includes('series');
    const rule: RowRule = {
      ...{ model: model.key, noun, shape, maxBatch: this.maxBatch, mayMiss },
      ...(range && { range }),
    };
    const facts = { rule, target: targetOf(model.manifest, operation) };
    this.#facts.set(lane, facts);
    return facts;
  }

  #prediction(
    served: ServedModel,
    operation: Operation,
    inputs: PredictRequest['inputs'],
    { rows, outside }: CheckedRows,
    { data, finite }: BatchAnswer,
  ): Prediction {
    const { manifest } = served;
    const { name: model, version, inputShape: rowShape } = manifest;
    if (!finite && findNonFinite(data) >= 0) throw this.#nonFiniteAnswer(served, operation, inputs.data);
    this.#runs.observer.answered(operation, rows);
    const outputs = float32(answerShape(manifest, operation, inputs.shape), data);
    const prediction: Prediction = { model, version, outputs, rowShape };
    if (operation !== 'classify' && !outside) return prediction;
    return {
      ...prediction,
      ...(operation === 'classify' && manifest.classes && { classes: manifest.classes }),
      ...(outside && { warnings: [rangeWarning(manifest, outside)] }),
    };
  }

  #nonFiniteAnswer(served: ServedModel, operation: Operation, inputs: Float32Array): HourglassError {
    const [low, high] = served.manifest.inputRange;
    const span = high - low;
    const ordinary = !takesCodes(operation) && inputs.every((value) => value >= low - span && value <= high + span);
    if (!ordinary) {
      const trained = takesCodes(operation) ? '' : ` It was trained on values from ${low} to ${high}.`;
      return new HourglassError(
        'non-finite',
        `${served.key} has no finite answer to these values: some are too large.${trained} Scale them down.`,
        { expected: served.manifest.inputRange },
      );
    }
    this.#models.setAside(served.manifest, served.damaged('it gave numbers that are not finite'));
    return new HourglassError(
      'internal',
      `${served.key} gave numbers that are not finite and is out of service. Try again: an earlier version may answer.`,
    );
  }

  /** Throws `model-required`, `model-not-found`. */
  async #reference(model: string | undefined): Promise<string> {
    const named = model ?? this.#options.config.defaultModel;
    if (named !== null) return named;
    const names = await this.#modelNames();
    const [name] = names;
    if (name === undefined) {
      throw new HourglassError('model-not-found', 'There is no model yet. Train one with POST /v1/jobs.', {
        field: 'model',
      });
    }
    if (names.length > 1) {
      const some = names.slice(0, 10);
      throw new HourglassError(
        'model-required',
        `There are ${names.length} models and none is the default. Name one, such as ${some.join(', ')}.`,
        { field: 'model', expected: some },
      );
    }
    return name;
  }

  #current(model: string | undefined): ServedModel | undefined {
    const reference = model ?? this.#options.config.defaultModel ?? this.#onlyModel();
    return reference === undefined ? undefined : this.#models.current(reference);
  }

  /** The name of the only model, when that was looked up a moment ago. */
  #onlyModel(): string | undefined {
    if (!this.#names || this.#names.names.length > 1 || this.#names.until <= performance.now()) return undefined;
    return this.#names.names[0];
  }

  async #modelNames(): Promise<readonly string[]> {
    if (this.#names && this.#names.until > performance.now()) return this.#names.names;
    const names = await this.#options.registry.listModels();
    // the first model shows at once
    if (names.length > 0) this.#names = { names, until: performance.now() + namesHoldMs };
    return names;
  }
}

function openRuns({ pool, config, metrics, tracing, maxWaitingBytes = 256 * 2 ** 20 }: PredictorOptions): Runs {
  const limits = new LaneLimits<ServedLane>({
    fixed: config.maxInFlight,
    targetMs: config.targetWaitMs,
    // What waits is bounded by the batchers, whatever this comes to.
    most: mostInFlight,
  });
  const observer = new PredictionObserver(limits, metrics, tracing && new BatchTraces(tracing));
  const { batchRows: maxRows, maxWaiting, deadlineMs } = config;
  return {
    ...{ limits, observer, lookingUp: 0 },
    turns: new TurnBatcher({ maxRows, maxWaiting, deadlineMs, observer }),
    batcher: new Batcher({
      ...{ slots: pool.threads, maxRows, maxWaiting, maxWaitingBytes, deadlineMs, observer },
      windowMs: config.batchWindowMs,
    }),
  };
}

/** Smaller answers are counted once they are there. */
const reservedFrom = 32 * 1024;

/** Throws `overloaded` when the answer would find no room: before it is computed. */
function reserveAnswer({ outputSize }: ServedLane, rows: number, demand: Demand | undefined): void {
  const bytes = rows * outputSize * Float32Array.BYTES_PER_ELEMENT;
  if (bytes > reservedFrom) demand?.reserve?.(bytes);
}

function targetOf(manifest: Manifest, operation: Operation): PredictTarget {
  const { name, version, inputRange, preprocessing = firstPreprocessing } = manifest;
  return { model: name, version, inputShape: inputShapeOf(manifest, operation), inputRange, preprocessing };
}
