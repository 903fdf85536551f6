/** Bytes against quality under the dial: what the models reach, where this picture lies, and a WebP as good as that. */

import { render } from 'preact';
import { Chart, type Curve } from '../console/parts/chart.tsx';
import type { Version } from './models.ts';
import { block } from './page.ts';

/** bytes and dB */
export type Place = readonly [bytes: number, psnr: number];

export interface Rates {
  readonly version: Version;
  readonly here: Place | undefined;
  readonly other?: { readonly version: Version; readonly here: Place | undefined } | undefined;
  /** of a WebP that is as close to this picture */
  readonly webp: Place | undefined;
}

/** a compact frame has its kind, decoder and checksum besides */
const framing = 5;

const curveOf = ({ name, version, codec }: Version, colour: number): Curve => ({
  label: `${name}@${version}`,
  colour,
  points: (codec?.qualities ?? []).map(({ bytesPerRow, psnr }) => [bytesPerRow + framing, psnr]),
});

const markOf = (label: string, colour: number, place: Place | undefined): Curve[] =>
  place?.every(Number.isFinite) ? [{ label, colour, isMarks: true, points: [place] }] : [];

export function showRates({ version, here, other, webp }: Rates): void {
  const curves = [
    curveOf(version, 0),
    ...(other ? [curveOf(other.version, 1)] : []),
    ...markOf('this picture', 0, here),
    ...markOf('by the other model', 1, other?.here),
    ...markOf('WebP as close', 5, webp),
  ];
  render(
    <Chart
      curves={curves}
      isLogX
      height={210}
      xLabel="bytes"
      yLabel="PSNR, dB"
      label="PSNR against bytes: mean of held-out rows as lines, this picture as a mark"
    />,
    block('rates'),
  );
}
