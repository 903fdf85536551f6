/**
 * Graph → ONNX model bytes. The same graph gives the same bytes: names are given in the order of writing.
 *
 * A step becomes one `Scan` whose body is the recorded graph; what depends on no state and no feed stays outside of it:
 *
 *   state/… ──────────┐   ┌───────── body ─────────┐
 *   feeds/… [K, …] ───┼──►│ state, feed ─► nodes ─►│──► next/…            state after K steps
 *   constants/… ─► invariant nodes ─► (captured)   │──► outputs/… [K, …]
 *                         └────────────────────────┘
 */

import { create, toBinary } from '@bufbuild/protobuf';
import { type Shape, sizeOf } from '../../base/ndarray.ts';
import {
  type AttributeProto,
  AttributeProtoSchema,
  type GraphProto,
  GraphProtoSchema,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  type TensorProto,
  TensorProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from '../../gen/onnx/onnx_pb.ts';
import { stopOutput } from '../../runtime/stop-output.ts';
import {
  type Attribute,
  type Attributes,
  constantData,
  elementsOf,
  Graph,
  type Node,
  reachable,
  type Value,
} from './graph.ts';
import { typeNumbers } from './nodes.ts';

/** ONNX operator set and file format that are written: old enough for the runtimes in phones and browsers. */
export const opset = 18;
export const irVersion = 8;

/**
 * How far ONNX Runtime rewrites the model of a step. It convolves in blocks of channels only where weights are constant; in
 * training they are not, and images would be turned into blocks and back for their pools alone.
 */
export const trainingOptimization = 'extended';

export interface Metadata {
  readonly producer: string;
  readonly version: string;
  /** further key-value pairs */
  readonly properties?: Readonly<Record<string, string>>;
}

/** A value that enters or leaves a model; `shape` may name dimensions, such as `batch`. */
export interface ModelPort {
  readonly name: string;
  readonly value: Value;
  readonly shape?: readonly (number | string)[];
}

const encoder = new TextEncoder();

function attributeProto(name: string, attribute: Attribute): AttributeProto {
  const make = (fields: object) => create(AttributeProtoSchema, { name, ...fields });
  if (typeof attribute === 'number') return make({ type: 2, i: BigInt(attribute) });
  if (typeof attribute === 'string') return make({ type: 3, s: encoder.encode(attribute) });
  if ('float' in attribute) return make({ type: 1, f: attribute.float });
  return make({ type: 7, ints: attribute.map(BigInt) });
}

function valueInfo(name: string, elemType: number, shape: readonly (number | string)[]): ValueInfoProto {
  const dim = shape.map((d) => ({
    value:
      typeof d === 'number' ? { case: 'dimValue' as const, value: BigInt(d) } : { case: 'dimParam' as const, value: d },
  }));
  return create(ValueInfoProtoSchema, {
    name,
    type: { value: { case: 'tensorType', value: { elemType, shape: { dim } } } },
  });
}

function rawBytes(type: Value['type'], data: ArrayLike<number>): Uint8Array {
  const array =
    type === 'float32'
      ? Float32Array.from(data)
      : type === 'int32'
        ? Int32Array.from(data)
        : type === 'int64'
          ? BigInt64Array.from(Array.from(data, (x) => BigInt(x)))
          : Uint8Array.from(data);
  return new Uint8Array(array.buffer);
}

function tensorProto(name: string, type: Value['type'], shape: Shape, data: ArrayLike<number>): TensorProto {
  return create(TensorProtoSchema, {
    name,
    dataType: typeNumbers[type],
    dims: shape.map(BigInt),
    rawData: rawBytes(type, data),
  });
}

/** Splats up to this many elements are written out; larger ones are made by the runtime when it loads the model. */
const writtenSplat = 1024;

/** Writes one GraphProto; an inner graph sees the names of the outer one. */
class GraphWriter {
  readonly #names: Map<Value, string>;
  readonly #taken: Set<string>;
  readonly #nodes: NodeProto[] = [];
  readonly #initializers: TensorProto[] = [];
  readonly #prefix: string;
  #count = 0;

  constructor(prefix: string, outer?: GraphWriter) {
    this.#prefix = prefix;
    this.#names = new Map(outer ? outer.#names : []);
    this.#taken = new Set(outer ? outer.#taken : []);
  }

  reserve(name: string): void {
    this.#taken.add(name);
  }

  bind(value: Value, name: string): void {
    this.#names.set(value, name);
    this.#taken.add(name);
  }

  #fresh(): string {
    for (;;) {
      const name = `${this.#prefix}${this.#count++}`;
      if (!this.#taken.has(name)) return name;
    }
  }

  node(
    op: string,
    input: string[],
    output: string[],
    attributes: Attributes | AttributeProto[] = {},
    domain = '',
  ): void {
    const attribute = Array.isArray(attributes)
      ? attributes
      : Object.entries(attributes).map(([name, a]) => attributeProto(name, a));
    this.#nodes.push(create(NodeProtoSchema, { opType: op, input, output, attribute, ...(domain && { domain }) }));
  }

  nameOf(value: Value): string {
    const known = this.#names.get(value);
    if (known) return known;
    const data = constantData(value);
    if (!data) throw new Error(`value ${value.id} was used before it was written`);
    const name = this.#fresh();
    this.#names.set(value, name);
    if (data.length === 1 && sizeOf(value.shape) > writtenSplat) {
      const [element, shape] = [this.#fresh(), this.#fresh()];
      this.#initializers.push(tensorProto(element, value.type, [], data));
      this.#initializers.push(tensorProto(shape, 'int64', [value.shape.length], value.shape));
      this.node('Expand', [element, shape], [name]);
    } else {
      this.#initializers.push(tensorProto(name, value.type, value.shape, elementsOf(value)!));
    }
    return name;
  }

  /** Writes nodes in order; outputs take their public names where nothing else has that value's name yet. */
  body(nodes: readonly Node[], outputs: readonly ModelPort[]): void {
    const made = new Set(nodes);
    for (const { name, value } of outputs) {
      this.reserve(name);
      const { source } = value;
      if (source.kind === 'node' && made.has(source.node) && !this.#names.has(value)) this.bind(value, name);
    }
    for (const node of nodes) {
      const input = node.inputs.map((value) => (value ? this.nameOf(value) : ''));
      for (const value of node.outputs) if (!this.#names.has(value)) this.#names.set(value, this.#fresh());
      this.node(
        node.op,
        input,
        node.outputs.map((value) => this.nameOf(value)),
        node.attributes,
        node.domain,
      );
    }
    for (const { name, value } of outputs) {
      if (this.nameOf(value) !== name) this.node('Identity', [this.nameOf(value)], [name]);
    }
  }

  finish(name: string, input: ValueInfoProto[], output: ValueInfoProto[]): GraphProto {
    return create(GraphProtoSchema, { name, node: this.#nodes, initializer: this.#initializers, input, output });
  }
}

const portInfo = ({ name, value, shape }: ModelPort): ValueInfoProto =>
  valueInfo(name, typeNumbers[value.type], shape ?? value.shape);

function modelBytes(graph: GraphProto, metadata: Metadata, nodes: readonly Node[]): Uint8Array {
  const contrib = new Set(nodes.map(({ domain }) => domain).filter((domain) => domain !== ''));
  const opsetImport = [
    { domain: '', version: BigInt(opset) },
    ...[...contrib].sort().map((domain) => ({ domain, version: 1n })),
  ];
  const model = create(ModelProtoSchema, {
    irVersion: BigInt(irVersion),
    opsetImport,
    producerName: metadata.producer,
    producerVersion: metadata.version,
    graph,
    metadataProps: Object.entries(metadata.properties ?? {})
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, value]) => ({ key, value })),
  });
  return toBinary(ModelProtoSchema, model);
}

/** A model that computes `outputs` from `inputs`; `stop`: with `stopOutput` before them. */
export function functionModel(
  name: string,
  inputs: readonly ModelPort[],
  outputs: readonly ModelPort[],
  metadata: Metadata,
  { stop = false } = {},
): Uint8Array {
  const { nodes } = reachable(
    outputs.map((port) => port.value),
    new Set(inputs.map((port) => port.value)),
  );
  const writer = new GraphWriter('t');
  for (const port of inputs) writer.bind(port.value, port.name);
  writer.body(nodes, outputs);
  const results = outputs.map(portInfo);
  if (stop) {
    writer.node('Cast', [writer.nameOf(new Graph().scalar('float32', 0))], [stopOutput.name], {
      to: stopOutput.elementType,
    });
    results.unshift(valueInfo(stopOutput.name, stopOutput.elementType, []));
  }
  const graph = writer.finish(name, inputs.map(portInfo), results);
  return modelBytes(graph, metadata, nodes);
}

/** One recorded step; names are those of the program. `next` has the names of `state`. */
export interface RecordedStep {
  readonly name: string;
  readonly state: readonly ModelPort[];
  readonly constants: readonly ModelPort[];
  readonly feeds: readonly ModelPort[];
  readonly next: readonly ModelPort[];
  readonly outputs: readonly ModelPort[];
}

/** Name of the dummy feed that counts the steps of a program without feeds: bool [K]. */
export const clockName = 'feeds/clock';

/** The model that runs a step K times; K is the leading dimension of its feeds. */
export function stepModel(step: RecordedStep, metadata: Metadata): Uint8Array {
  const results = [...step.next, ...step.outputs].map((port) => port.value);
  const { nodes } = reachable(results);
  const varying = new Set<Value>([...step.state, ...step.feeds].map((port) => port.value));
  const inner: Node[] = [];
  const invariant: Node[] = [];
  for (const node of nodes) {
    const varies = node.inputs.some((input) => input && varying.has(input));
    if (varies) for (const output of node.outputs) varying.add(output);
    (varies ? inner : invariant).push(node);
  }

  const outer = new GraphWriter('c');
  const named = (folder: string, ports: readonly ModelPort[]) =>
    ports.map((port) => ({ ...port, name: `${folder}/${port.name}` }));
  const stacked = (port: ModelPort) => valueInfo(port.name, typeNumbers[port.value.type], ['K', ...port.value.shape]);
  const [state, feeds, constants] = [
    named('state', step.state),
    named('feeds', step.feeds),
    named('constants', step.constants),
  ];
  const [next, outputs] = [named('next', step.next), named('outputs', step.outputs)];
  for (const port of constants) outer.bind(port.value, port.name);
  outer.body(invariant, []);

  const clock = step.feeds.length === 0;
  const body = new GraphWriter('t', outer);
  const inside = (ports: readonly ModelPort[]) => ports.map((port) => ({ ...port, name: `body/${port.name}` }));
  const bodyInputs = inside([...state, ...feeds]);
  const bodyOutputs = inside([...next, ...outputs]);
  for (const port of bodyInputs) body.bind(port.value, port.name);
  body.body(inner, bodyOutputs);
  const clockIn = clock ? [valueInfo('body/clock', typeNumbers.bool, [])] : [];
  const bodyGraph = body.finish('step', [...bodyInputs.map(portInfo), ...clockIn], bodyOutputs.map(portInfo));

  const scanned = clock ? [clockName] : feeds.map((port) => port.name);
  outer.node(
    'Scan',
    [...state.map((port) => port.name), ...scanned],
    [...next, ...outputs].map((port) => port.name),
    [
      create(AttributeProtoSchema, { name: 'body', type: 5, g: bodyGraph }),
      attributeProto('num_scan_inputs', scanned.length),
    ],
  );
  const clockInfo = clock ? [valueInfo(clockName, typeNumbers.bool, ['K'])] : [];
  const graph = outer.finish(
    step.name,
    [...state.map(portInfo), ...feeds.map(stacked), ...clockInfo, ...constants.map(portInfo)],
    [...next.map(portInfo), ...outputs.map(stacked)],
  );
  return modelBytes(graph, metadata, nodes);
}
