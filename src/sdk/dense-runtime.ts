/**
 * Runs fully connected encoders from their ONNX file in plain JS, for devices that would otherwise load megabytes of
 * WebAssembly for a model of a few hundred kilobytes. Knows what Hourglass writes for them, and says so for anything else.
 *
 *   x ─► Reshape ─► Gemm | MatMul ─► Relu | Sigmoid | Tanh ─► Gemm ─► … ─► z          numbers of fields: onnx.proto
 */

import { fieldsOf, packedOf } from './protobuf.ts';

/** x [count, values] → z [count, units] */
export type RunEncoder = (rows: Float32Array, count: number) => Promise<Float32Array>;

type Step =
  | { readonly op: 'dense'; readonly weight: Tensor; readonly bias: Tensor | undefined }
  | { readonly op: 'relu' | 'sigmoid' | 'tanh' };

interface Tensor {
  readonly dims: readonly number[];
  readonly data: Float32Array;
}

interface Node {
  readonly type: string;
  readonly inputs: readonly string[];
  readonly output: string;
  readonly attributes: number;
}

const activations: Readonly<Record<string, 'relu' | 'sigmoid' | 'tanh'>> = {
  Relu: 'relu',
  Sigmoid: 'sigmoid',
  Tanh: 'tanh',
};

/** Undefined when the model is more than a stack of dense layers. Throws RangeError when the bytes are damaged. */
export function openDense(model: Uint8Array): RunEncoder | undefined {
  const steps = stepsOf(model);
  return (
    steps &&
    (async (rows, count) => {
      let values = rows;
      for (const step of steps) values = step.op === 'dense' ? dense(values, count, step) : apply(values, step.op);
      return values;
    })
  );
}

function stepsOf(model: Uint8Array): Step[] | undefined {
  const nodes: Node[] = [];
  const tensors = new Map<string, Tensor>();
  let current = '';
  for (const graph of fieldsOf(model)) {
    if (graph.number !== 7 || graph.wire !== 2) continue;
    for (const { number, bytes } of fieldsOf(graph.bytes)) {
      if (number === 1) nodes.push(readNode(bytes));
      if (number === 5) readTensor(bytes, tensors);
      if (number === 11) current = readName(bytes);
    }
  }
  const steps: Step[] = [];
  for (const { type, inputs, output, attributes } of nodes) {
    const [first, second = '', third = ''] = inputs;
    if (first !== current || attributes > 0) return undefined;
    current = output;
    const activation = activations[type];
    if (type === 'Reshape') continue;
    if (activation) steps.push({ op: activation });
    else {
      const [weight, bias] = [tensors.get(second), tensors.get(third)];
      if ((type !== 'Gemm' && type !== 'MatMul') || weight?.dims.length !== 2) return undefined;
      if (third !== '' && bias?.data.length !== weight.dims[1]) return undefined;
      steps.push({ op: 'dense', weight, bias });
    }
  }
  return steps.some(({ op }) => op === 'dense') ? steps : undefined;
}

const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

function readName(bytes: Uint8Array): string {
  for (const { number, bytes: name } of fieldsOf(bytes)) if (number === 1) return textOf(name);
  return '';
}

function readNode(bytes: Uint8Array): Node {
  const inputs: string[] = [];
  let [output, type, attributes] = ['', '', 0];
  for (const field of fieldsOf(bytes)) {
    if (field.number === 1) inputs.push(textOf(field.bytes));
    if (field.number === 2) output = textOf(field.bytes);
    if (field.number === 4) type = textOf(field.bytes);
    if (field.number === 5) attributes++;
  }
  return { type, inputs, output, attributes };
}

/** Only float32 tensors matter: shapes for Reshape are int64, and flattening is what they do. */
function readTensor(bytes: Uint8Array, tensors: Map<string, Tensor>): void {
  const dims: number[] = [];
  let [type, name, raw] = [0, '', new Uint8Array()];
  for (const field of fieldsOf(bytes)) {
    if (field.number === 1 && field.wire === 0) dims.push(field.value);
    if (field.number === 1 && field.wire === 2) dims.push(...packedOf(field.bytes));
    if (field.number === 2) type = field.value;
    if (field.number === 8) name = textOf(field.bytes);
    if (field.number === 9) raw = field.bytes.slice();
  }
  if (type === 1 && raw.length % 4 === 0) tensors.set(name, { dims, data: new Float32Array(raw.buffer) });
}

/** y = x·W + b, row by row; zeros of x, most of a drawing, cost nothing. */
function dense(x: Float32Array, count: number, { weight, bias }: Extract<Step, { op: 'dense' }>): Float32Array {
  const [inputs = 0, units = 0] = weight.dims;
  const y = new Float32Array(count * units);
  const sums = new Float64Array(units);
  for (let row = 0; row < count; row++) {
    if (bias) sums.set(bias.data);
    else sums.fill(0);
    for (let i = 0; i < inputs; i++) {
      const value = x[row * inputs + i] as number;
      if (value === 0) continue;
      for (let j = 0, at = i * units; j < units; j++, at++) {
        sums[j] = (sums[j] as number) + value * (weight.data[at] as number);
      }
    }
    y.set(sums, row * units);
  }
  return y;
}

function apply(x: Float32Array, op: 'relu' | 'sigmoid' | 'tanh'): Float32Array {
  switch (op) {
    case 'relu':
      return x.map((value) => Math.max(0, value));
    case 'sigmoid':
      return x.map((value) => 1 / (1 + Math.exp(-value)));
    case 'tanh':
      return x.map(Math.tanh);
    default:
      return op satisfies never;
  }
}
