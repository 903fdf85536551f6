/**
 * What reaches a quality that a model does not: frames of other models for the same kind of rows (a linear one codes principal
 * components), and the rows as WebP pictures, where rows are pictures.
 */

import type { Alternative } from '../codec/receipt.ts';
import type { CodedManifest } from './frame-index.ts';

/** Rows as WebP at the lowest setting that reaches a PSNR; undefined where they are no pictures or none reaches it. */
export type WebpCoder = (rows: Float32Array, options: WebpOptions) => Promise<WebpPictures | undefined>;

export interface WebpOptions {
  /** of a row */
  readonly shape: readonly number[];
  /** of the values */
  readonly range: readonly [number, number];
  /** dB */
  readonly psnr: number;
}

export interface WebpPictures {
  /** WebP's own, 1 to 100 */
  readonly quality: number;
  /** of all pictures */
  readonly bytes: number;
  readonly psnr: number;
}

export interface AlternativesOptions {
  /** the model that does not reach it */
  readonly manifest: CodedManifest;
  /** for the same kind of rows */
  readonly coders: readonly CodedManifest[];
  /** [rows, values] */
  readonly inputs: Float32Array;
  readonly rows: number;
  /** dB to reach */
  readonly psnr: number;
  readonly webp?: WebpCoder | undefined;
}

const most = 3;
/** Pictures that are coded to see what they take. */
const pictureRows = 16;
/** of a compact frame, of a batch frame */
const framing = [5, 8] as const;

/** The shortest first, three at most. */
export async function alternativesOf(options: AlternativesOptions): Promise<Alternative[]> {
  const { manifest, coders, inputs, rows, psnr, webp } = options;
  const found: Alternative[] = [];
  for (const { name, version, codec } of coders) {
    const quality = codec.qualities.findIndex((candidate) => candidate.psnr >= psnr);
    const reaching = codec.qualities[quality];
    if (name === manifest.name || !reaching) continue;
    const bytes = Math.ceil(reaching.bytesPerRow * rows) + framing[rows === 1 ? 0 : 1];
    found.push({ type: 'frame', model: `${name}@${version}`, quality, bytes, psnr: reaching.psnr });
  }
  if (webp && rows <= pictureRows) {
    const { inputShape: shape, inputRange: range = [0, 1] } = manifest;
    const pictures = await webp(inputs, { shape, range, psnr });
    if (pictures) found.push({ type: 'webp', ...pictures });
  }
  return found.toSorted((a, b) => a.bytes - b.bytes).slice(0, most);
}
