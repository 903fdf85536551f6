/** What a version that recommends says of its items: `recommender.json`, written when it is published and read when it is asked. */

export interface RecommenderFacts {
  /** what a score is: a rating in the range of the data set, or only an order */
  readonly scores: 'ratings' | 'preferences';
  /** smallest and largest rating of the data set */
  readonly range: readonly [number, number];
  /** in the order of the model's inputs and outputs */
  readonly items: readonly { readonly id: string; readonly name?: string }[];
}

export const recommenderFile = 'recommender.json';

/** Numbers of the best scores, the best first; those for which `isLeftOut` is true are passed over. The first of equals wins. */
export function bestOf(scores: ArrayLike<number>, count: number, isLeftOut: (item: number) => boolean): number[] {
  // A heap of the best so far with the worst of them on top: scores are many, the answer is short.
  const heap: number[] = [];
  const isWorse = (a: number, b: number): boolean => {
    const [x, y] = [scores[a] as number, scores[b] as number];
    return x < y || (x === y && a > b);
  };
  const swap = (i: number, j: number): void => {
    [heap[i], heap[j]] = [heap[j] as number, heap[i] as number];
  };
  const sink = (): void => {
    for (let i = 0; ; ) {
      let worst = i;
      for (const child of [2 * i + 1, 2 * i + 2]) {
        if (child < heap.length && isWorse(heap[child] as number, heap[worst] as number)) worst = child;
      }
      if (worst === i) return;
      swap(i, worst);
      i = worst;
    }
  };
  for (let item = 0; item < scores.length; item++) {
    if (isLeftOut(item)) continue;
    if (heap.length < count) {
      heap.push(item);
      for (
        let i = heap.length - 1;
        i > 0 && isWorse(heap[i] as number, heap[(i - 1) >> 1] as number);
        i = (i - 1) >> 1
      ) {
        swap(i, (i - 1) >> 1);
      }
    } else if (count > 0 && isWorse(heap[0] as number, item)) {
      heap[0] = item;
      sink();
    }
  }
  return heap.sort((a, b) => (isWorse(a, b) ? 1 : -1));
}
