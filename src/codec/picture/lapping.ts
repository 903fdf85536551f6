/**
 * Lapping: before the transform, the `lappedPixels` pixels on either side of every edge between two blocks are mixed, so that the functions of
 * a block reach into its neighbours and no seams show (Tran, Liang & Tu 2003, "Lapped transform via time-domain pre- and post-filtering").
 *
 *   … x₋₄ x₋₃ x₋₂ x₋₁ │ x₀ x₁ x₂ x₃ …     s = x₀ + x₋₁ …   d = V · (x₋₁ − x₀ …)   x₋₁ = (s + d) / 2   x₀ = (s − d) / 2
 *
 * Forward in integers, alike on every device; back in floats. V is the identity where a codec has no lapping.
 */

/** Pixels on either side of an edge that are mixed. */
export const lappedPixels = 4;
/** V's entries are integers in units of 2^-12. */
export const lappingShift = 12;

export const noLapping = (): Int16Array =>
  Int16Array.from({ length: lappedPixels ** 2 }, (_, i) => (i % (lappedPixels + 1) === 0 ? 1 << lappingShift : 0));

/** Orthogonal, of the greatest coding gain for values of a line whose neighbours correlate by .95. */
const orthogonal = [3357, 2277, 529, 201, -2289, 2990, 1605, 138, 484, -1626, 3656, 727, -177, 78, -742, 4024] as const;

/** What a codec chooses from: no lapping, better for flat shapes with hard edges, and that for photographs. */
export const lappings = (): Int16Array[] => [noLapping(), Int16Array.from(orthogonal)];

export const isLapped = (lapping: Int16Array): boolean => noLapping().some((weight, i) => weight !== lapping[i]);

/** Edges along one line of values: the first one lies before `at`, the others `step` apart; values across an edge are `stride` apart. */
export interface Edges {
  readonly at: number;
  readonly count: number;
  readonly step: number;
  readonly stride: number;
}

const half = 1 << (lappingShift - 1);

/** Mixes values across edges, in place. */
export function lap(values: Int32Array, lapping: Int16Array, { at, count, step, stride }: Edges): void {
  const w = (i: number): number => lapping[i] as number;
  const [w00, w01, w02, w03] = [w(0), w(1), w(2), w(3)];
  const [w10, w11, w12, w13] = [w(4), w(5), w(6), w(7)];
  const [w20, w21, w22, w23] = [w(8), w(9), w(10), w(11)];
  const [w30, w31, w32, w33] = [w(12), w(13), w(14), w(15)];
  for (let n = 0, i = at; n < count; n++, i += step) {
    const a0 = i - stride;
    const a1 = i - 2 * stride;
    const a2 = i - 3 * stride;
    const a3 = i - 4 * stride;
    const b1 = i + stride;
    const b2 = i + 2 * stride;
    const b3 = i + 3 * stride;
    const l0 = values[a0] as number;
    const l1 = values[a1] as number;
    const l2 = values[a2] as number;
    const l3 = values[a3] as number;
    const r0 = values[i] as number;
    const r1 = values[b1] as number;
    const r2 = values[b2] as number;
    const r3 = values[b3] as number;
    const t0 = l0 - r0;
    const t1 = l1 - r1;
    const t2 = l2 - r2;
    const t3 = l3 - r3;
    const d0 =
      (Math.imul(w00, t0) + Math.imul(w01, t1) + Math.imul(w02, t2) + Math.imul(w03, t3) + half) >> lappingShift;
    const d1 =
      (Math.imul(w10, t0) + Math.imul(w11, t1) + Math.imul(w12, t2) + Math.imul(w13, t3) + half) >> lappingShift;
    const d2 =
      (Math.imul(w20, t0) + Math.imul(w21, t1) + Math.imul(w22, t2) + Math.imul(w23, t3) + half) >> lappingShift;
    const d3 =
      (Math.imul(w30, t0) + Math.imul(w31, t1) + Math.imul(w32, t2) + Math.imul(w33, t3) + half) >> lappingShift;
    values[a0] = (l0 + r0 + d0) >> 1;
    values[a1] = (l1 + r1 + d1) >> 1;
    values[a2] = (l2 + r2 + d2) >> 1;
    values[a3] = (l3 + r3 + d3) >> 1;
    values[i] = (l0 + r0 - d0) >> 1;
    values[b1] = (l1 + r1 - d1) >> 1;
    values[b2] = (l2 + r2 - d2) >> 1;
    values[b3] = (l3 + r3 - d3) >> 1;
  }
}

/** Undoes `lap` for values that are no integers. @param inverse of V, not scaled: see `unlapping` */
export function unlap(values: Float32Array, inverse: Float64Array, { at, count, step, stride }: Edges): void {
  const sums = new Float64Array(lappedPixels);
  const differences = new Float64Array(lappedPixels);
  for (let n = 0, i = at; n < count; n++, i += step) {
    for (let p = 0; p < lappedPixels; p++) {
      const [left, right] = [values[i - (p + 1) * stride] as number, values[i + p * stride] as number];
      sums[p] = left + right;
      differences[p] = left - right;
    }
    for (let p = 0; p < lappedPixels; p++) {
      let d = 0;
      for (let q = 0; q < lappedPixels; q++)
        d += (inverse[p * lappedPixels + q] as number) * (differences[q] as number);
      values[i - (p + 1) * stride] = ((sums[p] as number) + d) / 2;
      values[i + p * stride] = ((sums[p] as number) - d) / 2;
    }
  }
}
