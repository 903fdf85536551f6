/** How a tfjs kernel becomes ONNX nodes: the table that the files of ops/ fill and the recording backends read. */

import type { Graph, Value } from './graph.ts';

/** Thrown by a lowering for arguments that ONNX cannot express; the backend adds op, shapes and place. */
export class NoOnnxForm extends Error {}

/** What a lowering sees: the kernel's inputs as values under tfjs's own names, and its attributes. */
export interface Call<Inputs, Attrs> {
  readonly g: Graph;
  readonly inputs: { readonly [Name in keyof Inputs]: Value };
  readonly attrs: Attrs;
}

export type Lowering<Inputs, Attrs> = (call: Call<Inputs, Attrs>) => Value | readonly Value[];

type AnyLowering = (call: {
  g: Graph;
  inputs: Readonly<Record<string, Value>>;
  attrs: unknown;
}) => Value | readonly Value[];

const table = new Map<string, AnyLowering>();

/** Adds a kernel. `Inputs` and `Attrs` are the kernel's own types in tfjs-core (AddInputs, Conv2DAttrs …). */
export function lower<Inputs, Attrs = object>(kernel: string, lowering: Lowering<Inputs, Attrs>): void {
  if (table.has(kernel)) throw new Error(`${kernel} has two lowerings`);
  table.set(kernel, lowering as unknown as AnyLowering);
}

export const lowerings: ReadonlyMap<string, AnyLowering> = table;
