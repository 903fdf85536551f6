/** Decompresses requests of all transports, a few at a time: what they decompress to counts as it comes. */

import { createGunzip, createInflate } from 'node:zlib';
import { HourglassError } from '../base/errors.ts';
import type { Holding } from './byte-budget.ts';
import { FairQueue } from './fair-queue.ts';
import { GrowingBuffer } from './growing-buffer.ts';

export type Coding = 'gzip' | 'deflate';

/** Requests that are decompressed at a time; what waits for its turn is still small. Clients take turns. */
const maxInflating = 2;
const chunkSize = 64 * 1024;
let inflating = 0;
const waiting = new FairQueue<() => void>();

/**
 * The bytes as they were before they were compressed; `holding` holds them from then on. Throws `decompressed-too-large`,
 * `malformed-body`, `overloaded`.
 */
export async function inflateWithin(
  compressed: Uint8Array,
  coding: Coding,
  holding: Holding,
  limit: number,
): Promise<Buffer> {
  if (inflating < maxInflating) inflating++;
  else await new Promise<void>((resolve) => waiting.push(holding.client, resolve));
  const output = new GrowingBuffer(limit);
  try {
    if (holding.isReleased) throw ended();
    const inflater = coding === 'gzip' ? createGunzip({ chunkSize }) : createInflate({ chunkSize });
    inflater.end(compressed);
    // Leaving the loop by an error destroys the inflater.
    for await (const piece of inflater as AsyncIterable<Buffer>) {
      if (holding.isReleased) throw ended();
      if (output.length + piece.length > limit) throw tooLarge(limit);
      holding.add(piece.length);
      output.push(piece);
    }
    return output.take();
  } catch (error) {
    holding.giveBack(output.length);
    throw error instanceof HourglassError
      ? error
      : new HourglassError('malformed-body', `The request is not valid ${coding}.`, { expected: coding });
  } finally {
    output.drop();
    // A turn that is passed on stays counted.
    const next = waiting.shift();
    if (next) next();
    else inflating--;
  }
}

/** Nobody sees it: the request has been cut off, or its client is gone. */
const ended = (): HourglassError => new HourglassError('request-timeout', 'The request has ended.');

const tooLarge = (limit: number): HourglassError =>
  new HourglassError(
    'decompressed-too-large',
    `The request is larger than ${limit} bytes once decompressed. Send less at a time.`,
    { expected: { atMostBytes: limit } },
  );
