/** Small dense linear algebra for fitting a codec: least squares by Cholesky, eigenvectors by Jacobi rotations. */

/** Solves (A + ridge · diag) x = b for a symmetric positive A [n, n]; A is overwritten. */
export function solve(a: Float64Array, b: Float64Array, n: number, ridge: number): Float64Array {
  for (let i = 0; i < n; i++) a[i * n + i] = (a[i * n + i] as number) * (1 + ridge) + 1e-9;
  for (let j = 0; j < n; j++) {
    for (let i = j; i < n; i++) {
      let sum = a[i * n + j] as number;
      for (let k = 0; k < j; k++) sum -= (a[i * n + k] as number) * (a[j * n + k] as number);
      a[i * n + j] = i === j ? Math.sqrt(Math.max(sum, 1e-12)) : sum / (a[j * n + j] as number);
    }
  }
  const x = b.slice();
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < i; k++) x[i] = (x[i] as number) - (a[i * n + k] as number) * (x[k] as number);
    x[i] = (x[i] as number) / (a[i * n + i] as number);
  }
  for (let i = n - 1; i >= 0; i--) {
    for (let k = i + 1; k < n; k++) x[i] = (x[i] as number) - (a[k * n + i] as number) * (x[k] as number);
    x[i] = (x[i] as number) / (a[i * n + i] as number);
  }
  return x;
}

/** Normal equations of a weighted least-squares fit, filled one observation at a time. */
export class NormalEquations {
  readonly #n: number;
  readonly #gram: Float64Array;
  readonly #moments: Float64Array;
  observations = 0;

  constructor(n: number) {
    this.#n = n;
    this.#gram = new Float64Array(n * n);
    this.#moments = new Float64Array(n);
  }

  add(inputs: Float64Array, target: number, weight: number): void {
    const n = this.#n;
    for (let i = 0; i < n; i++) {
      const x = (inputs[i] as number) * weight;
      if (x === 0) continue;
      for (let j = 0; j <= i; j++)
        this.#gram[i * n + j] = (this.#gram[i * n + j] as number) + x * (inputs[j] as number);
      this.#moments[i] = (this.#moments[i] as number) + x * target;
    }
    this.observations++;
  }

  solve(ridge: number): Float64Array {
    return solve(this.#gram.slice(), this.#moments, this.#n, ridge);
  }
}

/** Orthonormal eigenvectors of a small symmetric matrix [n, n], as rows, by falling eigenvalue. */
export function eigenvectors(matrix: Float64Array, n: number): Float64Array {
  const a = matrix.slice();
  const v = new Float64Array(n * n);
  for (let i = 0; i < n; i++) v[i * n + i] = 1;
  const at = (i: number, j: number): number => a[i * n + j] as number;
  for (let sweep = 0; sweep < 50; sweep++) {
    for (let p = 0; p < n; p++) {
      for (let q = p + 1; q < n; q++) {
        if (Math.abs(at(p, q)) < 1e-12) continue;
        const theta = (at(q, q) - at(p, p)) / (2 * at(p, q));
        const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
        const c = 1 / Math.sqrt(t * t + 1);
        const s = t * c;
        for (let k = 0; k < n; k++) {
          const [kp, kq] = [at(k, p), at(k, q)];
          a[k * n + p] = c * kp - s * kq;
          a[k * n + q] = s * kp + c * kq;
        }
        for (let k = 0; k < n; k++) {
          const [pk, qk] = [at(p, k), at(q, k)];
          a[p * n + k] = c * pk - s * qk;
          a[q * n + k] = s * pk + c * qk;
          const [vp, vq] = [v[p * n + k] as number, v[q * n + k] as number];
          v[p * n + k] = c * vp - s * vq;
          v[q * n + k] = s * vp + c * vq;
        }
      }
    }
  }
  const order = Array.from({ length: n }, (_, i) => i).sort((i, j) => at(j, j) - at(i, i));
  const out = new Float64Array(n * n);
  for (const [row, i] of order.entries()) {
    const vector = v.subarray(i * n, (i + 1) * n);
    const sign = vector.reduce((sum, x) => sum + x, 0) < 0 ? -1 : 1;
    for (let k = 0; k < n; k++) out[row * n + k] = sign * (vector[k] as number);
  }
  return out;
}
