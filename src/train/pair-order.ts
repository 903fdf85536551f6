/**
 * In which order pairs are trained on. The rows of a batch come longest first and are about as long as their place in the batch is
 * made for, so that no step is computed for the ends of short ones:
 *
 *   all rows, longest first  │ band 0 │ band 1 │ … │ band B − 1 │      each batch has one row of each band, drawn without
 *                            └──► place 0  └──► place 1               putting back; an epoch has as many batches as a band rows
 */

import type { RandomStream } from '../base/random.ts';
import type { Dataset } from '../data/dataset.ts';
import type { RowOrder } from '../data/shuffled-rows.ts';
import type { PairFacts } from '../jobspec/pair-facts.ts';
import type { Slots } from '../models/sequence-to-sequence.ts';
import type { RowRange } from './feeder.ts';

export interface PairOrder {
  readonly slots: Slots;
  readonly order: RowOrder;
}

const blockRows = 4096;
/** Steps that the rest alone would need cost as much as a whole batch of it: they are not trained on. */
const trainedShare = 0.998;

export async function pairOrder(
  dataset: Dataset,
  { sourceLength, targetLength }: PairFacts,
  range: RowRange,
  batchSize: number,
): Promise<PairOrder> {
  const lengths = await lengthsOf(dataset, range, sourceLength);
  const total = (row: number): number => (lengths.source[row] as number) + (lengths.target[row] as number);
  const limits = { source: usual(lengths.source), target: usual(lengths.target) };
  const taken = Uint32Array.from(lengths.source.keys()).filter(
    (row) => (lengths.source[row] as number) <= limits.source && (lengths.target[row] as number) <= limits.target,
  );
  const rows = taken.length;
  const batch = Math.min(batchSize, rows);
  const sorted = taken.sort((a, b) => total(b) - total(a) || a - b);
  const bands = Array.from({ length: batch }, (_, place) =>
    sorted.subarray(Math.floor((place * rows) / batch), Math.floor(((place + 1) * rows) / batch)),
  );
  const longest = (of: Uint16Array, most: number): number[] => {
    const own = bands.map((band) => band.reduce((length, row) => Math.max(length, of[row] as number), 1));
    // A place has to be long enough for all places after it.
    for (let place = batch - 2; place >= 0; place--) {
      own[place] = Math.max(own[place] as number, own[place + 1] as number);
    }
    return own.map((length) => Math.min(length, most));
  };
  return {
    slots: { source: longest(lengths.source, sourceLength), target: longest(lengths.target, targetLength) },
    order(random: RandomStream): Uint32Array {
      const order = new Uint32Array(range.end - range.start);
      const steps = Math.floor(order.length / batch);
      for (const [place, band] of bands.entries()) {
        const drawn = random.permutation(band.length);
        for (let step = 0; step < steps; step++)
          order[step * batch + place] = band[drawn[step % band.length] as number] as number;
      }
      return order;
    },
  };
}

/** The length that all but a few have at most. */
function usual(lengths: Uint16Array): number {
  const sorted = lengths.toSorted();
  return sorted[Math.max(0, Math.ceil(trainedShare * sorted.length) - 1)] as number;
}

/** Symbols of sources, and of targets with their ends. */
async function lengthsOf(dataset: Dataset, { start, end }: RowRange, sourceLength: number) {
  const split = dataset.split('train');
  const { rowSize } = split;
  const source = new Uint16Array(end - start);
  const target = new Uint16Array(end - start);
  for (let first = start; first < end; first += blockRows) {
    const last = Math.min(end, first + blockRows);
    const values = new Float32Array((last - first) * rowSize);
    await split.readRange(first, last, values);
    for (let row = first; row < last; row++) {
      const own = values.subarray((row - first) * rowSize, (row - first + 1) * rowSize);
      const count = (part: Float32Array): number => part.reduce((sum, value) => sum + (value > 0 ? 1 : 0), 0);
      source[row - start] = count(own.subarray(0, sourceLength));
      target[row - start] = count(own.subarray(sourceLength)) + 1;
    }
  }
  return { source, target };
}
