/** Made-up pictures with edges, gradients and texture, and codecs fitted to them: small enough for tests, the same each time. */

import { createHash } from 'node:crypto';
import { RandomStream } from '../../../src/base/random.ts';
import { type Analysed, fitBand } from '../../../src/codec/picture/fit-bands.ts';
import { fitTransform } from '../../../src/codec/picture/fit-transform.ts';
import { lappings } from '../../../src/codec/picture/lapping.ts';
import {
  coefficientsOf,
  type PictureChannels,
  type PictureCodec,
  pixelOffset,
} from '../../../src/codec/picture/picture-codec.ts';
import { pictureCodecToBytes } from '../../../src/codec/picture/picture-codec-bytes.ts';
import type { PictureProfile } from '../../../src/codec/picture/picture-frame.ts';
import type { RunDecoder } from '../../../src/codec/picture/reconstruct.ts';
import { synthesisOf } from '../../../src/codec/picture/synthesis.ts';
import { analyse, blocksOf, type Raster } from '../../../src/codec/picture/transform.ts';

export function picture(seed: number, width: number, height: number, channels: PictureChannels): Raster {
  const random = new RandomStream(seed, 'picture').uniform(new Float32Array(24));
  const noise = new RandomStream(seed, 'noise').uniform(new Float32Array(width * height), -8, 8);
  const at = (i: number): number => random[i] as number;
  const data = new Uint8Array(width * height * channels);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const disc = (x - at(0) * width) ** 2 + (y - at(1) * height) ** 2 < (at(2) * 0.4 * width) ** 2;
      const stripe = (at(3) * x + at(4) * y) % 32 < 16;
      const base = 60 + 120 * ((at(5) * x) / width + (at(6) * y) / height) * 0.6 + (stripe ? 20 : 0);
      for (let c = 0; c < channels; c++, i++) {
        const tint = disc ? 90 * (at(8 + c) - 0.5) : 40 * (at(12 + c) - 0.5);
        data[i] = Math.max(0, Math.min(255, Math.round(base + tint + (noise[y * width + x] as number))));
      }
    }
  }
  return { width, height, channels, data };
}

/** Fitted to four pictures, with bands at these steps; default: lapped. */
export function fittedProfile(
  channels: PictureChannels,
  steps: readonly number[],
  lapping: Int16Array = lappings().at(-1) as Int16Array,
): PictureProfile {
  const rasters = [1, 2, 3, 4].map((seed) => picture(seed, 96, 80, channels));
  const transform = fitTransform(rasters, channels, lapping);
  const samples = rasters.map((raster): Analysed => {
    const shape = { width: blocksOf(raster.width), height: blocksOf(raster.height) };
    return { ...shape, coefficients: analyse(transform, raster, { row: 0, column: 0, ...shape }) };
  });
  const codec: PictureCodec = {
    ...transform,
    bands: steps.map((step) => fitBand(transform, samples, { step, trade: 0.1 })),
  };
  return { hash: createHash('sha256').update(pictureCodecToBytes(codec)).digest(), codec };
}

/** The inverse transform alone in place of a decoder's network, which needs one block around each. */
export function withoutNetwork(codec: PictureCodec): RunDecoder {
  const synthesis = synthesisOf(codec);
  const size = coefficientsOf(codec);
  return async ({ y, height, width, step }) => {
    const pixels = new Float32Array((height - 2) * (width - 2) * size).fill(pixelOffset);
    for (let row = 1, to = 0; row < height - 1; row++) {
      for (let column = 1; column < width - 1; column++, to += size) {
        const from = (row * width + column) * size;
        for (let k = 0; k < size; k++) {
          const value = (y[from + k] as number) * step;
          if (value === 0) continue;
          for (let i = 0; i < size; i++) {
            pixels[to + i] = (pixels[to + i] as number) + value * (synthesis[k * size + i] as number);
          }
        }
      }
    }
    return pixels;
  };
}
