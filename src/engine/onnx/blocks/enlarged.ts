/**
 * A 3×3 convolution of an image that was enlarged twofold, computed from the small image. Each pixel of the small image stands for
 * 2×2 pixels of the large one, and each of these four sees 2×2 of the 3×3 small pixels around it:
 *
 *   convolution of the enlarged image with W  =  depth to space of ( convolution of the small image with M · W )
 *
 * M adds up the weights of W that meet the same small pixel; results have four times the channels, (row, column, output). So the
 * large image, which is several times larger than a cache, is neither written nor read. The gradients follow from the same M.
 */

import type { Graph, Value } from '../graph.ts';
import { constantData } from '../graph.ts';
import { gemm, reshape, tile, transpose } from '../nodes.ts';
import type { ConvolutionRecord } from '../ops/convolution-record.ts';
import { type Info, paddingOf } from '../ops/geometry.ts';

/** Pixels of the large image for each small one, by height and by width; also the pixels of a filter's side that they see. */
const scale = 2;
const places = scale * scale;
const side = 3;

/** Results with more channels than this fill a block by themselves, and gain nothing. */
const mostOutputs = 4;

/** The NCHW image that a value was enlarged from twofold by repeating its pixels, if it was. */
function smallOf(image: Value): Value | undefined {
  const node = image.source.kind === 'node' ? image.source.node : undefined;
  if (node?.op === 'Transpose') return smallOf(node.inputs[0]!);
  if (node?.op !== 'Resize' || node.attributes.mode !== 'nearest' || node.attributes.nearest_mode !== 'floor')
    return undefined;
  const scales = node.inputs[2] && constantData(node.inputs[2]);
  return scales && Array.from(scales).join() === `1,1,${scale},${scale}` ? node.inputs[0] : undefined;
}

/** Whether a convolution of an enlarged image may be computed from the small one. */
export function isFoldable(info: Info): boolean {
  const isUnit = [info.strideHeight, info.strideWidth, info.dilationHeight, info.dilationWidth].every((n) => n === 1);
  const isThree = info.filterHeight === side && info.filterWidth === side && paddingOf(info).every((n) => n === 1);
  const isEven = info.inHeight % scale === 0 && info.inWidth % scale === 0;
  return isUnit && isThree && isEven && info.outChannels <= mostOutputs && info.inChannels > mostOutputs;
}

/** The small NCHW image behind a convolution or the gradient of its filter, where it can be computed from that. */
export function smallImage(record: ConvolutionRecord): Value | undefined {
  if (record.kind === 'input' || !isFoldable(record.info)) return undefined;
  return smallOf(record.kind === 'filter' ? record.x : record.image);
}

/** The convolution of the small image. */
export const smallInfo = (info: Info): Info => ({
  ...info,
  inHeight: info.inHeight / scale,
  inWidth: info.inWidth / scale,
  outHeight: info.outHeight / scale,
  outWidth: info.outWidth / scale,
  outChannels: places * info.outChannels,
});

/** Which small pixel, 0 to 2 around that of the result, the filter's place `i` meets from row (or column) `a` of the four. */
const met = (a: number, i: number): number => Math.floor((a + i - 1) / scale) + 1;

/** M times a factor, [small pixel · one of the four, place of the filter], or its transpose. */
function sums(g: Graph, factor: number, turned: boolean): Value {
  const [rows, columns] = [side * side * places, side * side];
  const matrix = new Float32Array(rows * columns);
  for (let a = 0; a < scale; a++) {
    for (let b = 0; b < scale; b++) {
      for (let i = 0; i < side; i++) {
        for (let j = 0; j < side; j++) {
          const row = (met(a, i) * side + met(b, j)) * places + a * scale + b;
          const column = i * side + j;
          matrix[turned ? column * rows + row : row * columns + column] = factor;
        }
      }
    }
  }
  return g.constant('float32', turned ? [columns, rows] : [rows, columns], matrix);
}

/** The filter for the small image, HWIO of a filter HWIO. */
export function foldedFilter(g: Graph, filter: Value, factor = 1): Value {
  const [, , inputs, outputs] = filter.shape as [number, number, number, number];
  const folded = gemm(g, sums(g, factor, false), reshape(g, filter, [side * side, inputs * outputs]));
  const apart = transpose(g, reshape(g, folded, [side * side, places, inputs, outputs]), [0, 2, 1, 3]);
  return reshape(g, apart, [side, side, inputs, places * outputs]);
}

/** The gradient by the filter, given that by the filter for the small image. */
export function unfoldedGradient(g: Graph, gradient: Value): Value {
  const [, , inputs, wide] = gradient.shape as [number, number, number, number];
  const outputs = wide / places;
  const apart = transpose(g, reshape(g, gradient, [side * side, inputs, places, outputs]), [0, 2, 1, 3]);
  const rows = reshape(g, apart, [side * side * places, inputs * outputs]);
  return reshape(g, gemm(g, sums(g, 1, true), rows), [side, side, inputs, outputs]);
}

/** A bias for each of the four. */
export const foldedBias = (g: Graph, bias: Value): Value => tile(g, bias, [places]);

/** NCHW with four times the channels → the large image, and back. */
export function toLarge(g: Graph, image: Value): Value {
  const [batch, channels, height, width] = image.shape as [number, number, number, number];
  const shape = [batch, channels / places, scale * height, scale * width];
  return g.node('DepthToSpace', [image], { type: 'float32', shape }, { blocksize: scale });
}
export function toSmall(g: Graph, image: Value): Value {
  const [batch, channels, height, width] = image.shape as [number, number, number, number];
  const shape = [batch, places * channels, height / scale, width / scale];
  return g.node('SpaceToDepth', [image], { type: 'float32', shape }, { blocksize: scale });
}
