/** What every engine checks before and after a step: names, dtypes and shapes against the program. Throws `shape-mismatch`. */

import { HourglassError } from '../base/errors.ts';
import { type NdArrays, type Shape, sameShape, showShape, sizeOf, type TensorSpecs } from '../base/ndarray.ts';
import type { Program, StepResult, Tensors } from './engine.ts';

function refuse(what: string, expected: unknown, found: unknown): never {
  throw new HourglassError('shape-mismatch', `${what} must be ${expected}, found ${found}.`, { expected, found });
}

const names = (record: Readonly<Record<string, unknown>>): string => Object.keys(record).sort().join(', ') || 'none';

function checkNames(
  what: string,
  expected: Readonly<Record<string, unknown>>,
  found: Readonly<Record<string, unknown>>,
) {
  if (names(expected) !== names(found)) refuse(`The names of ${what}`, names(expected), names(found));
}

/** Host tensors for all of a program's state, constants or feeds. */
export function checkArrays(kind: 'state' | 'constants' | 'feeds', specs: TensorSpecs, arrays: NdArrays): void {
  checkNames(kind, specs, arrays);
  for (const [name, spec] of Object.entries(specs)) {
    const array = arrays[name];
    if (!array) continue;
    if (array.dtype !== spec.dtype) refuse(`The dtype of ${kind} ${name}`, spec.dtype, array.dtype);
    if (!sameShape(array.shape, spec.shape))
      refuse(`The shape of ${kind} ${name}`, showShape(spec.shape), showShape(array.shape));
    if (array.data.length !== sizeOf(spec.shape))
      refuse(`The length of ${kind} ${name}`, sizeOf(spec.shape), array.data.length);
  }
}

/** Feeds of K steps, K their leading axis or `steps` where a program has no feeds. Returns K, at least 1. */
export function checkFeeds(program: Program, feeds: NdArrays, steps?: number): number {
  checkNames('the feeds', program.feeds, feeds);
  const leading = Object.values(feeds)[0]?.shape[0];
  const count = leading ?? steps ?? 1;
  if (!Number.isInteger(count) || count < 1) refuse('The number of steps', 'an integer of at least 1', count);
  if (steps !== undefined && steps !== count)
    refuse('The number of steps', `${count}, the leading axis of the feeds`, steps);
  const stacked = Object.fromEntries(
    Object.entries(program.feeds).map(([name, spec]) => [name, { ...spec, shape: [count, ...spec.shape] as Shape }]),
  );
  checkArrays('feeds', stacked, feeds);
  return count;
}

/** The state that a step returns must be the program's state again. */
export function checkResult(program: Program, result: StepResult): void {
  checkNames(`the state that ${program.name} returns`, program.state, result.state);
  for (const [name, spec] of Object.entries(program.state)) {
    const tensor = (result.state as Tensors)[name];
    if (!tensor) continue;
    if (tensor.dtype !== spec.dtype) refuse(`The dtype of the new state ${name}`, spec.dtype, tensor.dtype);
    if (!sameShape(tensor.shape, spec.shape)) {
      refuse(`The shape of the new state ${name}`, showShape(spec.shape), showShape(tensor.shape));
    }
  }
}
