/**
 * Coherence of topics: normalised pointwise mutual information of the first words of each, by whether documents have both words.
 * Bouma 2009; Lau, Newman & Baldwin 2014.
 *
 *   NPMI(a, b) = ln(p(a, b) / (p(a)·p(b))) / −ln p(a, b), −1 where no document has both; 1 where they are always together
 */

import type { SparseMatrix } from '../base/sparse.ts';

/** Mean over the pairs of each topic's words: numbers of words, one list for each topic. */
export function coherences(topics: readonly (readonly number[])[], { rows, indices, starts }: SparseMatrix): number[] {
  const places = new Map([...new Set(topics.flat())].map((word, place) => [word, place]));
  const having = Array.from(places, (): number[] => []);
  for (let row = 0; row < rows; row++) {
    for (const word of indices.subarray(starts[row], starts[row + 1])) {
      const place = places.get(word);
      if (place !== undefined) having[place]?.push(row);
    }
  }
  const sets = having.map((documents) => new Set(documents));
  const of = (a: number, b: number): number => {
    const [inA, inB] = [sets[places.get(a) as number] as Set<number>, sets[places.get(b) as number] as Set<number>];
    let both = 0;
    for (const row of inA) if (inB.has(row)) both++;
    if (both === 0) return -1;
    if (both === rows) return 1;
    return Math.log((both * rows) / (inA.size * inB.size)) / -Math.log(both / rows);
  };
  return topics.map((words) => {
    let [sum, pairs] = [0, 0];
    for (let i = 1; i < words.length; i++) {
      for (let j = 0; j < i; j++) {
        sum += of(words[i] as number, words[j] as number);
        pairs++;
      }
    }
    return pairs === 0 ? 0 : sum / pairs;
  });
}

/** Share of different words among the first words of all topics. */
export const diversity = (topics: readonly (readonly number[])[]): number =>
  new Set(topics.flat()).size / Math.max(1, topics.flat().length);
