/**
 * Client of the REST API for Node ≥ 20, browsers and React Native: every call of the contract, typed, retried where that is
 * safe, cancellable by a signal.
 */

import type { FrameKind } from '../codec/frame-header.ts';
import type { FrameReceipt } from '../codec/receipt.ts';
import type { DatasetInfo } from '../data/dataset.ts';
import type { JobEvent, JobView } from '../jobspec/job.ts';
import type { JobPage, ListQuery } from '../queue/job-queue.ts';
import type { Manifest } from '../registry/manifest.ts';
import type { Weights } from './bundle.ts';
import { parseEvents } from './events.ts';
import { type Call, ProblemError, Transport, type TransportOptions } from './transport.ts';

export interface CallOptions {
  readonly signal?: AbortSignal;
}

export interface BundleOptions extends CallOptions {
  /** leave out the encoder of other weights; default both */
  readonly weights?: Weights;
}

export interface DeleteOptions extends CallOptions {
  /** although devices may still send frames of it */
  readonly force?: boolean;
}

export interface SubmitJobOptions extends CallOptions {
  /** default: a random key, so that a retried submission gives the first job */
  readonly idempotencyKey?: string;
}

/** As a client may send it: whatever has a default may be left out. */
export interface JobRequest {
  readonly name: string;
  readonly dataset: string;
  readonly model: { readonly type: string; readonly [option: string]: unknown };
  readonly training?: Readonly<Record<string, unknown>>;
}

export interface ModelSummary {
  readonly name: string;
  readonly aliases: Readonly<Record<string, number>>;
  readonly versions: readonly Manifest[];
}

export interface UploadOptions extends CallOptions {
  readonly name: string;
  /** its ending tells the format: `digits.npy`, `table.csv`, `pictures.zip` … */
  readonly filename: string;
  /** further options of the import as the contract names them */
  readonly options?: Readonly<Record<string, string | number | boolean>>;
}

/** Rows as float32, row-major; `shape` without it is [rows, values]. */
export interface Rows {
  readonly data: Float32Array;
  readonly rows: number;
}

export interface Answer extends Rows {
  readonly model: string;
  readonly version: number;
}

export interface Classification {
  readonly model: string;
  readonly version: number;
  /** of each row by class, together 1 */
  readonly probabilities: readonly (readonly number[])[];
  /** number of the most probable class of each row */
  readonly labels: readonly number[];
  /** what the classes are called, by their number */
  readonly classes: readonly string[];
}

/** How unusual a row is to a model. */
export interface Outlier {
  /** around 0 for ordinary rows */
  readonly score: number;
  /** two-sided, in (0, 1]: how often rows like those it was trained on are as far out */
  readonly pValue: number;
}

export interface GenerateOptions extends CallOptions {
  /** the same seed, the same rows; default: a new one */
  readonly seed?: number;
}

/** What a frame of the server's own encoder shall be; at most one of `quality`, `maxBytes` and `psnr`. */
export interface EncodeFrameOptions extends CallOptions {
  readonly kind?: FrameKind;
  /** index, coarse to fine */
  readonly quality?: number;
  readonly maxBytes?: number;
  /** dB */
  readonly psnr?: number;
  readonly search?: boolean;
}

const octets = 'application/octet-stream';
const frameType = 'application/vnd.hourglass.frame';
const path = (...parts: readonly string[]): string => `/${parts.map(encodeURIComponent).join('/')}`;

/** `crypto.randomUUID` is missing on pages that are not served over https. */
const randomKey = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');

function query(values: Readonly<Record<string, unknown>>): string {
  const given = Object.entries(values).filter(([, value]) => value !== undefined);
  const pairs = given.map(([key, value]) => `${encodeURIComponent(key)}=${encodeURIComponent(String(value))}`);
  return pairs.length > 0 ? `?${pairs.join('&')}` : '';
}

export class HourglassClient {
  readonly #transport: Transport;

  constructor(options: TransportOptions) {
    this.#transport = new Transport(options);
  }

