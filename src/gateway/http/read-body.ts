/**
 * Reading of request bodies as bytes: within limits of size, time and the memory that all bodies share. Nothing is read
 * before a route wants it, and what nobody wants is got rid of without cutting off the answer.
 */

import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { HourglassError } from '../../base/errors.ts';
import type { ByteBudget, Holding } from '../byte-budget.ts';
import { clientOf } from '../places.ts';
import { readSmallBody, smallBytes } from './small-body.ts';

export interface ReadLimits {
  /** until a body has arrived */
  readonly bodyTimeoutMs: number;
  readonly memory: ByteBudget;
}

const firstBlock = 1024;
/** a refused client may go on sending for this long, so that it gets to see the answer */
const lingerMs = 2000;

/** Bodies that the client sends only once it is told to (`Expect: 100-continue`). */
const awaited = new WeakMap<IncomingMessage, ServerResponse>();

/** For the server's `checkContinue` event: the go-ahead is given when the body is read, and not at all when it is refused. */
export function holdContinue(request: IncomingMessage, response: ServerResponse): void {
  awaited.set(request, response);
}

export function goAhead(request: IncomingMessage): void {
  awaited.get(request)?.writeContinue();
  awaited.delete(request);
}

/**
 * Before an answer is sent: what was not read of the body is read away, so that the next request of the connection is found. Where
 * that takes too long the connection is cut.
 */
export function settleUnread(request: IncomingMessage, reply: FastifyReply): void {
  if (awaited.has(request)) {
    reply.header('connection', 'close');
    return;
  }
  if (reply.statusCode === 408) {
    request.resume();
    reply.header('connection', 'close');
    return;
  }
  // Fastify closes the connection of every body that is refused, and loses the requests that were pipelined behind it. While a
  // body still arrives, it would also reset the connection under the answer.
  // Only then: Node leaves the header out of an answer from which it was removed, and the client is not told how long we keep idle connections.
  if (reply.hasHeader('connection')) reply.removeHeader('connection');
  if (request.complete) return;
  request.resume();
  const { socket } = request;
  reply.raw.once('finish', async () => {
    await sleep(lingerMs, undefined, { ref: false });
    if (!request.complete) socket.destroy();
  });
}

/** A body that was read before the framework got its request, or what is wrong with the request. */
type Read = { readonly body: Buffer } | { readonly error: unknown };

const readKey = Symbol('read');

interface ReadRequest extends IncomingMessage {
  [readKey]?: Read;
}

/** `readBody` will give this. */
export function keepRead(request: ReadRequest, read: Read): void {
  request[readKey] = read;
}

/** Throws `payload-too-large`, `request-timeout`, `overloaded`, `cancelled`. */
export function readBody({ raw }: FastifyRequest, limit: number, limits: ReadLimits): Promise<Buffer> {
  const known = (raw as ReadRequest)[readKey];
  if (known) return 'body' in known ? Promise.resolve(known.body) : Promise.reject(known.error);
  const declared = Number(raw.headers['content-length'] ?? Number.NaN);
  if (declared > limit) return Promise.reject(tooLarge(limit, declared));
  if (raw.destroyed) return Promise.reject(clientGone());
  goAhead(raw);
  if (declared <= smallBytes) {
    const errors = { late: () => lateBody(limits.bodyTimeoutMs), gone: clientGone };
    return readSmallBody(raw, declared, limits.bodyTimeoutMs, errors, (first) => readPieces(raw, limit, limits, first));
  }
  return readPieces(raw, limit, limits);
}

