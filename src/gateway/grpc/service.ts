/**
 * From a protobuf service to one that grpc-js serves: typed methods in, handlers out. Reads and writes messages, ends
 * calls with statuses of the error table, keeps streams at the client's pace.
 *
 *   bytes ─► fromBinary ─► method(request, call) ─► create ─► toBinary ─► bytes
 *                 └ unreadable: malformed-body    └ throws: HourglassError ─► status and details
 */

import {
  create,
  type DescMethod,
  type DescService,
  fromBinary,
  type Message,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import type { GenService, GenServiceMethods } from '@bufbuild/protobuf/codegenv2';
import type {
  ServerDuplexStream,
  ServerReadableStream,
  ServerUnaryCall,
  ServerWritableStream,
  ServiceDefinition,
  sendUnaryData,
  UntypedHandleCall,
} from '@grpc/grpc-js';
import type { Demanded } from '../../access/access.ts';
import { HourglassError } from '../../base/errors.ts';
import { type Call, type CallRuntime, conduct, type OpenCall, orAborted } from './call.ts';
import { messageTaken, releaseMessage } from './call-memory.ts';

interface Kinds<Request, Answer> {
  unary(request: Request, call: Call): Promise<Answer>;
  server_streaming(request: Request, call: Call): AsyncIterable<Answer>;
  client_streaming(requests: AsyncIterable<Request>, call: Call): Promise<Answer>;
  bidi_streaming(requests: AsyncIterable<Request>, call: Call): AsyncIterable<Answer>;
}

type MethodOf<M extends DescMethod> = Kinds<MessageShape<M['input']>, MessageInitShape<M['output']>>[M['methodKind']];

/** One function for each method of a generated service. */
export type Implementation<S extends DescService> =
  S extends GenService<infer Methods extends GenServiceMethods>
    ? { readonly [K in keyof Methods]: MethodOf<Methods[K] & DescMethod> }
    : never;

/** What a caller needs for each method. */
export type Scopes<S extends DescService> =
  S extends GenService<infer Methods extends GenServiceMethods> ? { readonly [K in keyof Methods]: Demanded } : never;

export interface BoundService {
  /** path of each method → what a caller needs */
  readonly demands: ReadonlyMap<string, Demanded>;
  readonly definition: ServiceDefinition;
  readonly handlers: Record<string, UntypedHandleCall>;
}

/** For `server.addService(definition, handlers)`. */
export function bindService<S extends DescService>(
  service: S,
  implementation: Implementation<S>,
  scopes: Scopes<S>,
  runtime: CallRuntime,
): BoundService {
  const functions = implementation as Record<string, unknown>;
  const definition: Record<string, ServiceDefinition[string]> = {};
  const handlers: Record<string, UntypedHandleCall> = {};
  const demands = new Map<string, Demanded>();
  for (const method of service.methods) {
    const path = `/${service.typeName}/${method.name}`;
    demands.set(path, (scopes as Record<string, Demanded>)[method.localName] ?? 'admin');
    definition[method.name] = {
      path,
      requestStream: method.methodKind === 'client_streaming' || method.methodKind === 'bidi_streaming',
      responseStream: method.methodKind === 'server_streaming' || method.methodKind === 'bidi_streaming',
      requestDeserialize: (bytes: Buffer): Read => read(method, bytes),
      requestSerialize: (bytes: Buffer) => bytes,
      responseSerialize: (bytes: Buffer) => bytes,
      responseDeserialize: (bytes: Buffer) => bytes,
    };
    handlers[method.name] = handlerOf(method, functions[method.localName], runtime);
  }
  return { definition, handlers, demands };
}

/** A request as it was read. Reading must not throw: grpc-js would end the call with INTERNAL. */
type Read = ({ readonly message: Message } | { readonly unreadable: HourglassError }) & {
  /** of the message as it was sent, decompressed */
  readonly bytes: number;
};

function read(method: DescMethod, bytes: Buffer): Read {
  try {
    return { message: fromBinary(method.input, bytes), bytes: bytes.length };
  } catch {
    const unreadable = new HourglassError(
      'malformed-body',
      `The request is not a ${method.input.typeName} message. Send it as the service's proto describes it.`,
      { expected: method.input.typeName },
    );
    return { unreadable, bytes: bytes.length };
  }
}

function open(request: Read): Message {
  if ('unreadable' in request) throw request.unreadable;
  return request.message;
}

async function* openAll(stream: ServerReadableStream<Read, Buffer>): AsyncGenerator<Message> {
  // The stream must outlive an early end of reading: its other half still carries the answer.
  for await (const request of stream.iterator({ destroyOnReturn: false })) {
    messageTaken(stream.metadata);
    yield open(request as Read);
    releaseMessage(stream.metadata, (request as Read).bytes);
  }
}

type Init = MessageInitShape<DescMethod['output']>;

function handlerOf(method: DescMethod, implementation: unknown, runtime: CallRuntime): UntypedHandleCall {
  const path = `/${method.parent.typeName}/${method.name}`;
  const write = (answer: Init): Buffer => {
    const bytes = toBinary(method.output, create(method.output, answer));
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  };

  const actionOf = runtime.audits.get(path);
  /** Records a change once it is made, whether or not the client still wants to know. */
  const audited = <T>(work: Promise<T>, request: object, call: OpenCall): Promise<T> => {
    if (!actionOf) return work;
    return work.then(
      (answer) => {
        runtime.changed(actionOf(request), request, call, 'done');
        return answer;
      },
      (error: unknown) => {
        if (error instanceof HourglassError && error.code === 'outcome-unknown')
          runtime.changed(actionOf(request), request, call, 'unknown');
        throw error;
      },
    );
  };

  const { methodKind } = method;
  switch (methodKind) {
    case 'unary': {
      const unary = implementation as Kinds<Message, Init>['unary'];
      return (call: ServerUnaryCall<Read, Buffer>, respond: sendUnaryData<Buffer>): void => {
        const work = async (context: OpenCall): Promise<void> => {
          const request = open(call.request);
          respond(null, write(await context.meet(audited(unary(request, context), request, context))));
        };
        void conduct(path, call, runtime, work, respond);
      };
    }
    case 'client_streaming': {
      const collect = implementation as Kinds<Message, Init>['client_streaming'];
      return (call: ServerReadableStream<Read, Buffer>, respond: sendUnaryData<Buffer>): void => {
        const work = async (context: OpenCall) =>
          respond(null, write(await audited(collect(openAll(call), context), {}, context)));
        void conduct(path, call, runtime, work, respond);
      };
    }
    case 'server_streaming': {
      const stream = implementation as Kinds<Message, Init>['server_streaming'];
      return (call: ServerWritableStream<Read, Buffer>): void => {
        const work = (context: Call) => sendAll(call, stream(open(call.request), context), write, context.signal);
        void conduct(path, call, runtime, work, (status) => call.emit('error', status));
      };
    }
    case 'bidi_streaming': {
      const converse = implementation as Kinds<Message, Init>['bidi_streaming'];
      return (call: ServerDuplexStream<Read, Buffer>): void => {
        const work = (context: Call) => sendAll(call, converse(openAll(call), context), write, context.signal);
        void conduct(path, call, runtime, work, (status) => call.emit('error', status));
      };
    }
    default:
      throw methodKind satisfies never;
  }
}

/** Writes at the pace of the reader, at most two answers ahead, then closes the stream. */
async function sendAll(
  call: ServerWritableStream<Read, Buffer> | ServerDuplexStream<Read, Buffer>,
  answers: AsyncIterable<Init>,
  write: (answer: Init) => Buffer,
  signal: AbortSignal,
): Promise<void> {
  let previous: Promise<void> = Promise.resolve();
  for await (const answer of answers) {
    signal.throwIfAborted();
    await previous;
    previous = orAborted(written(call, write(answer)), signal);
    // A failure is thrown where it is waited for.
    previous.catch(() => {});
  }
  await previous;
  signal.throwIfAborted();
  call.end();
}

/** Resolves when the connection has taken the answer. */
function written(
  call: ServerWritableStream<Read, Buffer> | ServerDuplexStream<Read, Buffer>,
  answer: Buffer,
): Promise<void> {
  return new Promise((resolve, reject) => {
    call.write(answer, (error: unknown) => (error ? reject(error) : resolve()));
  });
}
