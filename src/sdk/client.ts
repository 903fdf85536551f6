/**
 * Client of the REST API for Node ≥ 20, browsers and React Native: every call of the contract, typed, retried where that is
 * safe, cancellable by a signal. `test/sdk/client.test.ts` holds its calls equal to openapi.yaml.
 */

import type { FrameReceipt } from '../codec/receipt.ts';
import { answerOf, versionOf } from './answers.ts';
import { randomKey } from './environment.ts';
import type {
  Analysis,
  AuditPage,
  ClassesAnswer,
  CodesAnswer,
  DatasetInfo,
  DatasetRows,
  Info,
  JobCheck,
  JobList,
  JobRequest,
  JobSamples,
  JobView,
  Manifest,
  ModelView,
  QueueList,
  Readiness,
  Recommendations,
  SeriesAnswer,
  SweepCheck,
  SweepRequest,
  SweepView,
  Translations,
  WorkerList,
} from './gen/contract.ts';
import { followJob, type JobEvent } from './job-events.ts';
import { path, query } from './paths.ts';
import { ProblemError } from './problem.ts';
import type {
  AnalyseOptions,
  Answer,
  AuditOptions,
  BundleOptions,
  CallOptions,
  DecodedPicture,
  DecodePictureOptions,
  DeleteOptions,
  EncodeFrameOptions,
  GenerateOptions,
  GivenRating,
  GivenSeries,
  ListJobsOptions,
  ListSweepsOptions,
  PictureFile,
  PictureOperation,
  ReadRowsOptions,
  RecommendOptions,
  Rows,
  SeriesOptions,
  SubmitOptions,
  TranslateOptions,
  UploadCallOptions,
} from './requests.ts';
import { type Call, type HttpResponse, Transport, type TransportOptions } from './transport.ts';

export type { Analysis, Recommendations, SeriesAnswer, Translations } from './gen/contract.ts';
export type * from './requests.ts';

/** A model with its aliases and versions. */
export type ModelSummary = ModelView;
export type Classification = ClassesAnswer;
/** How unusual a row is to a model. */
export type Outlier = NonNullable<CodesAnswer['outliers']>[number];

const octets = 'application/octet-stream';
const frameType = 'application/vnd.hourglass.frame';
const json = 'application/json';
const jsonType = { 'content-type': json };
export class HourglassClient {
  readonly #transport: Transport;

  /** Throws TypeError without a `baseUrl`. */
  constructor(options: TransportOptions) {
    this.#transport = new Transport(options ?? {});
  }

