/** Which convolutions are computed in blocks. The bounds follow measurements: docs/decisions/0021-blocked-convolutions.md. */

import type { ConvolutionRecord } from '../ops/convolution-record.ts';
import type { Info } from '../ops/geometry.ts';
import { sweepOf, turnedSweep } from '../ops/sweep.ts';

/** Images of up to so many channels are read channel by channel, without blocks. */
const fewChannels = 4;
export const readsFewChannels = (channels: number): boolean => channels <= fewChannels;

/** Multiplications below which the nodes around a convolution cost more than is won. */
const leastProducts = 2 ** 20;

/** Numbers of a filter above which arranging it in every step costs too much. */
const largestFilter = 2 ** 17;

/** Pixels of an image up to which a block of images is read from a cache when it serves as a filter. */
const largestImage = 4096;

const productsOf = (info: Info): number =>
  info.batchSize *
  info.outHeight *
  info.outWidth *
  info.filterHeight *
  info.filterWidth *
  info.inChannels *
  info.outChannels;

/** Outputs are filled up to whole blocks: with fewer than half a block another form is faster. */
const fillsBlock = (channels: number, block: number): boolean => 2 * channels >= block;

/** Whether a convolution of an enlarged image should be computed from the small one (enlarged.ts). */
export function isWorthFolding({ kind, info }: ConvolutionRecord, block: number): boolean {
  if (productsOf(info) < leastProducts) return false;
  return kind !== 'filter' || (info.batchSize % block === 0 && info.inHeight * info.inWidth <= 4 * largestImage);
}

const isUnit = ({ strideHeight, strideWidth, dilationHeight, dilationWidth }: Info): boolean =>
  strideHeight === 1 && strideWidth === 1 && dilationHeight === 1 && dilationWidth === 1;

export function isWorthBlocks({ kind, info }: ConvolutionRecord, block: number): boolean {
  const { filterHeight, filterWidth, inChannels, outChannels } = info;
  const isSmallFilter = filterHeight * filterWidth * inChannels * outChannels <= largestFilter;
  if (productsOf(info) < leastProducts || !isSmallFilter) return false;
  switch (kind) {
    case 'forward':
      // windows that do not overlap are copied once: a product is as fast
      return fillsBlock(outChannels, block) && (info.strideHeight < filterHeight || filterHeight === 1);
    case 'input':
      return fillsBlock(inChannels, block) && turnedSweep(sweepOf(info)) !== undefined;
    case 'filter': {
      const pixels = Math.max(info.inHeight * info.inWidth, info.outHeight * info.outWidth);
      const isWide = fillsBlock(Math.max(inChannels, outChannels), block);
      return isUnit(info) && isWide && info.batchSize % block === 0 && pixels <= largestImage;
    }
    default:
      return kind satisfies never;
  }
}
