/** What int8 weights cost on a whole test set, beside float32. */

import { openCoder } from '../../src/bundle/coder.ts';
import { dequantise, type Quality, quantise } from '../../src/codec/profile.ts';
import { profileFromBytes } from '../../src/codec/profile-bytes.ts';
import { openBundle } from '../../src/sdk/bundle.ts';

export interface CostOptions {
  readonly name: string;
  readonly bundle: Uint8Array;
  readonly encoder: Uint8Array;
  readonly decoder: Uint8Array;
  readonly inputShape: readonly number[];
  readonly codeShape: readonly number[];
  /** in [0, 1] */
  readonly rows: Float32Array;
}

/** Lines of a table for the coarsest, a middle and the finest quality: encoder, file, quality, equal symbols, PSNR of either. */
export async function costLines({ name, bundle, rows, ...model }: CostOptions): Promise<string[]> {
  const { bytes } = openBundle(bundle);
  const small = await bytes('encoder.int8.onnx');
  const { qualities } = profileFromBytes(await bytes('codec.bin'));
  const coder = openCoder(model, 2);
  const smallCoder = openCoder({ ...model, encoder: small }, 2);
  try {
    const [exact, codes] = [await coder.encode(rows), await smallCoder.encode(rows)];
    const lines: string[] = [];
    const finest = qualities.length - 1;
    for (const index of [0, finest >> 1, finest]) {
      const quality = qualities[index] as Quality;
      const [wanted, found] = [quantise(quality, exact), quantise(quality, codes)];
      const equal = found.filter((symbol, i) => symbol === wanted[i]).length / found.length;
      const psnr: string[] = [];
      for (const symbols of [wanted, found]) {
        const decoded = await coder.decode(dequantise(quality, symbols));
        const error = decoded.reduce((sum, value, i) => sum + (value - (rows[i] ?? 0)) ** 2, 0) / rows.length;
        psnr.push((-10 * Math.log10(error)).toFixed(3));
      }
      const sizes = `${(model.encoder.length / 1000).toFixed(0)} → ${(small.length / 1000).toFixed(0)}`;
      lines.push(`| ${name} | ${sizes} | ${index} | ${(100 * equal).toFixed(2)} % | ${psnr.join(' | ')} |`);
    }
    return lines;
  } finally {
    coder.dispose();
    smallCoder.dispose();
  }
}
