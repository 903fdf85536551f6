/** The simplest guess of a rating: the mean, and how far the person and the item usually are from it. */

import type { SparseMatrix } from '../base/sparse.ts';

/** ratings of the mean that each person and item is thought to have had before */
const prior = { person: 10, item: 5 };
const rounds = 10;

/** r̂ = μ + b(person) + b(item), each bias shrunk towards 0 where there are few ratings; found in turns. */
export function fitBiases({
  rows,
  columns,
  starts,
  indices,
  values,
}: SparseMatrix): (person: number, item: number) => number {
  const mean = values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
  const people = new Float64Array(rows);
  const items = new Float64Array(columns);
  for (let round = 0; round < rounds; round++) {
    const sums = new Float64Array(columns);
    const counts = new Uint32Array(columns);
    for (let person = 0; person < rows; person++) {
      for (let entry = starts[person] as number; entry < (starts[person + 1] as number); entry++) {
        const item = indices[entry] as number;
        sums[item] = (sums[item] as number) + (values[entry] as number) - mean - (people[person] as number);
        counts[item] = (counts[item] as number) + 1;
      }
    }
    for (let item = 0; item < columns; item++)
      items[item] = (sums[item] as number) / ((counts[item] as number) + prior.item);
    for (let person = 0; person < rows; person++) {
      const [from, to] = [starts[person] as number, starts[person + 1] as number];
      let sum = 0;
      for (let entry = from; entry < to; entry++) {
        sum += (values[entry] as number) - mean - (items[indices[entry] as number] as number);
      }
      people[person] = sum / (to - from + prior.person);
    }
  }
  return (person, item) => mean + (people[person] as number) + (items[item] as number);
}
