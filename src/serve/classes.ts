/** From probabilities to the class that each row most probably is of. */

import type { Prediction } from './predictor.ts';

/** The number of the most probable class of each row; the first of equals. */
export function labelsOf({ outputs: { shape, data } }: Pick<Prediction, 'outputs'>): number[] {
  const [rows = 0, classes = 0] = shape;
  return Array.from({ length: rows }, (_, row) => {
    const probabilities = data.subarray(row * classes, (row + 1) * classes);
    return probabilities.indexOf(Math.max(...probabilities));
  });
}
