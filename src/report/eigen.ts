/**
 * Eigenvalues and eigenvectors of a real symmetric matrix: Householder's reduction to tridiagonal form, then the QL method with
 * implicit shifts (Golub & Van Loan, "Matrix Computations", §8.3). All inner loops run along rows in memory. Why not a library:
 * docs/decisions/0016-eigenvectors.md.
 *
 *   A = Q·T·Qᵀ, T tridiagonal      T = S·Λ·Sᵀ      eigenvectors: columns of Q·S
 */

export interface Eigensystem {
  /** falling */
  readonly values: Float64Array;
  /** [n, n]: row i is the unit eigenvector of value i */
  readonly vectors: Float64Array;
}

/** sweeps for each eigenvalue, taken over all of them; about two are needed */
const maxSweeps = 30;
/** beside entries of size 1 taken as 0, and large enough for its square to be a normal number */
const negligible = 1e-140;

/** `matrix` [n, n] is read from its lower triangle. O(n³): about a second for n = 784. */
export function symmetricEigen(matrix: Float64Array, n: number): Eigensystem {
  if (matrix.length !== n * n) throw new RangeError(`${matrix.length} values are not a matrix of ${n} rows`);
  // entries of at most 1, so that no square is out of range
  const scale = matrix.reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1;
  const a = matrix.map((value) => value / scale);
  const { diagonal, offDiagonal, vectors } = tridiagonalise(a, n);
  implicitQl(diagonal, offDiagonal, vectors, n);
  const order = Array.from({ length: n }, (_, i) => i).sort((i, j) => diagonal[j]! - diagonal[i]!);
  const sorted = new Float64Array(n * n);
  for (const [to, from] of order.entries()) {
    for (let j = 0; j < n; j++) sorted[to * n + j] = vectors[j * n + from]!;
  }
  return { values: Float64Array.from(order, (i) => diagonal[i]! * scale), vectors: sorted };
}

interface Tridiagonal {
  readonly diagonal: Float64Array;
  /** entry i is next to diagonal i and i + 1 */
  readonly offDiagonal: Float64Array;
  /** Q */
  readonly vectors: Float64Array;
}

/** Overwrites the lower triangle of `a`. */
function tridiagonalise(a: Float64Array, n: number): Tridiagonal {
  const offDiagonal = new Float64Array(n);
  /** reflector k: I − βvvᵀ with v in row k, from column k + 1 */
  const reflectors = new Float64Array(n * n);
  const betas = new Float64Array(n);
  const p = new Float64Array(n);
  for (let k = 0; k < n - 1; k++) {
    const v = reflectors.subarray(k * n, (k + 1) * n);
    let tail = 0;
    for (let i = k + 1; i < n; i++) v[i] = a[i * n + k]!;
    for (let i = k + 2; i < n; i++) tail += v[i]! * v[i]!;
    const head = v[k + 1]!;
    if (tail < negligible * negligible) {
      offDiagonal[k] = head;
      continue;
    }
    const norm = Math.sqrt(head * head + tail);
    const signed = head > 0 ? -norm : norm;
    offDiagonal[k] = signed;
    v[k + 1] = head - signed;
    for (let i = k + 1; i < n; i++) v[i]! /= norm;
    const beta = 2 / (v[k + 1]! * v[k + 1]! + tail / norm / norm);
    betas[k] = beta;
    reduce(a, n, k, v, beta, p);
  }
  const diagonal = Float64Array.from({ length: n }, (_, i) => a[i * n + i]!);
  return { diagonal, offDiagonal, vectors: accumulate(reflectors, betas, n) };
}

/** A ← H·A·H below and right of k, as A − v·wᵀ − w·vᵀ with w = β(A·v) − (β²/2)(vᵀ·A·v)·v. */
function reduce(a: Float64Array, n: number, k: number, v: Float64Array, beta: number, p: Float64Array): void {
  p.fill(0);
  for (let i = k + 1; i < n; i++) {
    const row = i * n;
    const vi = v[i]!;
    let sum = a[row + i]! * vi;
    for (let j = k + 1; j < i; j++) {
      const value = a[row + j]!;
      sum += value * v[j]!;
      p[j]! += value * vi;
    }
    p[i]! += sum;
  }
  let vp = 0;
  for (let i = k + 1; i < n; i++) vp += v[i]! * p[i]!;
  const shift = (beta * beta * vp) / 2;
  for (let i = k + 1; i < n; i++) p[i] = beta * p[i]! - shift * v[i]!;
  for (let i = k + 1; i < n; i++) {
    const row = i * n;
    const vi = v[i]!;
    const wi = p[i]!;
    for (let j = k + 1; j <= i; j++) a[row + j]! -= vi * p[j]! + wi * v[j]!;
  }
}

