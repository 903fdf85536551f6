/**
 * The recorded program: an immutable graph of values. A value knows its type, its shape and where it comes from; there is
 * no list of nodes, so what no output depends on is never written (no dead nodes). Equal nodes are made once.
 */

import { type Shape, sizeOf } from '../../base/ndarray.ts';

/** Element types of values. `int64` only ever holds what ONNX wants as int64: axes, shapes, indices. */
export type ElementType = 'float32' | 'int32' | 'bool' | 'int64';

export interface Value {
  /** order of creation; an input of a node always has a smaller id than its outputs */
  readonly id: number;
  readonly type: ElementType;
  readonly shape: Shape;
  readonly source: Source;
}

export type Source =
  | { readonly kind: 'input'; readonly name: string }
  /** row-major; a single element stands for the whole shape (a splat) */
  | { readonly kind: 'constant'; readonly data: ArrayLike<number> }
  | { readonly kind: 'node'; readonly node: Node; readonly output: number };

/** An integer is a number or a list of numbers, a float is wrapped. */
export type Attribute = number | string | readonly number[] | { readonly float: number };
export type Attributes = Readonly<Record<string, Attribute>>;

export interface Node {
  readonly op: string;
  /** '' is ONNX itself, `com.microsoft` ONNX Runtime's own operators */
  readonly domain: string;
  readonly inputs: readonly (Value | undefined)[];
  readonly attributes: Attributes;
  readonly outputs: readonly Value[];
}

export interface ValueType {
  readonly type: ElementType;
  readonly shape: Shape;
}

/** Constants up to this length are compared by content. */
const sharedConstantLength = 64;

export class Graph {
  #nextId = 0;
  readonly #made = new Map<string, Node | Value>();
  readonly #share: boolean;

  /** `share` (default): equal nodes and small constants are made once. */
  constructor({ share = true } = {}) {
    this.#share = share;
  }

  #value(type: ElementType, shape: Shape, source: Source): Value {
    return { id: this.#nextId++, type, shape, source };
  }

  input(name: string, type: ElementType, shape: Shape): Value {
    return this.#value(type, shape, { kind: 'input', name });
  }

  /** `data` holds every element, or one for all of them. */
  constant(type: ElementType, shape: Shape, data: ArrayLike<number>): Value {
    const make = () => this.#value(type, shape, { kind: 'constant', data });
    if (data.length > sharedConstantLength) return make();
    const elements = Array.from(data, (x) => (Object.is(x, -0) ? '-0' : String(x)));
    const key = `constant ${type} [${shape}] ${elements}`;
    return this.#once(key, make) as Value;
  }

  scalar(type: ElementType, x: number): Value {
    return this.constant(type, [], [type === 'float32' ? Math.fround(x) : x]);
  }

  /** A vector of int64: axes, a shape, bounds of a slice. */
  int64(elements: readonly number[]): Value {
    return this.constant('int64', [elements.length], elements);
  }

  /** A node with one output. */
  node(
    op: string,
    inputs: readonly (Value | undefined)[],
    output: ValueType,
    attributes: Attributes = {},
    domain = '',
  ): Value {
    return this.nodes(op, inputs, [output], attributes, domain)[0]!;
  }

  nodes(
    op: string,
    inputs: readonly (Value | undefined)[],
    outputs: readonly ValueType[],
    attributes: Attributes = {},
    domain = '',
  ): readonly Value[] {
    const key = keyOf(op, inputs, attributes, domain);
    const node = this.#once(key, () => {
      const made: { -readonly [K in keyof Node]: Node[K] } = { op, domain, inputs, attributes, outputs: [] };
      made.outputs = outputs.map((output, i) =>
        this.#value(output.type, output.shape, { kind: 'node', node: made, output: i }),
      );
      return made;
    }) as Node;
    return node.outputs;
  }

  /** The output of a node that is there already. */
  find(op: string, inputs: readonly Value[]): Value | undefined {
    return (this.#made.get(keyOf(op, inputs, {}, '')) as Node | undefined)?.outputs[0];
  }

  #once(key: string, make: () => Node | Value): Node | Value {
    const found = this.#made.get(key);
    if (found) return found;
    const made = make();
    if (this.#share) this.#made.set(key, made);
    return made;
  }
}

const keyOf = (op: string, inputs: Node['inputs'], attributes: Attributes, domain: string): string =>
  `${domain}:${op} ${inputs.map((input) => input?.id ?? '')} ${showAttributes(attributes)}`;

export function showAttributes(attributes: Attributes): string {
  return Object.entries(attributes)
    .map(([name, a]) => `${name}=${typeof a === 'object' ? ('float' in a ? `${a.float}f` : `[${a}]`) : a}`)
    .join(' ');
}

/** The elements of a constant, or undefined. A splat has one element whatever its shape. */
export const constantData = (value: Value): ArrayLike<number> | undefined =>
  value.source.kind === 'constant' ? value.source.data : undefined;

/** The one number that a constant consists of, or undefined. */
export function splatOf(value: Value): number | undefined {
  const data = constantData(value);
  return data?.length === 1 ? data[0] : undefined;
}

/** Every element of a constant, splats written out. */
export function elementsOf(value: Value): ArrayLike<number> | undefined {
  const data = constantData(value);
  const size = sizeOf(value.shape);
  return data && data.length === 1 && size !== 1 ? new Array<number>(size).fill(data[0]!) : data;
}

/** The nodes and leaves that the outputs depend on, in the order they were made; `given` values depend on nothing. */
export function reachable(
  outputs: Iterable<Value>,
  given: ReadonlySet<Value> = new Set(),
): { nodes: Node[]; constants: Value[]; inputs: Value[] } {
  const nodes = new Set<Node>();
  const leaves = new Set<Value>();
  const pending = [...outputs];
  for (let value = pending.pop(); value; value = pending.pop()) {
    if (value.source.kind !== 'node' || given.has(value)) {
      leaves.add(value);
    } else if (!nodes.has(value.source.node)) {
      nodes.add(value.source.node);
      for (const input of value.source.node.inputs) if (input) pending.push(input);
    }
  }
  const byId = (a: Value, b: Value) => a.id - b.id;
  const sorted = [...leaves].sort(byId);
  return {
    nodes: [...nodes].sort((a, b) => a.outputs[0]!.id - b.outputs[0]!.id),
    constants: sorted.filter((leaf) => leaf.source.kind === 'constant'),
    inputs: sorted.filter((leaf) => leaf.source.kind === 'input' || given.has(leaf)),
  };
}
