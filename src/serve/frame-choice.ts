/** The rate–distortion dial of one request: which quality a frame gets, and the receipt that says what came of it. */

import { HourglassError } from '../base/errors.ts';
import { encodeFrame, progressiveRows } from '../codec/frame.ts';
import type { FrameKind } from '../codec/frame-header.ts';
import { type Profile, type Quality, quantise } from '../codec/profile.ts';
import { checkTarget, chooseQuality, type QualityTarget } from '../codec/quality-choice.ts';
import type { FrameReceipt } from '../codec/receipt.ts';
import { searchSymbols } from '../codec/search.ts';
import type { CodedManifest } from './frame-index.ts';

export interface FrameTarget extends QualityTarget {
  /** default: compact for one row, batch for more */
  readonly kind?: FrameKind | undefined;
  /** let the encoder try neighbouring symbols through the decoder: a better picture in as many bytes, for more work */
  readonly search?: boolean | undefined;
}

export interface FitOptions {
  readonly manifest: CodedManifest;
  readonly profile: Profile;
  /** [rows, units] */
  readonly codes: Float32Array;
  /** [rows, values] */
  readonly inputs: Float32Array;
  readonly target: FrameTarget;
  readonly maxBatch: number;
  readonly decode: (codes: Float32Array) => Promise<Float32Array>;
}

/** Rows for which symbols are searched; each costs some hundred decodings. */
const searchRows = 64;

/** Throws `invalid-request` for options that contradict each other or cannot be met, `batch-too-large`. */
export async function fitFrame(options: FitOptions): Promise<{ frame: Uint8Array; receipt: FrameReceipt }> {
  const { manifest, profile, codes, inputs, target } = options;
  const rows = codes.length / profile.order.length;
  const kind = kindOf(target, rows);
  if (target.search && rows > searchRows) throw tooManyRows('search takes', searchRows, rows);
  const { index, shortfall } = await chooseQuality({
    name: `${manifest.name}@${manifest.version}`,
    qualities: profile.qualities,
    target,
    bytesAt: async (at) => (await encodeAt(options, kind, at)).length,
  });
  const frame = await encodeAt(options, kind, index);
  const receipt: FrameReceipt = {
    model: manifest.name,
    version: manifest.version,
    decoder: manifest.codec.hash,
    kind,
    rows,
    quality: index,
    qualities: profile.qualities.length,
    rawBytes: inputs.length,
    wireBytes: frame.length,
    ratio: Math.round((100 * inputs.length) / frame.length) / 100,
    estimatedPsnr: Math.round(100 * (profile.qualities[index] as Quality).psnr) / 100,
    ...(shortfall !== undefined && { shortfall }),
  };
  return { frame, receipt };
}

function kindOf(target: FrameTarget, rows: number): FrameKind {
  checkTarget(target);
  const { kind } = target;
  if (kind === 'compact' && rows > 1) {
    throw new HourglassError('invalid-request', `A compact frame holds one row; these are ${rows}. Use batch.`, {
      field: 'kind',
      expected: ['batch', 'standard', 'progressive'],
      found: kind,
    });
  }
  if (kind === 'progressive' && rows > progressiveRows)
    throw tooManyRows('a progressive frame holds', progressiveRows, rows);
  return kind ?? (rows === 1 ? 'compact' : 'batch');
}

const tooManyRows = (what: string, most: number, rows: number): HourglassError =>
  new HourglassError('batch-too-large', `These are ${rows} rows; ${what} ${most} at most. Send them in parts.`, {
    expected: most,
    found: rows,
  });

async function encodeAt(
  { manifest, profile, codes, inputs, target, maxBatch, decode }: FitOptions,
  kind: FrameKind,
  index: number,
): Promise<Uint8Array> {
  const quality = profile.qualities[index] as Quality;
  const plain = quantise(quality, codes);
  const lambda = manifest.codec.qualities[index]?.lambda;
  const possible = target.search && lambda !== undefined && profile.order.length < maxBatch;
  const symbols = possible
    ? await searchSymbols({
        quality,
        symbols: plain,
        targets: await withoutGaps(inputs, codes, decode),
        decode,
        lambda,
      })
    : plain;
  return encodeFrame(profile, symbols, { kind, quality: index });
}

/** A gap of a series is to come out as it does from the code before it was quantised. */
async function withoutGaps(
  inputs: Float32Array,
  codes: Float32Array,
  decode: FitOptions['decode'],
): Promise<Float32Array> {
  if (!inputs.some(Number.isNaN)) return inputs;
  const whole = await decode(codes);
  return inputs.map((value, i) => (Number.isNaN(value) ? (whole[i] as number) : value));
}