/** Q = H₀·H₁·…: from the last reflector on, since it touches the least. */
function accumulate(reflectors: Float64Array, betas: Float64Array, n: number): Float64Array {
  const q = new Float64Array(n * n);
  for (let i = 0; i < n; i++) q[i * n + i] = 1;
  const u = new Float64Array(n);
  for (let k = n - 2; k >= 0; k--) {
    const beta = betas[k]!;
    if (beta === 0) continue;
    const v = reflectors.subarray(k * n, (k + 1) * n);
    u.fill(0);
    for (let i = k + 1; i < n; i++) {
      const vi = v[i]!;
      for (let j = k + 1, at = i * n + j; j < n; j++, at++) u[j]! += vi * q[at]!;
    }
    for (let i = k + 1; i < n; i++) {
      const scaled = beta * v[i]!;
      for (let j = k + 1, at = i * n + j; j < n; j++, at++) q[at]! -= scaled * u[j]!;
    }
  }
  return q;
}

/** Leaves eigenvalues in `d` and turns the columns of `z` into eigenvectors; destroys `e`. */
function implicitQl(d: Float64Array, e: Float64Array, z: Float64Array, n: number): void {
  const turns: Turns = { cosines: new Float64Array(n), sines: new Float64Array(n) };
  e[n - 1] = 0;
  let size = 0;
  for (let i = 0; i < n; i++) size = Math.max(size, Math.abs(d[i]!) + Math.abs(e[i]!));
  // Beside the whole matrix, not beside its neighbours: Householder's reduction has already rounded by as much, and where data
  // has fewer rows than columns most of the matrix is such rounding, which never settles on values of its own.
  const rounding = negligible + Number.EPSILON * size;
  let sweeps = maxSweeps * n;
  for (let l = 0; l < n; l++) {
    for (;;) {
      let m = l;
      while (m < n - 1 && Math.abs(e[m]!) > rounding) m++;
      if (m === l) break;
      if (sweeps-- === 0) throw new Error('the eigenvalues did not converge');
      rotate(z, n, sweep(d, e, turns, l, m), m, turns);
    }
  }
}

interface Turns {
  readonly cosines: Float64Array;
  readonly sines: Float64Array;
}

/** One implicit QL step on the unreduced block l … m, with Wilkinson's shift. Notes its rotations and returns the last one. */
function sweep(d: Float64Array, e: Float64Array, { cosines, sines }: Turns, l: number, m: number): number {
  let g = (d[l + 1]! - d[l]!) / (2 * e[l]!);
  let r = Math.hypot(g, 1);
  g = d[m]! - d[l]! + e[l]! / (g + (g >= 0 ? r : -r));
  let s = 1;
  let c = 1;
  let p = 0;
  for (let i = m - 1; i >= l; i--) {
    const f = s * e[i]!;
    const b = c * e[i]!;
    r = Math.hypot(f, g);
    e[i + 1] = r;
    if (r === 0) {
      d[i + 1]! -= p;
      e[m] = 0;
      return i + 1;
    }
    s = f / r;
    c = g / r;
    g = d[i + 1]! - p;
    r = (d[i]! - g) * s + 2 * c * b;
    p = s * r;
    d[i + 1] = g + p;
    g = c * r - b;
    cosines[i] = c;
    sines[i] = s;
  }
  d[l]! -= p;
  e[l] = g;
  e[m] = 0;
  return l;
}

/** Rotates columns i and i + 1 of `z` for i = m − 1 … l: along each row at once, four rows together to keep the units busy. */
function rotate(z: Float64Array, n: number, l: number, m: number, { cosines, sines }: Turns): void {
  let row = 0;
  for (; row + 3 < n; row += 4) {
    const [a, b, c, d] = [row * n, (row + 1) * n, (row + 2) * n, (row + 3) * n];
    let [highA, highB, highC, highD] = [z[a + m]!, z[b + m]!, z[c + m]!, z[d + m]!];
    for (let i = m - 1; i >= l; i--) {
      const cosine = cosines[i]!;
      const sine = sines[i]!;
      const lowA = z[a + i]!;
      const lowB = z[b + i]!;
      const lowC = z[c + i]!;
      const lowD = z[d + i]!;
      z[a + i + 1] = sine * lowA + cosine * highA;
      z[b + i + 1] = sine * lowB + cosine * highB;
      z[c + i + 1] = sine * lowC + cosine * highC;
      z[d + i + 1] = sine * lowD + cosine * highD;
      highA = cosine * lowA - sine * highA;
      highB = cosine * lowB - sine * highB;
      highC = cosine * lowC - sine * highC;
      highD = cosine * lowD - sine * highD;
    }
    z[a + l] = highA;
    z[b + l] = highB;
    z[c + l] = highC;
    z[d + l] = highD;
  }
  for (; row < n; row++) {
    let high = z[row * n + m]!;
    for (let i = m - 1; i >= l; i--) {
      const low = z[row * n + i]!;
      z[row * n + i + 1] = sines[i]! * low + cosines[i]! * high;
      high = cosines[i]! * low - sines[i]! * high;
    }
    z[row * n + l] = high;
  }
}
