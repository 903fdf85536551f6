/** The encoder in other weights than float32: its file, its golden vectors, and what it costs on held-out rows. */

import { dequantise, type Profile, quantise } from '../codec/profile.ts';
import { type Coder, type ModelFiles, openCoder } from './coder.ts';
import { goldenVectors } from './golden.ts';
import { int8Encoder } from './int8.ts';
import { meanSquaredError } from './ladder.ts';

/** As the bundle's manifest has it. */
export interface EncoderVariant {
  readonly weights: 'int8';
  /** names of files */
  readonly encoder: string;
  readonly golden: string;
  /** by quality, on held-out rows: the share of symbols that equal those of float32 weights, and dB */
  readonly qualities: readonly { readonly equalSymbols: number; readonly psnr: number }[];
}

export interface VariantOptions {
  readonly model: ModelFiles;
  /** with float32 weights */
  readonly coder: Coder;
  readonly profile: Profile;
  /** that nothing was fitted on, [n, values] */
  readonly measureRows: Float32Array;
  readonly rowSize: number;
  readonly range: readonly [number, number];
  readonly threads?: number;
}

export interface Variants {
  readonly files: Readonly<Record<string, Uint8Array>>;
  readonly variants: readonly EncoderVariant[];
}

/** Empty when the encoder has no weights to speak of. Throws `model-corrupt`. */
export async function encoderVariants(options: VariantOptions): Promise<Variants> {
  const { model, coder, profile, measureRows, rowSize, range, threads } = options;
  const encoder = int8Encoder(model.encoder);
  if (!encoder) return { files: {}, variants: [] };
  const small = openCoder({ ...model, encoder }, threads);
  try {
    const [exact, codes] = [await coder.encode(measureRows), await small.encode(measureRows)];
    const qualities: { equalSymbols: number; psnr: number }[] = [];
    for (const quality of profile.qualities) {
      const [wanted, found] = [quantise(quality, exact), quantise(quality, codes)];
      const equal = found.reduce((sum, symbol, i) => sum + Number(symbol === wanted[i]), 0);
      const decoded = await coder.decode(dequantise(quality, found));
      qualities.push({
        equalSymbols: rounded(equal / found.length, 5),
        psnr: rounded(10 * Math.log10((range[1] - range[0]) ** 2 / meanSquaredError(decoded, measureRows)), 3),
      });
    }
    const golden = await goldenVectors({ coder: small, profile, rowSize, range });
    const variant = { weights: 'int8', encoder: 'encoder.int8.onnx', golden: 'golden.int8.json', qualities } as const;
    return {
      files: { [variant.encoder]: encoder, [variant.golden]: Buffer.from(JSON.stringify(golden)) },
      variants: [variant],
    };
  } finally {
    small.dispose();
  }
}

const rounded = (value: number, digits: number): number => Number(value.toFixed(digits));
