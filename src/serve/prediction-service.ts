/**
 * The one use case of all transports that predict: a transport parses its request into a question, asks it here as a caller,
 * and renders the answer. Knows nothing of HTTP, gRPC or media types.
 *
 *   parse ─► predict | generate | encodeFrame | decodeFrame (caller, question) ─► render
 */

import type { Caller } from '../base/caller.ts';
import type { NdArray } from '../base/ndarray.ts';
import type { Operation, RowOperation } from '../registry/manifest.ts';
import type { Registry } from '../registry/registry.ts';
import type { WebpCoder } from './alternatives.ts';
import { type AnalyseRequest, type Analysis, AnalysisService } from './analyse.ts';
import type { FrameTarget } from './frame-choice.ts';
import { type EncodedFrame, FrameCodec } from './frame-codec.ts';
import { drawSeed, generate } from './generate.ts';
import { type Outlier, OutlierRater } from './outliers.ts';
import { PictureCodecs } from './pictures.ts';
import { type PredictionStatistics, StatisticsTable } from './prediction-statistics.ts';
import type { Demand, Prediction, PredictionReceiver, Predictor, PredictTarget, TurnRequest } from './predictor.ts';
import { type Recommendation, RecommendationService, type RecommendRequest } from './recommend.ts';
import { PictureRestorers } from './restorers.ts';
import { charged, type RowQuota } from './row-quota.ts';
import { type SeriesAnswer, type SeriesRequest, SeriesService } from './series.ts';
import { type TranslateRequest, TranslationService, type Translations } from './translate.ts';

type Rows = NdArray<'float32'>;

/** Rows with a shape of their own, or a function that makes them once the model is known: raw bytes, pictures. */
export type RowSource = Rows | ((target: PredictTarget) => Rows | Promise<Rows>);

interface Question {
  /** `digits`, `digits@2`, `digits:stable`; absent: the default model, else the only one */
  readonly model?: string | undefined;
  readonly demand?: Demand;
}

/** Whether `Answer.target` is wanted: rendering pictures needs it. */
interface Rendering {
  readonly withTarget?: boolean;
}

export interface PredictQuestion extends Question, Rendering {
  readonly operation: RowOperation;
  readonly rows: RowSource;
  /** also say how unusual each row is */
  readonly rateOutliers?: boolean;
}

export interface GenerateQuestion extends Question, Rendering {
  /** rows to make */
  readonly count: number;
  /** absent: one is drawn */
  readonly seed?: number | undefined;
}

export interface EncodeFrameQuestion extends Question {
  readonly rows: RowSource;
  readonly target: FrameTarget;
}

export interface DecodeFrameQuestion extends Question, Rendering {
  readonly frame: Uint8Array;
}

export interface Answer {
  readonly prediction: Prediction;
  /** the version that answered, when the question wanted it */
  readonly target?: PredictTarget;
}

export interface PredictAnswer extends Answer {
  readonly outliers?: readonly Outlier[];
}

export interface GenerateAnswer extends Answer {
  readonly seed: number;
}

export interface PredictionServiceOptions {
  readonly registry: Registry;
  readonly predictor: Predictor;
  /** absent: WebP is not offered where a model falls short */
  readonly webp?: WebpCoder;
  /** that of another tenant, with which it shares threads for pictures */
  readonly others?: PredictionService;
  /** absent: as many rows as the models can answer */
  readonly quota?: RowQuota | undefined;
}

export class PredictionService {
  readonly pictures: PictureCodecs;
  readonly restorers: PictureRestorers;
  readonly #predictor: Predictor;
  readonly #frames: FrameCodec;
  readonly #rater: OutlierRater;
  readonly #recommendations: RecommendationService;
  readonly #analyses: AnalysisService;
  readonly #series: SeriesService;
  readonly #translations: TranslationService;
  readonly #statistics = new StatisticsTable();
  readonly #quota: RowQuota | undefined;

