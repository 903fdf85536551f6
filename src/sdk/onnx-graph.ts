/** Reads an ONNX file as far as encoders need it: nodes, weights, names of input and output. Numbers of fields: onnx.proto. */

import { decodeText } from './environment.ts';
import { type Field, fieldsOf, packedOf } from './protobuf.ts';

export interface Tensor {
  readonly dims: readonly number[];
  readonly data: Float32Array | Int8Array | Float64Array;
}

export interface GraphNode {
  readonly type: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** those that are whole numbers or lists of them, the former as a list of one */
  readonly attributes: ReadonlyMap<string, readonly number[]>;
}

export interface Graph {
  readonly nodes: readonly GraphNode[];
  readonly constants: ReadonlyMap<string, Tensor>;
  readonly input: string;
  readonly output: string;
}

const graphField = 7;

/** Weights of other types than float32, int8 and int64 are left out. Throws RangeError when the bytes are damaged. */
export function readGraph(model: Uint8Array): Graph {
  const nodes: GraphNode[] = [];
  const constants = new Map<string, Tensor>();
  let [input, output] = ['', ''];
  for (const graph of fieldsOf(model)) {
    if (graph.number !== graphField || graph.wire !== 2) continue;
    for (const { number, bytes } of fieldsOf(graph.bytes)) {
      if (number === 1) nodes.push(readNode(bytes));
      if (number === 5) readTensor(bytes, constants);
      if (number === 11) input = readName(bytes);
      if (number === 12) output = readName(bytes);
    }
  }
  if (output === '') throw new RangeError('the file holds no graph');
  return { nodes, constants, input, output };
}

function readName(bytes: Uint8Array): string {
  for (const { number, bytes: name } of fieldsOf(bytes)) if (number === 1) return decodeText(name);
  return '';
}

function readNode(bytes: Uint8Array): GraphNode {
  const inputs: string[] = [];
  const outputs: string[] = [];
  const attributes = new Map<string, readonly number[]>();
  let [type, domain] = ['', ''];
  for (const field of fieldsOf(bytes)) {
    if (field.number === 1) inputs.push(decodeText(field.bytes));
    if (field.number === 2) outputs.push(decodeText(field.bytes));
    if (field.number === 4) type = decodeText(field.bytes);
    if (field.number === 5) readAttribute(field.bytes, attributes);
    if (field.number === 7) domain = decodeText(field.bytes);
  }
  return { type: domain === '' ? type : `${domain}:${type}`, inputs, outputs, attributes };
}

function readAttribute(bytes: Uint8Array, attributes: Map<string, readonly number[]>): void {
  let name = '';
  const numbers: number[] = [];
  for (const field of fieldsOf(bytes)) {
    if (field.number === 1) name = decodeText(field.bytes);
    if (field.number === 3 || field.number === 8) numbers.push(...numbersOf(field));
  }
  attributes.set(name, numbers);
}

/** Repeated numbers come one by one or packed. */
const numbersOf = (field: Field): number[] => (field.wire === 2 ? packedOf(field.bytes) : [field.value]);

function readTensor(bytes: Uint8Array, tensors: Map<string, Tensor>): void {
  const dims: number[] = [];
  let [type, name, raw] = [0, '', new Uint8Array()];
  for (const field of fieldsOf(bytes)) {
    if (field.number === 1) dims.push(...numbersOf(field));
    if (field.number === 2) type = field.value;
    if (field.number === 8) name = decodeText(field.bytes);
    // a copy: values must be aligned, and slices of a Buffer share its memory
    if (field.number === 9) raw = new Uint8Array(field.bytes);
  }
  const data = valuesOf(type, raw);
  if (data && data.length === dims.reduce((a, b) => a * b, 1)) tensors.set(name, { dims, data });
}

function valuesOf(type: number, raw: Uint8Array<ArrayBuffer>): Tensor['data'] | undefined {
  if (type === 3) return new Int8Array(raw.buffer);
  if (type === 1 && raw.length % 4 === 0) return new Float32Array(raw.buffer);
  if (type === 7 && raw.length % 8 === 0) return Float64Array.from(new BigInt64Array(raw.buffer), Number);
  return undefined;
}
