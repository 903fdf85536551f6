/**
 * Parameters as data: the shape of each weight and how it begins. Values are named tensors, `encoder/0/weight`; a model is
 * a set of pure functions of them.
 */

import { float32, type NdArray, type NdArrays, type Shape, sizeOf, type TensorSpecs } from '../base/ndarray.ts';
import { RandomStream } from '../base/random.ts';

export type Initialiser =
  | { readonly type: 'zeros' }
  | { readonly type: 'constant'; readonly value: number }
  | { readonly type: 'normal'; readonly deviation: number }
  /** uniform in ±√(6 / (fanIn + fanOut)): Glorot & Bengio 2010 */
  | { readonly type: 'glorot-uniform'; readonly fanIn: number; readonly fanOut: number }
  /** normal with deviation √(2 / fanIn): He et al. 2015, for rectified units */
  | { readonly type: 'he-normal'; readonly fanIn: number };

export interface Parameter {
  readonly shape: Shape;
  readonly init: Initialiser;
}

export type Parameters = Readonly<Record<string, Parameter>>;

/** Each parameter draws from a stream of its own name: adding one leaves the others as they were. */
export function initialise(parameters: Parameters, seed: number): NdArrays {
  return Object.fromEntries(
    Object.entries(parameters).map(([name, parameter]) => [
      name,
      draw(parameter, new RandomStream(seed, `initial/${name}`)),
    ]),
  );
}

function draw({ shape, init }: Parameter, random: RandomStream): NdArray<'float32'> {
  const values = new Float32Array(sizeOf(shape));
  switch (init.type) {
    case 'zeros':
      break;
    case 'constant':
      values.fill(init.value);
      break;
    case 'normal':
      random.normal(values, 0, init.deviation);
      break;
    case 'glorot-uniform': {
      const limit = Math.sqrt(6 / (init.fanIn + init.fanOut));
      random.uniform(values, -limit, limit);
      break;
    }
    case 'he-normal':
      random.normal(values, 0, Math.sqrt(2 / init.fanIn));
      break;
    default:
      init satisfies never;
  }
  return float32(shape, values);
}

export const specsOf = (parameters: Parameters): TensorSpecs =>
  Object.fromEntries(Object.entries(parameters).map(([name, { shape }]) => [name, { dtype: 'float32', shape }]));

export const countOf = (parameters: Parameters): number =>
  Object.values(parameters).reduce((sum, { shape }) => sum + sizeOf(shape), 0);
