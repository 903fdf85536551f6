/** Recognises what a recorded step does with NCHW images: transposes, pools, enlargements, sums over pixels. */

import { sameShape } from '../../../base/ndarray.ts';
import { type Attributes, constantData, type Node, type Value } from '../graph.ts';

export const nodeOf = ({ source }: Value): Node | undefined => (source.kind === 'node' ? source.node : undefined);

/** The NCHW image that an NHWC one is the transpose of. */
export function transposed(image: Value): Value | undefined {
  const node = nodeOf(image);
  return node?.op === 'Transpose' && isLast(node) ? node.inputs[0] : undefined;
}

/** Whether a pool reads 2×2 pixels that no other of its windows reads. */
export function poolsTwofold({ attributes }: Node): boolean {
  const { kernel_shape: kernel, strides, pads } = attributes as Record<string, readonly number[] | undefined>;
  return kernel?.join() === '2,2' && strides?.join() === '2,2' && (pads ?? []).every((n) => n === 0);
}

export const isLast = ({ attributes }: Node): boolean => sameShape(attributes.perm as readonly number[], [0, 2, 3, 1]);

/** Whether a sum leaves the channels of an NCHW image. */
export function sumsChannels({ op, inputs, attributes }: Node): boolean {
  if (op !== 'ReduceSum') return false;
  const axes = constantData(inputs[1]!);
  return attributes.keepdims === 0 && axes !== undefined && Array.from(axes).join() === '0,2,3';
}

/** The operator on blocks that pools or enlarges as a node does; undefined for other nodes. */
export function resizing(
  node: Node,
): { op: 'MaxPool' | 'AveragePool' | 'Upsample'; attributes: Attributes } | undefined {
  const { op, inputs, outputs, attributes } = node;
  if ((op === 'MaxPool' || op === 'AveragePool') && outputs.length === 1) return { op, attributes };
  if (op !== 'Resize' || attributes.mode !== 'nearest') return undefined;
  const isUpsample = attributes.coordinate_transformation_mode === 'asymmetric' && attributes.nearest_mode === 'floor';
  const scales = inputs[2] && constantData(inputs[2]);
  return isUpsample && scales ? { op: 'Upsample', attributes: { scales: Array.from(scales) } } : undefined;
}
