/** Codes of test rows as points of a plane: as they are where the code is two numbers, else along their principal components. */

const passes = 60;
const largestCode = 8192;

export interface LatentPoints {
  readonly points: readonly (readonly [number, number])[];
  /** share of the codes' variance that the plane holds; 1 for codes of two numbers */
  readonly share: number;
}

/** `codes` hold `size` values a row. Undefined for codes of one number, very large ones, and codes that are all alike. */
export function latentPoints(codes: Float32Array, size: number): LatentPoints | undefined {
  const rows = codes.length / size;
  if (size < 2 || size > largestCode || rows < 3) return undefined;
  if (size === 2)
    return { points: Array.from({ length: rows }, (_, i) => [codes[2 * i]!, codes[2 * i + 1]!]), share: 1 };
  const centred = withoutMean(codes, size, rows);
  const total = centred.reduce((sum, value) => sum + value * value, 0);
  if (total === 0) return undefined;
  const first = leading(centred, size, []);
  const second = leading(centred, size, [first]);
  const along = (row: number, axis: Float64Array): number => {
    let sum = 0;
    for (let i = 0; i < size; i++) sum += centred[row * size + i]! * axis[i]!;
    return sum;
  };
  const points = Array.from({ length: rows }, (_, row) => [along(row, first), along(row, second)] as const);
  return { points, share: points.reduce((sum, [x, y]) => sum + x * x + y * y, 0) / total };
}

function withoutMean(codes: Float32Array, size: number, rows: number): Float64Array {
  const mean = new Float64Array(size);
  for (let i = 0; i < codes.length; i++) mean[i % size]! += codes[i]! / rows;
  return Float64Array.from(codes, (value, i) => value - mean[i % size]!);
}

/** The direction of the largest variance, orthogonal to `others`, by the power method; its first entry is not negative. */
function leading(centred: Float64Array, size: number, others: readonly Float64Array[]): Float64Array {
  const rows = centred.length / size;
  // any start that is not orthogonal to the answer will do; the same one each time keeps reports alike
  let axis = Float64Array.from({ length: size }, (_, i) => Math.sin(i + 1));
  for (let pass = 0; pass < passes; pass++) {
    const next = new Float64Array(size);
    for (let row = 0; row < rows; row++) {
      let sum = 0;
      for (let i = 0; i < size; i++) sum += centred[row * size + i]! * axis[i]!;
      for (let i = 0; i < size; i++) next[i]! += sum * centred[row * size + i]!;
    }
    for (const other of others) {
      const share = next.reduce((sum, value, i) => sum + value * other[i]!, 0);
      for (let i = 0; i < size; i++) next[i]! -= share * other[i]!;
    }
    const length = Math.hypot(...next);
    if (length === 0) break;
    axis = next.map((value) => value / length);
  }
  return (axis[0] ?? 0) < 0 ? axis.map((value) => -value) : axis;
}
