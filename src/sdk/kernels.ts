/** The operators of ONNX that encoders are made of, in plain JS. Sums are in double precision, values in single. */

import { sizeOf } from '../base/ndarray.ts';
import type { Tensor } from './onnx-graph.ts';

/** Attributes by name; undefined where the node has none of that name. */
export type Attributes = (name: string) => readonly number[] | undefined;

export interface Kernel {
  /** those it understands; a node with others is not run */
  readonly attributes: readonly string[];
  run(inputs: readonly Tensor[], attributes: Attributes): Tensor;
}

const tensor = (dims: readonly number[], data: Tensor['data'] = new Float32Array(sizeOf(dims))): Tensor => ({
  dims,
  data,
});

const at = (data: ArrayLike<number>, i: number): number => data[i] as number;
/** Loops over values of one type run several times faster than over any of them. */
const floatsOf = ({ data }: Tensor): Float32Array => (data instanceof Float32Array ? data : Float32Array.from(data));

const numbersOf = (constant: Tensor | undefined): number[] => Array.from(constant?.data ?? []);

/** Steps from one index to the next along each axis; none along axes of 1, which broadcast. */
function stridesOf(dims: readonly number[], rank = dims.length): number[] {
  const strides = new Array<number>(rank).fill(0);
  for (let i = dims.length - 1, step = 1; i >= 0; i--) {
    if (dims[i] !== 1) strides[rank - dims.length + i] = step;
    step *= dims[i] as number;
  }
  return strides;
}

/** Calls `visit` for every index of `dims` in order, with where that is in two tensors of the given strides. */
function walk(
  dims: readonly number[],
  first: readonly number[],
  second: readonly number[],
  visit: (a: number, b: number) => void,
): void {
  const index = new Array<number>(dims.length).fill(0);
  const count = sizeOf(dims);
  for (let n = 0, a = 0, b = 0; n < count; n++) {
    visit(a, b);
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      a += first[axis] as number;
      b += second[axis] as number;
      index[axis] = (index[axis] as number) + 1;
      if (index[axis] !== dims[axis]) break;
      a -= (first[axis] as number) * (dims[axis] as number);
      b -= (second[axis] as number) * (dims[axis] as number);
      index[axis] = 0;
    }
  }
}

const elementwise = (f: (x: number) => number): Kernel => ({
  attributes: [],
  run: ([x]) => tensor(x?.dims ?? [], Float32Array.from(x?.data ?? [], f)),
});

const binary = (f: (a: number, b: number) => number): Kernel => ({
  attributes: [],
  run([a, b]) {
    if (!a || !b) throw new RangeError('a node misses an input');
    const rank = Math.max(a.dims.length, b.dims.length);
    const dims = Array.from({ length: rank }, (_, i) =>
      Math.max(a.dims[i - rank + a.dims.length] ?? 1, b.dims[i - rank + b.dims.length] ?? 1),
    );
    const y = tensor(dims);
    let n = 0;
    walk(dims, stridesOf(a.dims, rank), stridesOf(b.dims, rank), (i, j) => {
      y.data[n++] = f(at(a.data, i), at(b.data, j));
    });
    return y;
  },
});

/** y = x·W + b, row by row; zeros of x, most of a drawing, cost nothing. */
const dense: Kernel = {
  attributes: [],
  run([x, weight, bias]) {
    if (!x || weight?.dims.length !== 2) throw new RangeError('a dense layer has a matrix');
    const [inputs = 0, units = 0] = weight.dims;
    const [values, weights] = [floatsOf(x), floatsOf(weight)];
    const count = values.length / inputs;
    const y = tensor([count, units]);
    const sums = new Float64Array(units);
    for (let row = 0; row < count; row++) {
      if (bias) sums.set(bias.data);
      else sums.fill(0);
      for (let i = 0; i < inputs; i++) {
        const value = values[row * inputs + i] as number;
        if (value === 0) continue;
        for (let j = 0, w = i * units; j < units; j++, w++) {
          sums[j] = (sums[j] as number) + value * (weights[w] as number);
        }
      }
      y.data.set(sums, row * units);
    }
    return y;
  },
};

