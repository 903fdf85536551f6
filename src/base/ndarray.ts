/**
 * Host tensors: a typed array with a shape, row-major. What crosses folder borders (data, engine, runtime, serve,
 * gateway) is always one of these; tfjs and ONNX Runtime tensors stay behind their doors.
 */

import { HourglassError } from './errors.ts';

export type DType = 'float32' | 'int32' | 'bool';
export type Shape = readonly number[];

export interface DataOf {
  readonly float32: Float32Array;
  readonly int32: Int32Array;
  readonly bool: Uint8Array;
}

export interface NdArray<D extends DType = DType> {
  readonly dtype: D;
  readonly shape: Shape;
  readonly data: DataOf[D];
}

/** Named tensors: the feeds, outputs or state of a program. */
export type NdArrays = Readonly<Record<string, NdArray>>;

export interface TensorSpec {
  readonly dtype: DType;
  readonly shape: Shape;
}
export type TensorSpecs = Readonly<Record<string, TensorSpec>>;

/** Number of elements of a shape; a scalar has one. */
export function sizeOf(shape: Shape): number {
  let size = 1;
  for (const dim of shape) size *= dim;
  return size;
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((dim, i) => dim === b[i]);
}

export const showShape = (shape: Shape): string => `[${shape.join(', ')}]`;

/** Wraps data without copying it. Throws `shape-mismatch` when the length does not fit the shape. */
export function ndarray<D extends DType>(dtype: D, shape: Shape, data: DataOf[D]): NdArray<D> {
  if (data.length !== sizeOf(shape)) {
    throw new HourglassError(
      'shape-mismatch',
      `${showShape(shape)} needs ${sizeOf(shape)} values, got ${data.length}.`,
      {
        expected: shape,
        found: data.length,
      },
    );
  }
  return { dtype, shape, data };
}

export const float32 = (shape: Shape, data: Float32Array): NdArray<'float32'> => ndarray('float32', shape, data);

export function zeros<D extends DType>(dtype: D, shape: Shape): NdArray<D> {
  const size = sizeOf(shape);
  const data =
    dtype === 'float32' ? new Float32Array(size) : dtype === 'int32' ? new Int32Array(size) : new Uint8Array(size);
  return { dtype, shape, data: data as DataOf[D] };
}
