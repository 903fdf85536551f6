// A gRPC client for generated services in tests: messages in and out, errors with their details read.
import { once } from 'node:events';
import {
  create,
  type DescMessage,
  type DescMethod,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import { anyUnpack } from '@bufbuild/protobuf/wkt';
import {
  type CallOptions,
  type ChannelCredentials,
  type ChannelOptions,
  Client,
  credentials,
  Metadata,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import {
  BadRequestSchema,
  ErrorInfoSchema,
  RequestInfoSchema,
  RetryInfoSchema,
} from '../../../src/gen/google/rpc/error_details_pb.ts';
import { StatusSchema } from '../../../src/gen/google/rpc/status_pb.ts';

/** What a client sees of a failed call. */
export interface Failure {
  /** name of the gRPC status */
  readonly status: string;
  readonly text: string;
  /** code of the error table */
  readonly code: string | undefined;
  readonly domain: string | undefined;
  readonly facts: Record<string, string>;
  readonly field: string | undefined;
  readonly requestId: string | undefined;
  readonly retryAfter: number | undefined;
  readonly trailers: Metadata;
}

export class CallFailed extends Error {
  readonly failure: Failure;
  constructor(failure: Failure) {
    super(`${failure.status} ${failure.code}: ${failure.text}`);
    this.failure = failure;
  }
}

function failed(error: ServiceError): CallFailed {
  const bytes = error.metadata?.get('grpc-status-details-bin')[0];
  const details = bytes instanceof Buffer ? fromBinary(StatusSchema, bytes).details : [];
  const find = <D extends DescMessage>(schema: D): MessageShape<D> | undefined =>
    details.map((any) => anyUnpack(any, schema)).find((message) => message !== undefined);
  const info = find(ErrorInfoSchema);
  const delay = find(RetryInfoSchema)?.retryDelay;
  return new CallFailed({
    status: status[error.code] ?? String(error.code),
    text: error.details,
    code: info?.reason,
    domain: info?.domain,
    facts: info?.metadata ?? {},
    field: find(BadRequestSchema)?.fieldViolations[0]?.field,
    requestId: find(RequestInfoSchema)?.requestId,
    retryAfter: delay && Number(delay.seconds) + delay.nanos / 1e9,
    trailers: error.metadata,
  });
}

export interface CallSettings extends CallOptions {
  readonly metadata?: Record<string, string>;
  readonly signal?: AbortSignal;
}

type Typed<I extends DescMessage, O extends DescMessage> = DescMethod & { readonly input: I; readonly output: O };

const pathOf = (method: DescMethod): string => `/${method.parent.typeName}/${method.name}`;

function metadataOf(entries: Record<string, string> = {}): Metadata {
  const metadata = new Metadata();
  for (const [key, value] of Object.entries(entries)) metadata.set(key, value);
  return metadata;
}

const writer =
  <D extends DescMessage>(schema: D) =>
  (init: MessageInitShape<D>): Buffer =>
    Buffer.from(toBinary(schema, create(schema, init)));

export class TestClient {
  readonly #client: Client;

  constructor(port: number, options: ChannelOptions = {}, secured: ChannelCredentials = credentials.createInsecure()) {
    this.#client = new Client(`127.0.0.1:${port}`, secured, {
      'grpc.max_receive_message_length': -1,
      // Channels are shared by address otherwise, and a test's server may have another's port.
      'grpc.use_local_subchannel_pool': 1,
      ...options,
    });
  }

  /** The answer and the metadata around it; rejects with CallFailed. */
  call<I extends DescMessage, O extends DescMessage>(
    method: Typed<I, O>,
    request: MessageInitShape<I>,
    settings: CallSettings = {},
  ): Promise<MessageShape<O>> {
    const { metadata, signal, ...options } = settings;
    return new Promise((resolve, reject) => {
      const read = (bytes: Buffer) => fromBinary(method.output, bytes);
      const call = this.#client.makeUnaryRequest(
        pathOf(method),
        writer(method.input),
        read,
        request,
        metadataOf(metadata),
        options,
        (error, answer) =>
          error || !answer ? reject(error ? failed(error) : new Error('no answer')) : resolve(answer),
      );
      signal?.addEventListener('abort', () => call.cancel());
    });
  }

  /** Any bytes to any path. */
  raw(path: string, bytes: Uint8Array, settings: CallSettings = {}): Promise<Buffer> {
    const { metadata, signal: _, ...options } = settings;
    return new Promise((resolve, reject) => {
      const same = (buffer: Buffer) => buffer;
      this.#client.makeUnaryRequest(
        path,
        same,
        same,
        Buffer.from(bytes),
        metadataOf(metadata),
        options,
        (error, answer) =>
          error || !answer ? reject(error ? failed(error) : new Error('no answer')) : resolve(answer),
      );
    });
  }

  /** Ends when the server's stream ends; throws CallFailed; leaving the loop cancels the call. */
  async *stream<I extends DescMessage, O extends DescMessage>(
    method: Typed<I, O>,
    request: MessageInitShape<I>,
    settings: CallSettings = {},
  ): AsyncGenerator<MessageShape<O>> {
    const { metadata, signal, ...options } = settings;
    const read = (bytes: Buffer) => fromBinary(method.output, bytes);
    const call = this.#client.makeServerStreamRequest(
      pathOf(method),
      writer(method.input),
      read,
      request,
      metadataOf(metadata),
      options,
    );
    signal?.addEventListener('abort', () => call.cancel());
    call.on('error', () => undefined);
    try {
      for await (const message of call) yield message as MessageShape<O>;
    } catch (error) {
      throw failed(error as ServiceError);
    } finally {
      call.cancel();
    }
  }

  /** Sends all messages, at the server's pace, and resolves to its one answer. */
  upload<I extends DescMessage, O extends DescMessage>(
    method: Typed<I, O>,
    requests: AsyncIterable<MessageInitShape<I>> | Iterable<MessageInitShape<I>>,
    settings: CallSettings = {},
  ): Promise<MessageShape<O>> {
    const { metadata, signal, ...options } = settings;
    return new Promise((resolve, reject) => {
      const read = (bytes: Buffer) => fromBinary(method.output, bytes);
      const call = this.#client.makeClientStreamRequest(
        pathOf(method),
        writer(method.input),
        read,
        metadataOf(metadata),
        options,
        (error, answer) =>
          error || !answer ? reject(error ? failed(error) : new Error('no answer')) : resolve(answer),
      );
      signal?.addEventListener('abort', () => call.cancel());
      const closed = new AbortController();
      call.once('close', () => closed.abort());
      void (async () => {
        for await (const request of requests) {
          if (call.destroyed) return;
          if (!call.write(request)) await once(call, 'drain', { signal: closed.signal }).catch(() => undefined);
        }
        call.end();
      })().catch((error) => {
        call.cancel();
        reject(error);
      });
    });
  }

  /** One conversation: all requests are sent, all answers collected. */
  converse<I extends DescMessage, O extends DescMessage>(
    method: Typed<I, O>,
    requests: readonly MessageInitShape<I>[],
    settings: Pick<CallSettings, 'metadata'> = {},
  ): Promise<MessageShape<O>[]> {
    return new Promise((resolve, reject) => {
      const read = (bytes: Buffer) => fromBinary(method.output, bytes);
      const write = writer(method.input);
      const metadata = metadataOf(settings.metadata);
      const call = this.#client.makeBidiStreamRequest(pathOf(method), write, read, metadata);
      const answers: MessageShape<O>[] = [];
      call.on('data', (answer: MessageShape<O>) => answers.push(answer));
      call.on('error', (error: ServiceError) => reject(failed(error)));
      call.on('end', () => resolve(answers));
      for (const request of requests) call.write(request);
      call.end();
    });
  }

  close(): void {
    this.#client.close();
  }
}

/** Resolves to the failure of a call that must fail. */
export async function failureOf(call: Promise<unknown>): Promise<Failure> {
  try {
    await call;
  } catch (error) {
    if (error instanceof CallFailed) return error.failure;
    throw error;
  }
  throw new Error('the call was expected to fail, but succeeded');
}