/** [n, in, h, w] with weights [out, in, kh, kw] → [n, out, h′, w′]. */
const convolution: Kernel = {
  attributes: ['kernel_shape', 'strides', 'dilations', 'pads', 'group'],
  run([x, weight, bias], attributes) {
    const [count = 0, channels = 0, height = 0, width = 0] = x?.dims ?? [];
    const [maps = 0, depth = 0, tall = 0, wide = 0] = weight?.dims ?? [];
    const [stepY = 1, stepX = 1] = attributes('strides') ?? [];
    const [top = 0, left = 0, bottom = 0, right = 0] = attributes('pads') ?? [];
    const plain = [attributes('group') ?? [], attributes('dilations') ?? []].flat().every((value) => value === 1);
    if (!x || !weight || depth !== channels || !plain) throw new RangeError('this convolution is not supported');
    const [paddedHeight, paddedWidth] = [height + top + bottom, width + left + right];
    const outHeight = Math.floor((paddedHeight - tall) / stepY) + 1;
    const outWidth = Math.floor((paddedWidth - wide) / stepX) + 1;
    const [values, weights] = [floatsOf(x), floatsOf(weight)];
    const y = tensor([count, maps, outHeight, outWidth]);
    const padded = new Float64Array(channels * paddedHeight * paddedWidth);
    const plane = new Float64Array(outHeight * outWidth);
    const taps = new Float64Array(wide);
    for (let n = 0; n < count; n++) {
      for (let line = 0; line < channels * height; line++) {
        const from = (n * channels * height + line) * width;
        const row = Math.floor(line / height) * paddedHeight + (line % height) + top;
        padded.set(values.subarray(from, from + width), row * paddedWidth + left);
      }
      for (let map = 0; map < maps; map++) {
        plane.fill(bias ? at(bias.data, map) : 0);
        for (let line = 0; line < channels * tall; line++) {
          const from = (map * channels * tall + line) * wide;
          taps.set(weights.subarray(from, from + wide));
          const first = (Math.floor(line / tall) * paddedHeight + (line % tall)) * paddedWidth;
          for (let row = 0; row < outHeight; row++) {
            addFiltered(plane, row * outWidth, outWidth, padded, first + row * stepY * paddedWidth, stepX, taps);
          }
        }
        y.data.set(plane, (n * maps + map) * plane.length);
      }
    }
    return y;
  },
};

/** Adds a row, filtered by a row of a kernel, to a row of an output. Kernels of three have a loop of their own: it is far faster. */
function addFiltered(
  plane: Float64Array,
  to: number,
  width: number,
  source: Float64Array,
  from: number,
  step: number,
  taps: Float64Array,
): void {
  if (taps.length === 3) {
    const [a = 0, b = 0, c = 0] = taps;
    for (let i = 0, s = from; i < width; i++, s += step) {
      plane[to + i] =
        (plane[to + i] as number) +
        a * (source[s] as number) +
        b * (source[s + 1] as number) +
        c * (source[s + 2] as number);
    }
    return;
  }
  for (let k = 0; k < taps.length; k++) {
    const factor = taps[k] as number;
    for (let i = 0, s = from + k; i < width; i++, s += step) {
      plane[to + i] = (plane[to + i] as number) + factor * (source[s] as number);
    }
  }
}

const transpose: Kernel = {
  attributes: ['perm'],
  run([x], attributes) {
    const dims = x?.dims ?? [];
    const order = attributes('perm') ?? dims.map((_, i) => dims.length - 1 - i);
    const strides = stridesOf(dims);
    const y = tensor(order.map((axis) => dims[axis] as number));
    const source = x?.data ?? [];
    const reordered = order.map((axis) => strides[axis] as number);
    let n = 0;
    walk(y.dims, reordered, reordered, (i) => {
      y.data[n++] = at(source, i);
    });
    return y;
  },
};