  constructor(options: PredictionServiceOptions) {
    this.#predictor = options.predictor;
    this.#quota = options.quota;
    const { others, ...own } = options;
    this.pictures = new PictureCodecs({ ...own, ...(others && { others: others.pictures }) });
    this.restorers = new PictureRestorers({ ...own, ...(others && { others: others.restorers }) });
    this.#frames = new FrameCodec(options);
    this.#rater = new OutlierRater(options);
    this.#recommendations = new RecommendationService(options);
    this.#analyses = new AnalysisService(options);
    this.#series = new SeriesService(options);
    this.#translations = new TranslationService(options);
  }

  /** Waits for pictures that are in work, of tenants with which it shares threads too. */
  close(): Promise<void> {
    return Promise.all([this.pictures.close(), this.restorers.close()]).then(() => {});
  }

  /** rows per request allowed */
  get maxBatch(): number {
    return this.#predictor.maxBatch;
  }

  /** The version that would answer. Throws what `Predictor.resolve` throws. */
  resolve(caller: Caller, operation: Operation, model?: string): Promise<PredictTarget> {
    return this.#predictor.resolve(caller, operation, model);
  }

  load(caller: Caller, model: string): Promise<void> {
    return this.#predictor.load(caller, model);
  }

  unload(caller: Caller, model: string): Promise<void> {
    return this.#predictor.unload(caller, model);
  }

