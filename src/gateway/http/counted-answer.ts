/** Large answers: their bytes are counted while they wait to be read, and they are written in pieces at the reader's pace. */

import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import type { ByteBudget } from '../byte-budget.ts';
import { bytesHeldBy } from './numbers-answer.ts';
import { holdAnswer } from './read-body.ts';

/** Smaller answers are not counted, whatever happens to them. */
const tinyBytes = 1024;
/** Larger answers are written in pieces of this size, so that it can be seen whether their client reads. */
const pieceBytes = 64 * 1024;

/** What to send in place of `payload`. Throws `overloaded`. */
export function countAnswer(
  request: IncomingMessage,
  reply: FastifyReply,
  payload: unknown,
  memory: ByteBudget,
): unknown {
  if (payload instanceof Readable) {
    const bytes = bytesHeldBy(payload);
    if (bytes > 0) holdAnswer(request, bytes, memory);
    return payload;
  }
  if (!Buffer.isBuffer(payload) && typeof payload !== 'string') return payload;
  if (payload.length <= pieceBytes) {
    countShortAnswer(request, reply.raw, payload.length, memory);
    return payload;
  }
  const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload;
  holdAnswer(request, bytes.length, memory);
  reply.header('content-length', bytes.length);
  return Readable.from(piecesOf(bytes), { objectMode: false, highWaterMark: pieceBytes });
}

/** For an answer that is written in one piece. Throws `overloaded`. */
export function countShortAnswer(
  request: IncomingMessage,
  { socket }: ServerResponse,
  bytes: number,
  memory: ByteBudget,
): void {
  // The connection is still at the answer to an earlier request, or its client does not read.
  const mustWait = socket === null || socket.writableLength > 0;
  if (mustWait && bytes > tinyBytes) holdAnswer(request, bytes, memory);
}

function* piecesOf(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
}
