/** Large answers: their bytes are counted while they wait to be read, and they are written in pieces at the reader's pace. */

import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import type { ByteBudget } from '../byte-budget.ts';
import { holdAnswer } from './read-body.ts';

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
    holdAnswer(request, bytesOfRows(reply), memory);
    return payload;
  }
  if (!Buffer.isBuffer(payload) && typeof payload !== 'string') return payload;
  if (payload.length <= pieceBytes) return payload;
  const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload;
  holdAnswer(request, bytes.length, memory);
  reply.header('content-length', bytes.length);
  return Readable.from(piecesOf(bytes), { objectMode: false, highWaterMark: pieceBytes });
}

/** Rows that are written as JSON bit by bit lie in memory as float32. */
function bytesOfRows(reply: FastifyReply): number {
  const shape = reply.getHeader('x-hourglass-shape');
  return typeof shape === 'string' ? 4 * shape.split(',').reduce((size, side) => size * Number(side), 1) : 0;
}

function* piecesOf(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
}