/** Counts what arrives; `first` has arrived already. `releaseMemory` must be called at the end of the request. */
export function readPieces(raw: IncomingMessage, limit: number, limits: ReadLimits, first?: Buffer): Promise<Buffer> {
  const declared = Number(raw.headers['content-length'] ?? Number.NaN);
  return new Promise((resolve, reject) => {
    const holding = limits.memory.hold({ client: clientOf(raw.socket.remoteAddress), cut: (error) => fail(error) });
    held.set(raw, holding);
    const buffer = new GrowingBuffer(Number.isNaN(declared) ? limit : declared, (bytes) => holding.add(bytes));
    const timer = setTimeout(() => fail(lateBody(limits.bodyTimeoutMs)), limits.bodyTimeoutMs);
    const stop = (): void => {
      clearTimeout(timer);
      holding.arrived();
      raw.off('data', take).off('end', end).off('close', gone).off('error', gone);
    };
    const fail = (error: unknown): void => {
      stop();
      reject(error);
    };
    const end = (): void => {
      stop();
      resolve(buffer.contents());
    };
    const take = (chunk: Buffer): void => {
      try {
        if (buffer.size + chunk.length > limit) throw tooLarge(limit);
        buffer.append(chunk);
        holding.arriving();
      } catch (error) {
        fail(error);
      }
    };
    const gone = (): void => fail(clientGone());
    raw.on('data', take).on('end', end).on('close', gone).on('error', gone);
    if (first) take(first);
  });
}

/** Grows by what has arrived, not by what was claimed, and does not keep tiny chunks one by one. */
class GrowingBuffer {
  readonly #most: number;
  readonly #reserve: (bytes: number) => void;
  #block = Buffer.alloc(0);
  size = 0;

  /** `most` is its size at the end, or more; `reserve` is asked before memory is taken and may throw. */
  constructor(most: number, reserve: (bytes: number) => void) {
    this.#most = most;
    this.#reserve = reserve;
  }

  append(chunk: Buffer): void {
    const needed = this.size + chunk.length;
    if (needed > this.#block.length) {
      const capacity = Math.max(needed, Math.min(this.#most, Math.max(this.#block.length * 2, firstBlock)));
      this.#reserve(capacity - this.#block.length);
      const larger = Buffer.allocUnsafeSlow(capacity);
      this.#block.copy(larger, 0, 0, this.size);
      this.#block = larger;
    }
    chunk.copy(this.#block, this.size);
    this.size = needed;
  }

  contents(): Buffer {
    return this.#block.subarray(0, this.size);
  }
}

export const lateBody = (limitMs: number): HourglassError =>
  new HourglassError('request-timeout', `The body did not arrive within ${limitMs / 1000} s.`);

export const clientGone = (): HourglassError =>
  new HourglassError('cancelled', 'The client went away before it was answered.');

export const tooLarge = (limit: number, found?: number): HourglassError =>
  new HourglassError('payload-too-large', `The body has more than ${limit} bytes. Send less at a time.`, {
    expected: { atMostBytes: limit },
    ...(found !== undefined && { found: { bytes: found } }),
  });

/** Held until the answer has gone out: the rows of a body lie in its memory. */
const held = new WeakMap<IncomingMessage, Holding>();

/** At the end of every request. */
export function releaseMemory(request: IncomingMessage): void {
  held.get(request)?.release();
  held.delete(request);
}

/** What the request holds of the budget; released at its end. */
export function holdingOf(request: IncomingMessage, memory: ByteBudget): Holding {
  const known = held.get(request);
  if (known) return known;
  const { socket } = request;
  const holding = memory.hold({ client: clientOf(socket.remoteAddress), cut: () => socket.destroy() });
  held.set(request, holding);
  return holding;
}

/** Takes room for an answer that is about to be computed. Throws `overloaded`. */
export function reserveAnswer(request: IncomingMessage, bytes: number, memory: ByteBudget): void {
  holdingOf(request, memory).reserve(bytes);
}

/** Counts an answer that waits to be read. Throws `overloaded`. */
export function holdAnswer(request: IncomingMessage, bytes: number, memory: ByteBudget): void {
  const { socket } = request;
  const holding = holdingOf(request, memory);
  holding.answer(bytes);
  holding.sending(
    () => socket.bytesWritten - socket.writableLength,
    () => socket.destroy(),
  );
}
