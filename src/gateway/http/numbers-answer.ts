/** Numbers as JSON inside other text: short answers in one piece, long ones written as they are read. */

import { Readable } from 'node:stream';
import type { NdArray } from '../../base/ndarray.ts';
import { numbersAPiece, writeNumbers } from '../json/write.ts';
import { nextStep } from '../pace.ts';

/** text that has been written and waits to be read: about two pieces */
const textAheadBytes = 128 * 1024;

const bytes = new WeakMap<Readable, number>();

/** `head`, the numbers nested by their shape, `tail`. */
export function numbersAnswer(head: string, numbers: NdArray<'float32'>, tail: string): Buffer | Readable {
  const pieces = writeNumbers(numbers);
  if (numbers.data.length <= numbersAPiece) return Buffer.concat([Buffer.from(head), ...pieces, Buffer.from(tail)]);
  const text = async function* (): AsyncGenerator<Buffer> {
    yield Buffer.from(head);
    for (const piece of pieces) {
      yield piece;
      await nextStep();
    }
    yield Buffer.from(tail);
  };
  const answer = Readable.from(text(), { objectMode: false });
  return holdsBytes(answer, numbers.data.byteLength + textAheadBytes);
}

/** Says what a stream keeps in memory until it is read. */
export function holdsBytes<S extends Readable>(stream: S, count: number): S {
  bytes.set(stream, count);
  return stream;
}

/** 0 for a stream of which little is in memory at a time. */
export const bytesHeldBy = (stream: Readable): number => bytes.get(stream) ?? 0;
