/**
 * Golden vectors: made-up rows with the symbols and frames that every device must get from them. Not rows of the data set,
 * which stays where it is.
 */

import { RandomStream } from '../base/random.ts';
import { encodeFrame } from '../codec/frame.ts';
import { type Profile, quantise } from '../codec/profile.ts';
import type { Coder } from './coder.ts';

/** As golden.json has it. */
export interface GoldenVectors {
  /** rows as little-endian float32, base64, row after row */
  readonly inputs: string;
  readonly rows: number;
  /** by quality; `frame` is a batch frame of all rows in hexadecimal */
  readonly cases: readonly { readonly quality: number; readonly symbols: readonly number[]; readonly frame: string }[];
}

export interface GoldenOptions {
  readonly coder: Coder;
  readonly profile: Profile;
  readonly rowSize: number;
  readonly range: readonly [number, number];
}

const candidates = 64;
const wanted = 4;
/** Devices may differ by so much of a step before rounding. */
const margin = 1e-3;

export async function goldenVectors({ coder, profile, rowSize, range }: GoldenOptions): Promise<GoldenVectors> {
  const inputs = new RandomStream(1, 'golden').uniform(new Float32Array(candidates * rowSize), range[0], range[1]);
  const codes = await coder.encode(inputs);
  const units = codes.length / candidates;
  const steadiness = Array.from({ length: candidates }, (_, row) =>
    steadyQualities(profile, codes.subarray(row * units, (row + 1) * units)),
  );
  const chosen = [...steadiness.keys()]
    .sort((a, b) => (steadiness[b] as number) - (steadiness[a] as number) || a - b)
    .slice(0, wanted);
  const rows = Float32Array.from(chosen.flatMap((row) => [...inputs.subarray(row * rowSize, (row + 1) * rowSize)]));
  const chosenCodes = Float32Array.from(chosen.flatMap((row) => [...codes.subarray(row * units, (row + 1) * units)]));
  return {
    inputs: Buffer.from(rows.buffer).toString('base64'),
    rows: chosen.length,
    cases: profile.qualities.map((quality, index) => {
      const symbols = quantise(quality, chosenCodes);
      const frame = encodeFrame(profile, symbols, { kind: 'batch', quality: index });
      return { quality: index, symbols: [...symbols], frame: Buffer.from(frame).toString('hex') };
    }),
  };
}

/** In how many qualities none of a row's symbols hangs on the last bits of its code. */
function steadyQualities({ qualities }: Profile, code: Float32Array): number {
  return qualities.filter((quality) => {
    const shifted = (sign: number): string =>
      quantise(
        quality,
        code.map((z, j) => z + sign * margin * (quality.units[j]?.step ?? 0)),
      ).join();
    return shifted(1) === shifted(-1);
  }).length;
}