  readonly jobs = {
    submit: (job: JobRequest, options?: SubmitOptions): Promise<JobView> => this.#submit('/v1/jobs', job, options),
    /** A dry run: what would be queued, or the ProblemError that `submit` would throw. */
    check: (job: JobRequest, options?: CallOptions): Promise<JobCheck> => this.#check('/v1/jobs', job, options),
    get: (id: string, options?: CallOptions): Promise<JobView> => this.#get(path('v1', 'jobs', id), options),
    /** What it made of the same few held-out rows, epoch after epoch. @param after `next` of the answer before */
    samples: (id: string, after = 0, options?: CallOptions): Promise<JobSamples> =>
      this.#get(`${path('v1', 'jobs', id, 'samples')}${query({ after })}`, options),
    list: ({ signal, ...page }: ListJobsOptions = {}): Promise<JobList> =>
      this.#get(`/v1/jobs${query({ ...page })}`, { signal }),
    cancel: (id: string, options?: CallOptions): Promise<JobView> =>
      this.#post(path('v1', 'jobs', id, 'cancel'), options),
    /** Goes on with a failed or cancelled job from its newest checkpoint. */
    resume: (id: string, options?: CallOptions): Promise<JobView> =>
      this.#post(path('v1', 'jobs', id, 'resume'), options, false),
    /** Trains a failed or cancelled job again from the start. */
    retry: (id: string, options?: CallOptions): Promise<JobView> =>
      this.#post(path('v1', 'jobs', id, 'retry'), options, false),
    /** The record of a job that has ended; its model stays. */
    delete: (id: string, options?: CallOptions): Promise<void> => this.#delete(path('v1', 'jobs', id), options),
    /** Follows a job to its end; reconnects after the last event seen. */
    events: (id: string, { signal }: CallOptions = {}): AsyncGenerator<JobEvent> =>
      followJob(this.#transport, path('v1', 'jobs', id, 'events'), signal),
    /** Waits for the job's end. */
    finished: async (id: string, options: CallOptions = {}): Promise<JobView> => {
      for await (const event of this.jobs.events(id, options)) if (event.type === 'end') return event.data;
      return this.jobs.get(id, options);
    },
  };

  readonly sweeps = {
    submit: (sweep: SweepRequest, options?: SubmitOptions): Promise<SweepView> =>
      this.#submit('/v1/sweeps', sweep, options),
    /** A dry run: the trials that would be queued, or the ProblemError that `submit` would throw. */
    check: (sweep: SweepRequest, how?: CallOptions): Promise<SweepCheck> => this.#check('/v1/sweeps', sweep, how),
    get: (id: string, options?: CallOptions): Promise<SweepView> => this.#get(path('v1', 'sweeps', id), options),
    list: async ({ signal, limit }: ListSweepsOptions = {}): Promise<readonly SweepView[]> =>
      (await this.#get<{ sweeps: SweepView[] }>(`/v1/sweeps${query({ limit })}`, { signal })).sweeps,
    cancel: (id: string, options?: CallOptions): Promise<SweepView> =>
      this.#post(path('v1', 'sweeps', id, 'cancel'), options),
  };

  /** What waits and runs, by the device that jobs need. */
  readonly queues = async (options?: CallOptions): Promise<QueueList['queues']> =>
    (await this.#get<QueueList>('/v1/queues', options)).queues;

  /** The workers that are there. */
  readonly workers = async (options?: CallOptions): Promise<WorkerList['workers']> =>
    (await this.#get<WorkerList>('/v1/workers', options)).workers;

  /** Who changed what, newest first. */
  readonly audit = ({ signal, ...page }: AuditOptions = {}): Promise<AuditPage> =>
    this.#get(`/v1/audit${query({ ...page })}`, { signal });

  readonly datasets = {
    list: async (options?: CallOptions): Promise<readonly DatasetInfo[]> =>
      (await this.#get<{ datasets: DatasetInfo[] }>('/v1/datasets', options)).datasets,
    get: (name: string, options?: CallOptions): Promise<DatasetInfo> =>
      this.#get(path('v1', 'datasets', name), options),
    /** Rows as they are trained on. */
    rows: (name: string, { signal, ...wanted }: ReadRowsOptions = {}): Promise<DatasetRows> =>
      this.#get(`${path('v1', 'datasets', name, 'rows')}${query({ ...wanted })}`, { signal }),
    upload: (content: Uint8Array, { name, filename, options, signal }: UploadCallOptions): Promise<DatasetInfo> =>
      this.#json({
        method: 'POST',
        path: `/v1/datasets${query({ name, filename, options: options && JSON.stringify(options) })}`,
        body: content,
        headers: { 'content-type': octets },
        signal,
        repeatable: false,
      }),
    delete: (name: string, options?: CallOptions): Promise<void> => this.#delete(path('v1', 'datasets', name), options),
  };

  readonly models = {
    list: async (options?: CallOptions): Promise<readonly ModelView[]> =>
      (await this.#get<{ models: ModelView[] }>('/v1/models', options)).models,
    get: (name: string, options?: CallOptions): Promise<ModelView> => this.#get(path('v1', 'models', name), options),
    version: (name: string, version: number, options?: CallOptions): Promise<Manifest> =>
      this.#get(path('v1', 'models', name, 'versions', version), options),
    file: (name: string, version: number, file: string, options?: CallOptions): Promise<Uint8Array> =>
      this.#bytes(path('v1', 'models', name, 'versions', version, 'files', file), options),
    /** What `loadEncoder` takes. @param model `digits`, `digits@2`, `digits:stable` */
    bundle: (model: string, { weights, signal }: BundleOptions = {}): Promise<Uint8Array> =>
      this.#bytes(`${path('v1', 'models', model, 'bundle')}${query({ weights })}`, { signal }),
    setAlias: (name: string, alias: string, version: number, { signal }: CallOptions = {}): Promise<ModelView> =>
      this.#json({
        method: 'PUT',
        path: path('v1', 'models', name, 'aliases', alias),
        body: JSON.stringify({ version }),
        headers: jsonType,
        signal,
      }),
    /** Whether other tenants can read it and ask it. Throws `forbidden` for models of other tenants than `default`. */
    share: async (name: string, isShared: boolean, { signal }: CallOptions = {}): Promise<void> => {
      if (!isShared) return this.#delete(path('v1', 'models', name, 'shared'), { signal });
      await this.#json({ method: 'PUT', path: path('v1', 'models', name, 'shared'), signal });
    },
    deleteAlias: (name: string, alias: string, options?: CallOptions): Promise<void> =>
      this.#delete(path('v1', 'models', name, 'aliases', alias), options),
    /** Throws `frames-expected` without `force` when devices may still send frames of it. */
    deleteVersion: (name: string, version: number, { force, signal }: DeleteOptions = {}): Promise<void> =>
      this.#delete(`${path('v1', 'models', name, 'versions', version)}${query({ force })}`, { signal }),
    /** Throws `frames-expected` as `deleteVersion` does. */
    delete: (name: string, { force, signal }: DeleteOptions = {}): Promise<void> =>
      this.#delete(`${path('v1', 'models', name)}${query({ force })}`, { signal }),
  };

  /** Versions and limits of the server. */
  info(options?: CallOptions): Promise<Info> {
    return this.#get('/v1/info', options);
  }

  /** Whether the server can serve and queue, by part; also when it cannot. */
  async readiness({ signal }: CallOptions = {}): Promise<Readiness> {
    const call = { method: 'GET', path: '/readyz', signal, repeatable: false, accepts: [503] } as const;
    return (await (await this.#transport.send(call)).json()) as Readiness;
  }

  /** @param model `digits`, `digits@2`, `digits:stable` */
  encode(model: string, rows: Rows | PictureFile, options?: CallOptions): Promise<Answer> {
    return this.#predict('encode', model, rows, options);
  }

  decode(model: string, codes: Rows, options?: CallOptions): Promise<Answer> {
    return this.#predict('decode', model, codes, options);
  }

  denoise(model: string, rows: Rows | PictureFile, options?: CallOptions): Promise<Answer> {
    return this.#predict('denoise', model, rows, options);
  }

  reconstruct(model: string, rows: Rows | PictureFile, options?: CallOptions): Promise<Answer> {
    return this.#predict('reconstruct', model, rows, options);
  }

  /** The answer to one row as a PNG, by a model whose rows are pictures. */
  async picture(
    operation: PictureOperation,
    model: string,
    row: Rows | PictureFile,
    options?: CallOptions,
  ): Promise<Uint8Array> {
    const response = await this.#send(path('v1', 'models', model, operation), row, 'image/png', options);
    return new Uint8Array(await response.arrayBuffer());
  }

  /** By a model with a classifier on top. */
  async classify(model: string, rows: Rows | PictureFile, options?: CallOptions): Promise<Classification> {
    const response = await this.#send(path('v1', 'models', model, 'classify'), rows, json, options);
    return (await response.json()) as Classification;
  }

  /** How unusual each row is to a model. */
  async outliers(model: string, rows: Rows | PictureFile, options?: CallOptions): Promise<readonly Outlier[]> {
    const url = path('v1', 'models', model, 'encode');
    const response = await this.#send(url, rows, json, options, { outliers: true });
    return ((await response.json()) as CodesAnswer).outliers ?? [];
  }

  /** New rows from a variational model. */
  async generate(model: string, count: number, { seed, signal }: GenerateOptions = {}): Promise<Answer> {
    return answerOf(await this.#ask(path('v1', 'models', model, 'generate'), { count, seed }, octets, signal));
  }

  /** What a person may like, the best first, from what the person has rated; and predicted ratings of `items`. */
  recommend(
    model: string,
    ratings: readonly GivenRating[],
    { signal, ...options }: RecommendOptions = {},
  ): Promise<Recommendations> {
    return this.#question(model, 'recommend', { ratings, ...options }, signal);
  }

  /** Topics or bits of texts, and the documents nearest to them, by a model of documents. */
  analyse(model: string, texts: readonly string[], { signal, ...options }: AnalyseOptions = {}): Promise<Analysis> {
    return this.#question(model, 'analyse', { texts, ...options }, signal);
  }

  /** What a model of series makes of each: as it comes back, how unusual it is, how it may go on. Null where a value is missing. */
  series(
    model: string,
    series: readonly GivenSeries[],
    { signal, ...options }: SeriesOptions = {},
  ): Promise<SeriesAnswer> {
    return this.#question(model, 'series', { series, ...options }, signal);
  }

  /** The most probable targets of each source, by a model of pairs. */
  translate(
    model: string,
    sources: readonly string[],
    { signal, ...options }: TranslateOptions = {},
  ): Promise<Translations> {
    return this.#question(model, 'translate', { sources, ...options }, signal);
  }

  /** Rows to a frame on the server, for devices that cannot run the encoder. */
  async encodeFrame(
    model: string,
    rows: Rows | PictureFile,
    { signal, ...target }: EncodeFrameOptions = {},
  ): Promise<{ readonly frame: Uint8Array; readonly receipt: FrameReceipt }> {
    const response = await this.#send(path('v1', 'models', model, 'encode'), rows, frameType, { signal }, target);
    const receipt = JSON.parse(response.headers.get('x-hourglass-receipt') ?? '{}') as FrameReceipt;
    return { frame: new Uint8Array(await response.arrayBuffer()), receipt };
  }

  /** A frame to rows, by the version that it was made for. */
  async decodeFrame(frame: Uint8Array, { signal }: CallOptions = {}): Promise<Answer> {
    return answerOf(await this.#decode(frame, octets, signal));
  }

  /** A frame of a picture to the picture, by the version that it was made for. */
  async decodePicture(
    frame: Uint8Array,
    { signal, region, type = 'image/png' }: DecodePictureOptions = {},
  ): Promise<DecodedPicture> {
    const part = region && [region.x, region.y, region.width, region.height].join(',');
    const response = await this.#decode(frame, type, signal, query({ region: part }));
    const lost = response.headers.get('x-hourglass-lost')?.split(';') ?? [];
    return { ...versionOf(response), picture: new Uint8Array(await response.arrayBuffer()), lost };
  }

  #decode(frame: Uint8Array, accept: string, signal: AbortSignal | undefined, asked = ''): Promise<HttpResponse> {
    const headers = { 'content-type': frameType, accept };
    return this.#transport.send({
      method: 'POST',
      path: `/decode${asked}`,
      body: frame,
      headers,
      signal,
    });
  }

  async #question<T>(model: string, operation: string, body: object, signal: AbortSignal | undefined): Promise<T> {
    return (await (await this.#ask(path('v1', 'models', model, operation), body, json, signal)).json()) as T;
  }

  #ask(url: string, body: object, accept: string, signal: AbortSignal | undefined): Promise<HttpResponse> {
    const headers = { ...jsonType, accept };
    return this.#transport.send({
      method: 'POST',
      path: url,
      body: JSON.stringify(body),
      headers,
      signal,
    });
  }

  async #predict(operation: string, model: string, rows: Rows | PictureFile, options?: CallOptions): Promise<Answer> {
    return answerOf(await this.#send(path('v1', 'models', model, operation), rows, octets, options));
  }

  /** Rows as float32 or a picture as it is. */
  #send(
    url: string,
    rows: Rows | PictureFile,
    accept: string,
    { signal }: CallOptions = {},
    asked: object = {},
  ): Promise<HttpResponse> {
    const isPicture = 'picture' in rows;
    return this.#transport.send({
      method: 'POST',
      path: url + query({ ...asked, resize: isPicture ? rows.resize : undefined }),
      body: isPicture ? rows.picture : new Uint8Array(rows.data.buffer, rows.data.byteOffset, rows.data.byteLength),
      headers: { 'content-type': isPicture ? rows.type : octets, accept },
      signal,
    });
  }

  #submit<T>(url: string, body: object, { idempotencyKey = randomKey(), signal }: SubmitOptions = {}): Promise<T> {
    const headers = { ...jsonType, 'idempotency-key': idempotencyKey };
    return this.#json({ method: 'POST', path: url, body: JSON.stringify(body), headers, signal });
  }

  #check<T>(url: string, body: object, { signal }: CallOptions = {}): Promise<T> {
    const request = { body: JSON.stringify(body), headers: jsonType, signal };
    return this.#json({ method: 'POST', path: `${url}?validate=only`, ...request });
  }

  /** A second resumption would be refused, as the first has begun. */
  #post<T>(url: string, { signal }: CallOptions = {}, repeatable = true): Promise<T> {
    return this.#json({ method: 'POST', path: url, signal, repeatable });
  }

  #get<T>(url: string, { signal }: CallOptions = {}): Promise<T> {
    return this.#json({ method: 'GET', path: url, signal });
  }

  async #bytes(url: string, { signal }: CallOptions = {}): Promise<Uint8Array> {
    const response = await this.#transport.send({ method: 'GET', path: url, signal });
    return new Uint8Array(await response.arrayBuffer());
  }

  async #delete(url: string, { signal }: CallOptions = {}): Promise<void> {
    await this.#transport.send({ method: 'DELETE', path: url, signal });
  }

  async #json<T>(call: Call): Promise<T> {
    const response = await this.#transport.send(call);
    try {
      return (await response.json()) as T;
    } catch (cause) {
      throw new ProblemError('internal', `The answer to ${call.method} ${call.path} is not JSON.`, response.status, {
        cause,
      });
    }
  }
}
