// Real frames of all rows of a test set, decoded again: what they take, and how far what comes out is from what went in.
import type { Coder } from '../../src/bundle/coder.ts';
import { decodeFrame, encodeFrame } from '../../src/codec/frame.ts';
import { dequantise, idealBits, type Profile, type Quality, quantise } from '../../src/codec/profile.ts';
import { searchSymbols } from '../../src/codec/search.ts';

export interface Point {
  readonly quality: number;
  readonly searched: boolean;
  /** bytes a row: ideal payload, frames of 64 rows, compact frames of one */
  readonly payload: number;
  readonly batch: number;
  readonly single: number;
  /** dB, of the squared error's mean over all values of all rows */
  readonly psnr: number;
}

export const batchRows = 64;

export interface PointOptions {
  readonly coder: Coder;
  readonly profile: Profile;
  readonly rows: Float32Array;
  readonly rowSize: number;
  readonly span: number;
  readonly index: number;
  /** λ to search with; plain quantisation without */
  readonly lambda?: number;
}

export async function pointOf({ coder, profile, rows, rowSize, span, index, lambda }: PointOptions): Promise<Point> {
  const quality = profile.qualities[index] as Quality;
  const plain = quantise(quality, await coder.encode(rows));
  const { decode } = coder;
  const symbols =
    lambda === undefined ? plain : await searchSymbols({ quality, symbols: plain, targets: rows, decode, lambda });
  const count = rows.length / rowSize;
  const width = quality.units.length;
  const back = new Int32Array(symbols.length);
  const bytes = { batch: 0, single: 0 };
  for (const [kind, step] of [
    ['batch', batchRows],
    ['compact', 1],
  ] as const) {
    for (let row = 0; row < count; row += step) {
      const [from, to] = [row * width, Math.min(count, row + step) * width];
      const frame = encodeFrame(profile, symbols.subarray(from, to), { kind, quality: index });
      back.set(decodeFrame(profile, frame).symbols, from);
      bytes[kind === 'batch' ? 'batch' : 'single'] += frame.length;
    }
    if (!back.every((symbol, i) => symbol === symbols[i])) throw new Error('a frame came back different');
  }
  const decoded = await decode(dequantise(quality, back));
  let error = 0;
  for (let i = 0; i < rows.length; i++) error += (decoded[i]! - rows[i]!) ** 2;
  return {
    quality: index,
    searched: lambda !== undefined,
    payload: idealBits(quality, symbols) / 8 / count,
    batch: bytes.batch / count,
    single: bytes.single / count,
    psnr: 10 * Math.log10((span ** 2 * rows.length) / error),
  };
}