  readonly jobs = {
    submit: (job: JobRequest, { idempotencyKey = randomKey(), signal }: SubmitJobOptions = {}): Promise<JobView> =>
      this.#json<JobView>({
        method: 'POST',
        path: '/v1/jobs',
        body: JSON.stringify(job),
        headers: { 'content-type': 'application/json', 'idempotency-key': idempotencyKey },
        signal,
        repeatable: true,
      }),
    get: (id: string, options: CallOptions = {}): Promise<JobView> => this.#get(path('v1', 'jobs', id), options),
    list: (page: ListQuery = {}, options: CallOptions = {}): Promise<JobPage> =>
      this.#get(`/v1/jobs${query({ ...page })}`, options),
    cancel: (id: string, options: CallOptions = {}): Promise<JobView> =>
      this.#json({ method: 'POST', path: path('v1', 'jobs', id, 'cancel'), repeatable: true, ...options }),
    /** Follows a job to its end; reconnects after the last event seen. */
    events: (id: string, options: CallOptions = {}): AsyncGenerator<JobEvent> => this.#events(id, options),
    /** Waits for the job's end. */
    finished: async (id: string, options: CallOptions = {}): Promise<JobView> => {
      for await (const event of this.#events(id, options)) if (event.type === 'end') return event.data;
      return this.jobs.get(id, options);
    },
  };

  readonly datasets = {
    list: async (options: CallOptions = {}): Promise<readonly DatasetInfo[]> =>
      (await this.#get<{ datasets: DatasetInfo[] }>('/v1/datasets', options)).datasets,
    get: (name: string, options: CallOptions = {}): Promise<DatasetInfo> =>
      this.#get(path('v1', 'datasets', name), options),
    upload: (content: Uint8Array, { name, filename, options, signal }: UploadOptions): Promise<DatasetInfo> =>
      this.#json({
        method: 'POST',
        path: `/v1/datasets${query({ name, filename, ...options })}`,
        body: content,
        headers: { 'content-type': octets },
        signal,
        repeatable: false,
      }),
    delete: (name: string, options: CallOptions = {}): Promise<void> =>
      this.#delete(path('v1', 'datasets', name), options),
  };

  readonly models = {
    list: async (options: CallOptions = {}): Promise<readonly ModelSummary[]> =>
      (await this.#get<{ models: ModelSummary[] }>('/v1/models', options)).models,
    get: (name: string, options: CallOptions = {}): Promise<ModelSummary> =>
      this.#get(path('v1', 'models', name), options),
    version: (name: string, version: number, options: CallOptions = {}): Promise<Manifest> =>
      this.#get(path('v1', 'models', name, 'versions', String(version)), options),
    file: async (name: string, version: number, file: string, { signal }: CallOptions = {}): Promise<Uint8Array> => {
      const url = path('v1', 'models', name, 'versions', String(version), 'files', file);
      const response = await this.#transport.send({ method: 'GET', path: url, signal, repeatable: true });
      return new Uint8Array(await response.arrayBuffer());
    },
    /** What `loadEncoder` takes. @param model `digits`, `digits@2`, `digits:stable` */
    bundle: async (model: string, { weights, signal }: BundleOptions = {}): Promise<Uint8Array> => {
      const url = `${path('v1', 'models', model, 'bundle')}${query({ weights })}`;
      const response = await this.#transport.send({ method: 'GET', path: url, signal, repeatable: true });
      return new Uint8Array(await response.arrayBuffer());
    },
    setAlias: (name: string, alias: string, version: number, { signal }: CallOptions = {}): Promise<ModelSummary> =>
      this.#json({
        method: 'PUT',
        path: path('v1', 'models', name, 'aliases', alias),
        body: JSON.stringify({ version }),
        headers: { 'content-type': 'application/json' },
        signal,
        repeatable: true,
      }),
    deleteAlias: (name: string, alias: string, options: CallOptions = {}): Promise<void> =>
      this.#delete(path('v1', 'models', name, 'aliases', alias), options),
    /** Throws `frames-expected` without `force` when devices may still send frames of it. */
    deleteVersion: (name: string, version: number, { force, ...options }: DeleteOptions = {}): Promise<void> =>
      this.#delete(`${path('v1', 'models', name, 'versions', String(version))}${query({ force })}`, options),
    /** Throws `frames-expected` as `deleteVersion` does. */
    delete: (name: string, { force, ...options }: DeleteOptions = {}): Promise<void> =>
      this.#delete(`${path('v1', 'models', name)}${query({ force })}`, options),
  };

  /** @param model `digits`, `digits@2`, `digits:stable` */
  encode(model: string, rows: Rows, options?: CallOptions): Promise<Answer> {
    return this.#predict('encode', model, rows, options);
  }

  decode(model: string, codes: Rows, options?: CallOptions): Promise<Answer> {
    return this.#predict('decode', model, codes, options);
  }

  denoise(model: string, rows: Rows, options?: CallOptions): Promise<Answer> {
    return this.#predict('denoise', model, rows, options);
  }

  reconstruct(model: string, rows: Rows, options?: CallOptions): Promise<Answer> {
    return this.#predict('reconstruct', model, rows, options);
  }

  /** By a model with a classifier on top. */
  classify(model: string, rows: Rows, options?: CallOptions): Promise<Classification> {
    return this.#ask(path('v1', 'models', model, 'classify'), rows, options);
  }

  /** How unusual each row is to a model. */
  async outliers(model: string, rows: Rows, options?: CallOptions): Promise<readonly Outlier[]> {
    const url = `${path('v1', 'models', model, 'encode')}?outliers=true`;
    return (await this.#ask<{ outliers: readonly Outlier[] }>(url, rows, options)).outliers;
  }

  /** New rows from a variational model. */
  async generate(model: string, count: number, { seed, signal }: GenerateOptions = {}): Promise<Answer> {
    const response = await this.#transport.send({
      method: 'POST',
      path: path('v1', 'models', model, 'generate'),
      body: JSON.stringify({ count, seed }),
      headers: { 'content-type': 'application/json', accept: octets },
      signal,
      repeatable: true,
    });
    const [name = model, version] = (response.headers.get('x-hourglass-model') ?? '').split('@');
    return { model: name, version: Number(version), data: new Float32Array(await response.arrayBuffer()), rows: count };
  }

  /** Rows to a frame on the server, for devices that cannot run the encoder. */
  async encodeFrame(
    model: string,
    { data }: Rows,
    { signal, ...target }: EncodeFrameOptions = {},
  ): Promise<{ readonly frame: Uint8Array; readonly receipt: FrameReceipt }> {
    const response = await this.#transport.send({
      method: 'POST',
      path: `${path('v1', 'models', model, 'encode')}${query({ ...target })}`,
      body: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
      headers: { 'content-type': octets, accept: frameType },
      signal,
      repeatable: true,
    });
    const receipt = JSON.parse(response.headers.get('x-hourglass-receipt') ?? '{}') as FrameReceipt;
    return { frame: new Uint8Array(await response.arrayBuffer()), receipt };
  }

  /** A frame to rows, by the version that it was made for. */
  async decodeFrame(frame: Uint8Array, { signal }: CallOptions = {}): Promise<Answer> {
    const response = await this.#transport.send({
      method: 'POST',
      path: '/decode',
      body: frame,
      headers: { 'content-type': frameType, accept: octets },
      signal,
      repeatable: true,
    });
    const [model = '', version] = (response.headers.get('x-hourglass-model') ?? '').split('@');
    const rows = Number((response.headers.get('x-hourglass-shape') ?? '').split(',')[0]);
    return { model, version: Number(version), data: new Float32Array(await response.arrayBuffer()), rows };
  }

  /** Rows as bytes, the answer as JSON. */
  #ask<T>(url: string, { data }: Rows, { signal }: CallOptions = {}): Promise<T> {
    return this.#json<T>({
      method: 'POST',
      path: url,
      body: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
      headers: { 'content-type': octets, accept: 'application/json' },
      signal,
      repeatable: true,
    });
  }

  async #predict(
    operation: string,
    model: string,
    { data, rows }: Rows,
    { signal }: CallOptions = {},
  ): Promise<Answer> {
    const response = await this.#transport.send({
      method: 'POST',
      path: path('v1', 'models', model, operation),
      body: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
      headers: { 'content-type': octets, accept: octets },
      signal,
      repeatable: true,
    });
    const [name = model, version] = (response.headers.get('x-hourglass-model') ?? '').split('@');
    return {
      model: name,
      version: Number(version),
      data: new Float32Array(await response.arrayBuffer()),
      rows,
    };
  }

  async *#events(id: string, { signal }: CallOptions): AsyncGenerator<JobEvent> {
    let last: string | undefined;
    for (let failures = 0; ; ) {
      try {
        const response = await this.#transport.send({
          method: 'GET',
          path: path('v1', 'jobs', id, 'events'),
          headers: { accept: 'text/event-stream', ...(last === undefined ? {} : { 'last-event-id': last }) },
          signal,
          repeatable: true,
        });
        for await (const event of parseEvents(response.body as ReadableStream<Uint8Array>)) {
          last = event.id;
          failures = 0;
          yield { id: event.id, type: event.type, data: JSON.parse(event.data) } as JobEvent;
          if (event.type === 'end') return;
        }
      } catch (error) {
        signal?.throwIfAborted();
        if (error instanceof ProblemError || ++failures > 5) throw error;
      }
    }
  }

  #get<T>(url: string, { signal }: CallOptions): Promise<T> {
    return this.#json<T>({ method: 'GET', path: url, signal, repeatable: true });
  }

  async #delete(url: string, { signal }: CallOptions): Promise<void> {
    await this.#transport.send({ method: 'DELETE', path: url, signal, repeatable: true });
  }

  async #json<T>(call: Call): Promise<T> {
    return (await (await this.#transport.send(call)).json()) as T;
  }
}
