/** What the page shows of a code, a frame and its receipt. */

import type { DeviceReceipt } from '../sdk/index.ts';
import { block, canvas, context, element, list, made, say } from './page.ts';

/** of `#z` */
const [plotWidth, plotHeight] = [100, 40];

/** A bar for each value, up for positive ones, on a scale that the largest one fills. */
export function showCode(code: Float32Array): void {
  const largest = Math.max(1e-6, ...code.map(Math.abs));
  const slot = plotWidth / code.length;
  const middle = plotHeight / 2;
  const bars = Array.from(code, (z, i) => {
    const height = (z / largest) * (middle - 1);
    return `M${(i + 0.15) * slot} ${middle}v${-height}h${0.7 * slot}v${height}z`;
  });
  element('z', SVGElement).querySelector('path')?.setAttribute('d', bars.join(''));
  say('z-count', `${code.length} numbers`);
}

/** Framing of a compact frame, docs/frame.md. */
const fields = [
  { name: 'kind', bytes: 1 },
  { name: 'id', bytes: 2 },
  { name: 'sum', bytes: 2 },
] as const;
const shownBytes = 256;

export function showFrame(frame: Uint8Array): void {
  const classes = fields.flatMap(({ name, bytes }) => new Array<string>(bytes).fill(name));
  const cells = Array.from(frame.subarray(0, shownBytes), (byte, i) =>
    made('span', byte.toString(16).padStart(2, '0'), classes[i] ?? 'payload'),
  );
  if (frame.length > shownBytes) cells.push(made('span', `… ${frame.length - shownBytes} more`));
  block('frame').replaceChildren(...cells);
  say('wire-bytes', String(frame.length));
}

/** Compares with the same picture as a PNG file; with its pixels, where this browser cannot make one. */
export function showCost({ rawBytes, wireBytes }: DeviceReceipt, png: number | undefined): void {
  const other = png ?? rawBytes;
  const times = other >= 10 * wireBytes ? Math.round(other / wireBytes) : (other / wireBytes).toFixed(1);
  const what = `instead of ${other} ${png === undefined ? 'as pixels' : 'as a PNG file'}`;
  say('ratio', wireBytes < other ? `${what}: ${times} times smaller, not lossless` : what);
}

/** Nothing is drawn, so nothing is encoded or sent. */
export function showNothing(): void {
  for (const id of ['x', 'decoded', 'noisy', 'denoised']) {
    const target = canvas(id);
    context(target).clearRect(0, 0, target.width, target.height);
  }
  element('z', SVGElement).querySelector('path')?.setAttribute('d', '');
  for (const id of ['z-count', 'wire-bytes', 'decoded-caption']) say(id, '–');
  say('ratio', 'Nothing is drawn, so nothing is sent.');
  for (const id of ['frame', 'receipt']) block(id).replaceChildren();
}

/** What the page knows besides the receipt. */
export interface Measured {
  readonly weights: string;
  readonly encodeMs: number;
  /** bytes of the picture as a lossless PNG */
  readonly png: number | undefined;
  readonly answer?: {
    readonly model: string;
    readonly roundTripMs: number;
    /** dB of x̂ against x */
    readonly psnr: number;
    /** bytes of a WebP that is as close to x */
    readonly webp: number | undefined;
  };
}

export function showReceipt(receipt: DeviceReceipt, { weights, encodeMs, png, answer }: Measured): void {
  const { model, decoder, quality, qualities, rawBytes, wireBytes, estimatedPsnr, kind, shortfall } = receipt;
  list('receipt', {
    Model: answer?.model ?? model,
    Decoder: decoder.slice(0, 16),
    Frame: `${kind}, quality ${quality + 1} of ${qualities}`,
    Bytes: `${wireBytes} on the wire`,
    'As PNG': png === undefined ? '–' : `${png} bytes, lossless`,
    'As WebP': answer?.webp === undefined ? '–' : `${answer.webp} bytes at ${decibels(answer.psnr)}`,
    'As pixels': `${rawBytes} bytes`,
    'Expected PSNR': `${estimatedPsnr.toFixed(1)} dB`,
    'This picture': answer ? decibels(answer.psnr) : '–',
    Encoder: `${weights}, ${encodeMs.toFixed(1)} ms on this device, golden vectors agree`,
    'Round trip': answer ? `${answer.roundTripMs.toFixed(0)} ms` : '–',
    ...(shortfall !== undefined && { Shortfall: shortfall }),
  });
}

export const decibels = (psnr: number): string => (Number.isFinite(psnr) ? `${psnr.toFixed(1)} dB` : 'exact');

/** dB of y against x, whose values span `range`. */
export function psnrOf(x: Float32Array, y: Float32Array, range: readonly [number, number]): number {
  const error = x.reduce((sum, value, i) => sum + (value - (y[i] as number)) ** 2, 0) / x.length;
  return 10 * Math.log10((range[1] - range[0]) ** 2 / error);
}