const reshape: Kernel = {
  attributes: [],
  run([x, shape]) {
    if (!x) throw new RangeError('a node misses an input');
    const dims = numbersOf(shape).map((size, axis) => (size === 0 ? (x.dims[axis] as number) : size));
    const open = dims.indexOf(-1);
    if (open >= 0) dims[open] = x.data.length / -sizeOf(dims);
    return tensor(dims, x.data);
  },
};

const expand: Kernel = {
  attributes: [],
  run([x, shape]) {
    const y = tensor(numbersOf(shape));
    if (x?.data.length !== 1) throw new RangeError('only single values are expanded');
    y.data.fill(at(x.data, 0));
    return y;
  },
};

const reduceMax: Kernel = {
  attributes: ['keepdims'],
  run([x, axes], attributes) {
    const dims = x?.dims ?? [];
    const reduced = new Set(numbersOf(axes).map((axis) => (axis < 0 ? axis + dims.length : axis)));
    const kept = dims.map((size, axis) => (reduced.has(axis) ? 1 : size));
    const y = new Float32Array(sizeOf(kept)).fill(Number.NEGATIVE_INFINITY);
    const data = x?.data ?? [];
    walk(dims, stridesOf(dims), stridesOf(kept), (i, j) => {
      if (at(data, i) > at(y, j)) y[j] = at(data, i);
    });
    return tensor(attributes('keepdims')?.[0] === 0 ? kept.filter((_, axis) => !reduced.has(axis)) : kept, y);
  },
};

/** The k largest of each row, from the largest on; their places are not given. */
const topK: Kernel = {
  attributes: ['axis'],
  run([x, k], attributes) {
    const dims = x?.dims ?? [];
    const [axis = -1] = attributes('axis') ?? [];
    if (!x || (axis !== -1 && axis !== dims.length - 1)) throw new RangeError('the largest of rows are supported');
    const size = dims.at(-1) as number;
    const kept = numbersOf(k)[0] as number;
    const y = tensor([...dims.slice(0, -1), kept]);
    for (let row = 0; row < x.data.length / size; row++) {
      const sorted = x.data.slice(row * size, (row + 1) * size).sort((a, b) => b - a);
      y.data.set(sorted.subarray(0, kept), row * kept);
    }
    return y;
  },
};

/** Along the last axis. */
const slice: Kernel = {
  attributes: [],
  run([x, starts, ends, axes]) {
    const dims = x?.dims ?? [];
    const [[start = 0], [end = 0], [axis = 0]] = [numbersOf(starts), numbersOf(ends), numbersOf(axes)];
    if (!x || axis !== dims.length - 1 || starts?.data.length !== 1)
      throw new RangeError('this slice is not supported');
    const size = dims[axis] as number;
    const y = tensor([...dims.slice(0, -1), Math.min(end, size) - start]);
    const width = y.dims[axis] as number;
    for (let row = 0; row < x.data.length / size; row++) {
      y.data.set(x.data.subarray(row * size + start, row * size + start + width), row * width);
    }
    return y;
  },
};

const same: Kernel = { attributes: ['to'], run: ([x]) => x ?? tensor([0]) };

export const kernels: Readonly<Record<string, Kernel>> = {
  Add: binary((a, b) => a + b),
  Cast: same,
  Conv: convolution,
  Div: binary((a, b) => a / b),
  Expand: expand,
  Gemm: dense,
  GreaterOrEqual: binary((a, b) => (a >= b ? 1 : 0)),
  Identity: same,
  MatMul: dense,
  Mul: binary((a, b) => a * b),
  Reciprocal: elementwise((x) => 1 / x),
  ReduceMax: reduceMax,
  Relu: elementwise((x) => Math.max(0, x)),
  Reshape: reshape,
  Sigmoid: elementwise((x) => 1 / (1 + Math.exp(-x))),
  Slice: slice,
  Sqrt: elementwise(Math.sqrt),
  Sub: binary((a, b) => a - b),
  Tanh: elementwise(Math.tanh),
  TopK: topK,
  Transpose: transpose,
};
