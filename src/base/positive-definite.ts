/** Symmetric positive definite matrices in double precision: Cholesky factor and inverse. Row-major, in place. */

/** rows whose updates are done together, so that they stay in the processor's cache */
const block = 48;

/**
 * The lower triangle L with L·Lᵀ = A, in place of A (only its lower triangle is read; the upper becomes 0). `tick` is called
 * now and then; a throw ends it. Throws RangeError when A is not positive definite.
 */
export function cholesky(a: Float64Array, n: number, tick?: () => void): Float64Array {
  for (let from = 0; from < n; from += block) {
    tick?.();
    const to = Math.min(n, from + block);
    for (let i = from; i < n; i++) {
      // Row i, columns from … to, less what the columns before explain.
      for (let j = from; j < Math.min(to, i + 1); j++) {
        const rest = (a[i * n + j] as number) - dot(a, i * n, j * n, j);
        if (i === j) {
          if (!(rest > 0)) throw new RangeError('the matrix is not positive definite');
          a[i * n + i] = Math.sqrt(rest);
        } else {
          a[i * n + j] = rest / (a[j * n + j] as number);
        }
      }
    }
  }
  for (let i = 0; i < n; i++) a.fill(0, i * n + i + 1, (i + 1) * n);
  return a;
}

/** Σ a[x + k]·a[y + k] for k below `count`, in four sums that do not wait for each other. */
function dot(a: Float64Array, x: number, y: number, count: number): number {
  let [s0, s1, s2, s3] = [0, 0, 0, 0];
  let k = 0;
  for (; k + 3 < count; k += 4) {
    s0 += (a[x + k] as number) * (a[y + k] as number);
    s1 += (a[x + k + 1] as number) * (a[y + k + 1] as number);
    s2 += (a[x + k + 2] as number) * (a[y + k + 2] as number);
    s3 += (a[x + k + 3] as number) * (a[y + k + 3] as number);
  }
  for (; k < count; k++) s0 += (a[x + k] as number) * (a[y + k] as number);
  return s0 + s1 + (s2 + s3);
}

/** A⁻¹ in a new array; A is overwritten. Throws as `cholesky` does. */
export function invertPositiveDefinite(a: Float64Array, n: number, tick?: () => void): Float64Array {
  const lower = cholesky(a, n, tick);
  // Rows of U are columns of L⁻¹: U[j] solves L·u = eⱼ, so that sums run along rows.
  const inverse = new Float64Array(n * n);
  for (let j = 0; j < n; j++) {
    if (j % block === 0) tick?.();
    const row = inverse.subarray(j * n, (j + 1) * n);
    row[j] = 1 / (lower[j * n + j] as number);
    for (let i = j + 1; i < n; i++) {
      let sum = 0;
      const at = i * n;
      for (let k = j; k < i; k++) sum += (lower[at + k] as number) * (row[k] as number);
      row[i] = -sum / (lower[at + i] as number);
    }
  }
  // A⁻¹ = L⁻ᵀ·L⁻¹: entry (i, j) is the product of rows i and j of U, which begin with zeros.
  const product = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    if (i % block === 0) tick?.();
    for (let j = 0; j <= i; j++) {
      let sum = 0;
      for (let k = i; k < n; k++) sum += (inverse[i * n + k] as number) * (inverse[j * n + k] as number);
      product[i * n + j] = sum;
      product[j * n + i] = sum;
    }
  }
  return product;
}
