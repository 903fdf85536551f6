/**
 * Remembers which values of a graph are convolutions or their gradients, and of what. The graph holds the form that every device
 * runs; blocks/ computes the same in ONNX Runtime's blocked layout where that is faster.
 */

import type { Value } from '../graph.ts';
import type { Info } from './geometry.ts';

/** An undivided convolution (one group) of NCHW images with a filter in tfjs's order HWIO. */
export interface Convolution {
  readonly kind: 'forward';
  readonly image: Value;
  readonly filter: Value;
  readonly bias?: Value;
  readonly info: Info;
}

/** The gradient of a convolution by its NCHW input. `image` is the gradient of its output. */
export interface InputGradient {
  readonly kind: 'input';
  readonly image: Value;
  readonly filter: Value;
  readonly info: Info;
}

/** The gradient of a convolution by its filter, HWIO. Both images are NHWC. */
export interface FilterGradient {
  readonly kind: 'filter';
  readonly x: Value;
  readonly dy: Value;
  readonly info: Info;
}

export type ConvolutionRecord = Convolution | InputGradient | FilterGradient;

const records = new WeakMap<Value, ConvolutionRecord>();

/** How a value was made, if it is a convolution or a gradient of one. */
export const convolutionOf = (value: Value): ConvolutionRecord | undefined => records.get(value);

/** Remembers how `value` was made; returns it. */
export function recordConvolution(value: Value, record: ConvolutionRecord): Value {
  records.set(value, record);
  return value;
}
