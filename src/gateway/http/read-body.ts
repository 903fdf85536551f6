/**
 * Reading of request bodies as bytes: within limits of size, time and the memory that all bodies share. Nothing is read
 * before a route wants it, and what nobody wants is got rid of without cutting off the answer.
 */

import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { HourglassError } from '../../base/errors.ts';
import type { Budget } from '../budget.ts';
import { readSmallBody, smallBytes } from './small-body.ts';

export interface ReadLimits {
  /** until a body has arrived */
  readonly bodyTimeoutMs: number;
  readonly memory: Budget;
}

const firstBlock = 64 * 1024;
/** so long a refused client may go on sending, so that it gets to see the answer */
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
    return;
  }
  // Fastify closes the connection of every body that is refused, and loses the requests that were pipelined behind it. While a
  // body still arrives, it would also reset the connection under the answer.
  reply.removeHeader('connection');
  if (request.complete) return;
  request.resume();
  const { socket } = request;
  reply.raw.once('finish', async () => {
    await sleep(lingerMs, undefined, { ref: false });
    if (!request.complete) socket.destroy();
  });
}

/** Throws `payload-too-large`, `request-timeout`, `overloaded`, `cancelled`. */
export function readBody({ raw }: FastifyRequest, limit: number, limits: ReadLimits): Promise<Buffer> {
  const declared = Number(raw.headers['content-length'] ?? Number.NaN);
  if (declared > limit) return Promise.reject(tooLarge(limit, declared));
  if (raw.destroyed) return Promise.reject(clientGone());
  goAhead(raw);
  if (declared <= smallBytes) {
    const errors = { late: () => late(limits.bodyTimeoutMs), gone: clientGone };
    return readSmallBody(raw, declared, limits.bodyTimeoutMs, errors);
  }
  const buffer = new GrowingBuffer((bytes) => holdMemory(raw, limits.memory, bytes));
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => fail(late(limits.bodyTimeoutMs)), limits.bodyTimeoutMs);
    const stop = (): void => {
      clearTimeout(timer);
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
      } catch (error) {
        fail(error);
      }
    };
    const gone = (): void => fail(clientGone());
    raw.on('data', take).on('end', end).on('close', gone).on('error', gone);
  });
}

/** Grows by what has arrived, not by what was claimed, and does not keep tiny chunks one by one. */
class GrowingBuffer {
  readonly #reserve: (bytes: number) => void;
  #block = Buffer.alloc(0);
  size = 0;

  /** `reserve` is asked before memory is taken and may throw. */
  constructor(reserve: (bytes: number) => void) {
    this.#reserve = reserve;
  }

  append(chunk: Buffer): void {
    const needed = this.size + chunk.length;
    if (needed > this.#block.length) {
      const capacity = Math.max(needed, this.#block.length * 2, firstBlock);
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

const late = (limitMs: number): HourglassError =>
  new HourglassError('request-timeout', `The body did not arrive within ${limitMs / 1000} s.`);

export const clientGone = (): HourglassError =>
  new HourglassError('cancelled', 'The client went away before it was answered.');

export const tooLarge = (limit: number, found?: number): HourglassError =>
  new HourglassError('payload-too-large', `The body has more than ${limit} bytes. Send less at a time.`, {
    expected: { atMostBytes: limit },
    ...(found !== undefined && { found: { bytes: found } }),
  });

const held = new WeakMap<IncomingMessage, number>();

/** Held until the answer has gone out: the rows of a body lie in its memory. */
function holdMemory(request: IncomingMessage, memory: Budget, amount: number): void {
  memory.take(amount);
  held.set(request, (held.get(request) ?? 0) + amount);
}

/** At the end of every request. */
export function releaseMemory(request: IncomingMessage, memory: Budget): void {
  const amount = held.get(request);
  held.delete(request);
  if (amount !== undefined) memory.giveBack(amount);
}