  /** Of each version and operation that has answered rows since the start. */
  statistics(): PredictionStatistics[] {
    return [...this.#statistics.entries()];
  }

  /** Throws what `Predictor.predict` and `question.rows` throw. */
  async predict(caller: Caller, question: PredictQuestion): Promise<PredictAnswer> {
    const start = performance.now();
    const answer = await this.#predict(caller, question);
    this.#statistics.count(answer.prediction, question.operation, performance.now() - start);
    return answer;
  }

  /**
   * As `predict` without pictures or ratings, where `Predictor.predictInTurn` can and the quota has room: else false, and nothing
   * is done.
   */
  predictInTurn(caller: Caller, request: TurnRequest, receiver: PredictionReceiver): boolean {
    const start = performance.now();
    const counted: PredictionReceiver = {
      answered: (prediction) => {
        this.#statistics.count(prediction, request.operation, performance.now() - start);
        receiver.answered(prediction);
      },
      failed: (error) => receiver.failed(error),
    };
    const quota = this.#quota;
    return quota
      ? this.#chargedTurn(quota, caller, request, counted)
      : this.#predictor.predictInTurn(caller, request, counted);
  }

  /** Raw rows are counted once the version has said how many they are. */
  #chargedTurn(quota: RowQuota, caller: Caller, request: TurnRequest, receiver: PredictionReceiver): boolean {
    if (!quota.isOpen()) return false;
    const { inputs } = request;
    let rows = typeof inputs === 'function' ? 0 : countOf(inputs);
    const counting = (target: PredictTarget): Rows => {
      const made = typeof inputs === 'function' ? inputs(target) : inputs;
      rows = countOf(made);
      return made;
    };
    const isTaken = this.#predictor.predictInTurn(
      caller,
      { ...request, inputs: counting },
      {
        answered: (prediction) => receiver.answered(prediction),
        failed: (error) => {
          quota.owe(-rows);
          receiver.failed(error);
        },
      },
    );
    // Before the end of the turn, in which the answer comes.
    if (isTaken) quota.owe(rows);
    return isTaken;
  }

  async #predict(caller: Caller, question: PredictQuestion): Promise<PredictAnswer> {
    const { operation, rows, rateOutliers = false, withTarget = false, demand } = question;
    const options = demand && { demand };
    if (typeof rows !== 'function' && !withTarget && !rateOutliers) {
      const { model } = question;
      const ask = () => this.#predictor.predict(caller, { operation, model, inputs: rows, ...options });
      return { prediction: await charged(this.#quota, countOf(rows), ask) };
    }
    const { target, model } = await this.#resolve(caller, operation, question.model);
    const inputs = typeof rows === 'function' ? await rows(target) : rows;
    const request = { model, inputs, ...options };
    const ask = () =>
      Promise.all([
        this.#predictor.predict(caller, { operation, ...request }),
        rateOutliers ? this.#rater.rate(caller, request) : undefined,
      ]);
    const [prediction, outliers] = await charged(this.#quota, countOf(inputs), ask);
    return { prediction, target, ...(outliers && { outliers }) };
  }

  /** Throws what `Predictor.predict` throws: `operation-not-supported` for a model that is not variational. */
  async generate(caller: Caller, question: GenerateQuestion): Promise<GenerateAnswer> {
    const { model, count, seed = drawSeed(), withTarget = false, demand } = question;
    const ask = () => generate(this.#predictor, caller, { model, count, seed, ...(demand && { demand }) });
    const prediction = await charged(this.#quota, count, ask);
    return { seed, ...(await this.#answer(caller, 'generate', prediction, withTarget)) };
  }

  /** Throws what `RecommendationService.recommend` throws. */
  recommend(caller: Caller, request: RecommendRequest): Promise<Recommendation> {
    return charged(this.#quota, 1, () => this.#recommendations.recommend(caller, request));
  }

  /** Throws what `AnalysisService.analyse` throws. */
  analyse(caller: Caller, request: AnalyseRequest): Promise<Analysis> {
    return charged(this.#quota, request.texts.length, () => this.#analyses.analyse(caller, request));
  }

  /** Throws what `SeriesService.answer` throws. */
  series(caller: Caller, request: SeriesRequest): Promise<SeriesAnswer> {
    return charged(this.#quota, request.series.length, () => this.#series.answer(caller, request));
  }

  /** Throws what `TranslationService.translate` throws. */
  translate(caller: Caller, request: TranslateRequest): Promise<Translations> {
    return this.#translations.translate(caller, request);
  }

  /** Throws what `FrameCodec.encode` and `question.rows` throw. */
  async encodeFrame(caller: Caller, question: EncodeFrameQuestion): Promise<EncodedFrame> {
    const { rows, demand } = question;
    const { target, model } = await this.#resolve(caller, 'encode', question.model);
    const inputs = typeof rows === 'function' ? await rows(target) : rows;
    const request = { model, inputs, ...(demand && { demand }), ...question.target };
    return charged(this.#quota, countOf(inputs), () => this.#frames.encode(caller, request));
  }

  /** Throws what `FrameCodec.decode` throws. */
  async decodeFrame(caller: Caller, question: DecodeFrameQuestion): Promise<Answer> {
    const { frame, model, withTarget = false, demand } = question;
    // How many rows a frame holds is known once its decoder is found.
    const ask = () => this.#frames.decode(caller, { frame, model, ...(demand && { demand }) });
    const prediction = await charged(this.#quota, 1, ask);
    this.#quota?.owe(countOf(prediction.outputs) - 1);
    return this.#answer(caller, 'decode', prediction, withTarget);
  }

  /** With the version's own reference, so that one published in between does not answer rows of another shape. */
  async #resolve(caller: Caller, operation: Operation, model: string | undefined) {
    const target = await this.#predictor.resolve(caller, operation, model);
    return { target, model: referenceOf(target) };
  }

  async #answer(caller: Caller, operation: Operation, prediction: Prediction, withTarget: boolean): Promise<Answer> {
    if (!withTarget) return { prediction };
    return { prediction, target: await this.#predictor.resolve(caller, operation, referenceOf(prediction)) };
  }
}

const countOf = ({ shape: [rows = 0] }: Rows): number => rows;

const referenceOf = ({ model, version }: Pick<Prediction, 'model' | 'version'>): string => `${model}@${version}`;
