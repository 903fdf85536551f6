/**
 * What a device and a decoder share about one picture model besides the network: the linear transform in integers, and by range
 * of steps the context weights and frequency tables. Pure data; picture-codec-bytes.ts is its file, docs/frame.md the format.
 */

import type { FrequencyTable } from '../frequency-table.ts';

/** Pixels of a block's side, and the stride of the transform. */
export const blockSide = 8;
/** Coefficients, and the weights of the transform, are integers in units of 2^-14. */
export const analysisShift = 14;
/** Subtracted from every 8-bit value before the transform. */
export const pixelOffset = 128;

/** Tables of one kind by the expected magnitude: a quarter of an octave each, from 1/256 on. */
export const contextLevels = 48;
/** Tables for the number of coded coefficients, by what is expected: half an octave each. */
export const countLevels = 16;
/** Kinds of coefficients with tables of their own: see `groupOf`. The last kind is the block's last coded coefficient. */
export const groups = 4;
/** Inputs of a context's weighted sum: see contexts.ts. */
export const features = 14;
/** Magnitudes are distinguished up to this one, in contexts and in what dequantising adds. */
export const mostMagnitude = 31;
export const shiftClasses = 3;

/** Expected value of one coefficient from the decoded blocks around: weights of left, top, top left, top right in units of 1/256. */
export interface Prediction {
  readonly coefficient: number;
  readonly weights: readonly [left: number, top: number, topLeft: number, topRight: number];
}

/** Contexts and tables for steps near `step`. */
export interface Band {
  /** number of the step that it was fitted at */
  readonly step: number;
  /** [coefficients, features], in units of 1/4096 */
  readonly weights: Int16Array;
  /** least expected magnitude of each coefficient, in units of 1/4096 */
  readonly floors: Uint16Array;
  /** [groups × contextLevels] */
  readonly tables: readonly FrequencyTable[];
  /** of the counts of the blocks left, top, top left, top right in units of 1/256, and a constant in units of 1/4 */
  readonly countWeights: Int16Array;
  /** [countLevels] over classes of counts: see counts.ts */
  readonly countTables: readonly FrequencyTable[];
  /** [groups − 1, shiftClasses]: what decoding adds to a magnitude of 1, 2, and 3 or more, in units of step / 256 */
  readonly shifts: Int8Array;
}

export interface PictureCodec {
  readonly channels: PictureChannels;
  /** colour axes [channels, channels of the picture], in units of 2^-14 */
  readonly colours: Int16Array;
  /** how pixels on both sides of an edge between blocks are mixed [4, 4], in units of 2^-12: see lapping.ts */
  readonly lapping: Int16Array;
  /** (v · 8 + u) · channels + colour of each coefficient, in the order in which they are coded; v counts frequencies from the top, u from the left */
  readonly order: Uint8Array;
  /** [coefficients, 3]: coefficients coded earlier that tell most of each one's magnitude; −1 where there are fewer */
  readonly parents: Int16Array;
  readonly predictions: readonly Prediction[];
  /** by ascending step */
  readonly bands: readonly Band[];
}

export type PictureChannels = 1 | 3 | 4;

export const coefficientsOf = ({ channels }: Pick<PictureCodec, 'channels'>): number =>
  blockSide * blockSide * channels;

/** Group of a coefficient by its place in the order of coding. */
export const groupOf = (coefficient: number, channels: number): number =>
  coefficient < 2 * channels ? 0 : coefficient < 10 * channels ? 1 : 2;
/** Of the last coded coefficient of a block, which is never zero. */
export const lastGroup = groups - 1;

/** Steps are numbered, eight an octave, from 1 to 235 in units of 8-bit values. */
export const stepCount = 64;

/** 16 · 2^(i/8). Written out, for engines may differ in the last digit of a power. */
const octave = [16, 17.448, 19.0273, 20.7494, 22.6274, 24.6754, 26.9087, 29.3441] as const;

/** The step in units of 1/16 of an 8-bit value: an integer, so that every device quantises alike. */
export const stepUnits = (step: number): number => Math.round((octave[step & 7] as number) * 2 ** (step >> 3));
export const stepValue = (step: number): number => stepUnits(step) / 16;

/** The band that was fitted nearest to a step; of two equally near the finer one. */
export function bandOf({ bands }: Pick<PictureCodec, 'bands'>, step: number): Band {
  let best = bands[0] as Band;
  for (const band of bands) if (Math.abs(band.step - step) < Math.abs(best.step - step)) best = band;
  return best;
}

/** Steps that are published as qualities 0 to 15, from coarse to fine. */
export const qualitySteps: readonly number[] = Array.from({ length: 16 }, (_, quality) => 58 - 3 * quality);
