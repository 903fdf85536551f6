/** A bias goes into the operator that makes what it is added to: Gemm and Conv add it on the way, without a pass of its own. */

import type { Graph, Node, Value } from '../graph.ts';
import { reshape, transpose } from '../nodes.ts';
import { convolutionOf, recordConvolution } from './convolution-record.ts';

/** The node that makes a value if it is a product or a convolution that has no bias yet. */
function unbiased(value: Value): Node | undefined {
  const { source } = value;
  const takesBias = source.kind === 'node' && ['Gemm', 'Conv', 'ConvTranspose'].includes(source.node.op);
  return takesBias && source.node.inputs.length === 2 ? source.node : undefined;
}

function withBias(g: Graph, { op, inputs, attributes, outputs }: Node, bias: Value): Value {
  const biased = g.node(op, [...inputs, bias], outputs[0]!, attributes);
  const record = convolutionOf(outputs[0]!);
  return record?.kind === 'forward' ? recordConvolution(biased, { ...record, bias }) : biased;
}

/**
 * y + bias [channels] along the last axis, with the bias inside the operator that makes y; undefined where that cannot be. An
 * operator that something else reads without its bias would be written twice: after matMul and conv2d nothing does.
 */
export function biased(g: Graph, y: Value, bias: Value): Value | undefined {
  if (y.shape.length < 2 || bias.shape.length !== 1 || bias.shape[0] !== y.shape.at(-1)) return undefined;
  const direct = unbiased(y);
  if (direct?.op === 'Gemm') return withBias(g, direct, bias);
  if (y.source.kind !== 'node') return undefined;
  const { op, inputs, attributes } = y.source.node;
  const inner = inputs[0] && unbiased(inputs[0]);
  if (!inner) return undefined;
  const channels = inner.outputs[0]!.shape[1];
  const again = () => withBias(g, inner, bias);
  if (op === 'Transpose' && inner.op !== 'Gemm') {
    const perm = attributes.perm as readonly number[];
    return perm.at(-1) === 1 ? transpose(g, again(), perm) : undefined;
  }
  // rows of several batches, or an image of one channel
  const kept = channels === bias.shape[0] && (inner.op === 'Gemm' || channels === 1);
  return op === 'Reshape' && kept ? reshape(g, again(), y.shape) : undefined;
}
