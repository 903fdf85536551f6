/** How the window of a convolution goes over an image, and the window that leads back from its output. */

import { type Info, paddingOf } from './geometry.ts';

/** The window of a convolution and the padding around the image. */
export interface Sweep {
  readonly kernel: readonly [height: number, width: number];
  readonly strides: readonly [number, number];
  readonly dilations: readonly [number, number];
  /** top, left, bottom, right */
  readonly pads: readonly [number, number, number, number];
}

export const sweepOf = (info: Info): Sweep => ({
  kernel: [info.filterHeight, info.filterWidth],
  strides: [info.strideHeight, info.strideWidth],
  dilations: [info.dilationHeight, info.dilationWidth],
  pads: paddingOf(info),
});

/** The sweep as attributes of an operator. */
export const sweepAttributes = ({ kernel, strides, dilations, pads }: Sweep, group = 1) => ({
  kernel_shape: kernel,
  strides,
  dilations,
  pads,
  ...(group > 1 && { group }),
});

/** The sweep that leads back, of stride 1; undefined where its padding would be negative. */
export function turnedSweep(sweep: Sweep): Sweep | undefined {
  const reach = sweep.kernel.map((size, i) => (size - 1) * sweep.dilations[i]!);
  const pads = sweep.pads.map((pad, i) => reach[i % 2]! - pad) as [number, number, number, number];
  const unit = sweep.strides.every((stride) => stride === 1);
  return unit && pads.every((pad) => pad >= 0) ? { ...sweep, pads } : undefined;
}
