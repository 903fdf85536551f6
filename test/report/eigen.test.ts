import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RandomStream } from '../../src/base/random.ts';
import { symmetricEigen } from '../../src/report/eigen.ts';

function symmetric(n: number, value: (i: number, j: number) => number): Float64Array {
  const a = new Float64Array(n * n);
  for (let i = 0; i < n; i++) for (let j = 0; j <= i; j++) a[i * n + j] = a[j * n + i] = value(i, j);
  return a;
}

/** Largest |A·v − λ·v| and |vᵢ·vⱼ − δᵢⱼ|, relative to the matrix's size. */
function residuals(a: Float64Array, n: number): { equation: number; orthogonality: number; falling: boolean } {
  const { values, vectors } = symmetricEigen(a, n);
  const scale = Math.max(1e-300, ...a.map(Math.abs)) * n;
  let equation = 0;
  let orthogonality = 0;
  for (let v = 0; v < n; v++) {
    for (let i = 0; i < n; i++) {
      let image = 0;
      let dot = 0;
      for (let j = 0; j < n; j++) {
        image += a[i * n + j]! * vectors[v * n + j]!;
        dot += vectors[v * n + j]! * vectors[i * n + j]!;
      }
      equation = Math.max(equation, Math.abs(image - values[v]! * vectors[v * n + i]!) / scale);
      orthogonality = Math.max(orthogonality, Math.abs(dot - (i === v ? 1 : 0)));
    }
  }
  return { equation, orthogonality, falling: values.every((value, i) => i === 0 || value <= values[i - 1]!) };
}

describe('symmetricEigen', () => {
  it('finds the known eigenvalues of the second-difference matrix', () => {
    const n = 50;
    const { values } = symmetricEigen(
      symmetric(n, (i, j) => (i === j ? 2 : i - j === 1 ? -1 : 0)),
      n,
    );
    for (let k = 1; k <= n; k++) expect(values[n - k]).toBeCloseTo(2 - 2 * Math.cos((k * Math.PI) / (n + 1)), 12);
  });

  it('handles equal eigenvalues, zeros, and rank one', () => {
    const n = 30;
    for (const a of [
      symmetric(n, (i, j) => (i === j ? 3 : 0)),
      symmetric(n, () => 0),
      symmetric(n, () => 1),
      symmetric(n, (i, j) => (i < 10 && j < 10 ? 1 : 0)),
      symmetric(n, (i, j) => 10 ** (i + j - 30)),
      symmetric(n, (i, j) => 1e-170 * (i + j)),
      symmetric(n, (i, j) => (i === 9 && j === 3 ? 1 : i === 4 && j === 0 ? 1e-77 : 0)),
      symmetric(n, (i, j) => 1e300 * Math.cos(i * j)),
      symmetric(n, (i, j) => (i + j === 12 ? 1e-162 : i === j ? 1 : 0)),
    ]) {
      expect(residuals(a, n)).toMatchObject({ falling: true });
      expect(residuals(a, n).equation).toBeLessThan(1e-14);
      expect(residuals(a, n).orthogonality).toBeLessThan(1e-12);
    }
    expect(
      symmetricEigen(
        symmetric(n, () => 1),
        n,
      ).values[0],
    ).toBeCloseTo(n, 10);
  });

  it('is right for a large random matrix', () => {
    const n = 301;
    const random = new RandomStream(1, 'eigen').normal(new Float32Array(n * n));
    const { equation, orthogonality } = residuals(
      symmetric(n, (i, j) => random[i * n + j]!),
      n,
    );
    expect(equation).toBeLessThan(1e-14);
    expect(orthogonality).toBeLessThan(1e-12);
  });

  it('settles where most of the matrix is rounding: data of fewer rows than columns', () => {
    const [rows, n] = [40, 300];
    const data = new RandomStream(3, 'few').normal(new Float32Array(rows * n));
    const covariance = symmetric(n, (i, j) => {
      let sum = 0;
      for (let at = 0; at < rows * n; at += n) sum += data[at + i]! * data[at + j]!;
      return sum;
    });
    const { equation, orthogonality } = residuals(covariance, n);
    expect(equation).toBeLessThan(1e-14);
    expect(orthogonality).toBeLessThan(1e-12);
    const { values } = symmetricEigen(covariance, n);
    expect(values[rows - 1]).toBeGreaterThan(100);
    expect(Math.abs(values[rows]!) / values[0]!).toBeLessThan(1e-13);
  });

  it('property: A·v = λ·v with orthonormal v, of any size', () => {
    const matrix = fc
      .integer({ min: 1, max: 12 })
      .chain((n) =>
        fc.tuple(
          fc.constant(n),
          fc.array(fc.double({ min: -1e3, max: 1e3, noNaN: true }), { minLength: n * n, maxLength: n * n }),
        ),
      );
    fc.assert(
      fc.property(matrix, ([n, entries]) => {
        const { equation, orthogonality, falling } = residuals(
          symmetric(n, (i, j) => entries[i * n + j]!),
          n,
        );
        expect(falling).toBe(true);
        expect(equation).toBeLessThan(1e-13);
        expect(orthogonality).toBeLessThan(1e-12);
      }),
    );
  });

  it('refuses what is not a square matrix', () => {
    expect(() => symmetricEigen(new Float64Array(5), 2)).toThrow(RangeError);
  });
});
