/**
 * EASE, the linear autoencoder of ratings in closed form: scores = x·B with a zero diagonal, so that no item recommends itself.
 * Steck 2019, "Embarrassingly shallow autoencoders for sparse data":
 *
 *   B = I − P·diag(1 / diag P),   P = (XᵀX + λI)⁻¹
 */

import { invertPositiveDefinite } from './positive-definite.ts';
import type { SparseMatrix } from './sparse.ts';

/** items × items numbers have to be inverted */
export const mostEaseItems = 8192;

/** B, row-major [items, items], for x of 1 where a person has an entry and 0 elsewhere. */
export function easeWeights(liked: SparseMatrix, regularisation: number, tick?: () => void): Float32Array {
  const { rows, columns: items, starts, indices } = liked;
  const gram = new Float64Array(items * items);
  for (let row = 0; row < rows; row++) {
    const own = indices.subarray(starts[row], starts[row + 1]);
    for (const i of own) for (const j of own) gram[i * items + j] = (gram[i * items + j] as number) + 1;
  }
  for (let i = 0; i < items; i++) gram[i * items + i] = (gram[i * items + i] as number) + regularisation;
  const inverse = invertPositiveDefinite(gram, items, tick);
  const weights = new Float32Array(items * items);
  for (let i = 0; i < items; i++) {
    for (let j = 0; j < items; j++) {
      if (i === j) continue;
      weights[i * items + j] = -(inverse[i * items + j] as number) / (inverse[j * items + j] as number);
    }
  }
  return weights;
}
