/**
 * The printable form of a graph, for goldens and debugging: one line for each value in the order of writing.
 *
 *   x: float32 [128, 784] = input
 *   t0: float32 [128, 32] = Gemm(x, W, transB=1)
 *   out: t0
 */

import { showShape, sizeOf } from '../../base/ndarray.ts';
import { constantData, reachable, showAttributes, type Value } from './graph.ts';
import type { ModelPort } from './model.ts';

/** Constants up to this size are written into the line that uses them. */
const inlineSize = 8;

function showConstant(value: Value): string {
  const data = constantData(value)!;
  const numbers = Array.from(data, (x) => String(x)).join(', ');
  const list = data.length <= inlineSize ? numbers : `${data.length} numbers`;
  if (sizeOf(value.shape) === data.length && value.shape.length <= 1) {
    return value.shape.length === 0 ? `${list}` : `[${list}]`;
  }
  return `${value.type} ${showShape(value.shape)} {${list}}`;
}

/** The graph of some outputs. Names are those of the inputs, or t0, t1 … */
export function showGraph(outputs: readonly ModelPort[]): string {
  const { nodes, inputs } = reachable(outputs.map((port) => port.value));
  const names = new Map<Value, string>();
  const lines: string[] = [];
  const nameOf = (value: Value | undefined): string => {
    if (!value) return '–';
    return value.source.kind === 'constant' ? showConstant(value) : names.get(value)!;
  };
  for (const input of inputs) {
    if (input.source.kind !== 'input') continue;
    names.set(input, input.source.name);
    lines.push(`${input.source.name}: ${input.type} ${showShape(input.shape)} = input`);
  }
  let count = 0;
  for (const node of nodes) {
    const made = node.outputs.map((value) => {
      const name = `t${count++}`;
      names.set(value, name);
      return `${name}: ${value.type} ${showShape(value.shape)}`;
    });
    const given = [...node.inputs.map(nameOf), showAttributes(node.attributes)].filter((part) => part !== '');
    lines.push(`${made.join(', ')} = ${node.domain && `${node.domain}.`}${node.op}(${given.join(', ')})`);
  }
  for (const { name, value } of outputs) lines.push(`${name}: ${nameOf(value)}`);
  return `${lines.join('\n')}\n`;
}
