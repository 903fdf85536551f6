/**
 * Runs encoders from their ONNX file in plain JS, for devices that would otherwise load megabytes of WebAssembly for a model
 * of a few hundred kilobytes. Knows the operators that Hourglass writes for most encoders, and says so for anything else.
 *
 *   file ─► nodes, weights ─► nodes of weights alone are computed once ─► x ─► the other nodes in order ─► z
 */

import { kernels } from './kernels.ts';
import { type Graph, type GraphNode, readGraph, type Tensor } from './onnx-graph.ts';

/** x [count, values] → z [count, units] */
export type RunEncoder = (rows: Float32Array, count: number) => Promise<Float32Array>;

/**
 * Undefined when the model needs an operator that is not built in. Throws RangeError when the bytes are damaged.
 * @param inputShape of one row
 */
export function openBuiltIn(model: Uint8Array, inputShape: readonly number[]): RunEncoder | undefined {
  const graph = readGraph(model);
  if (!graph.nodes.every(isBuiltIn)) return undefined;
  const constants = new Map(graph.constants);
  const varying = graph.nodes.filter((node) => {
    const inputs = node.inputs.map((name) => constants.get(name));
    if (!inputs.every((input) => input !== undefined)) return true;
    constants.set(node.outputs[0] ?? '', compute(node, inputs));
    return false;
  });
  if (!isWhole(graph, varying, constants)) return undefined;
  return async (rows, count) => {
    const values = new Map<string, Tensor>([[graph.input, { dims: [count, ...inputShape], data: rows }]]);
    for (const node of varying) {
      const inputs = node.inputs.map((name) => values.get(name) ?? constants.get(name));
      values.set(node.outputs[0] ?? '', compute(node, inputs as Tensor[]));
    }
    return values.get(graph.output)?.data as Float32Array;
  };
}

const isBuiltIn = ({ type, attributes }: GraphNode): boolean =>
  [...attributes.keys()].every((name) => kernels[type]?.attributes.includes(name)) && type in kernels;

const compute = ({ type, attributes }: GraphNode, inputs: readonly Tensor[]): Tensor =>
  (kernels[type] as (typeof kernels)[string]).run(inputs, (name) => attributes.get(name));

/** Every value that is used is there: no second output, no weight of a type that was left out. */
function isWhole(
  { input, output }: Graph,
  nodes: readonly GraphNode[],
  constants: ReadonlyMap<string, Tensor>,
): boolean {
  const known = new Set([input, ...constants.keys()]);
  for (const { inputs, outputs } of nodes) {
    if (!inputs.every((name) => known.has(name))) return false;
    known.add(outputs[0] ?? '');
  }
  return known.has(output);
}
