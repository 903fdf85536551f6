/** The rate–distortion dial of one request: which quality a frame gets, and the receipt that says what came of it. */

import { HourglassError } from '../base/errors.ts';
import { encodeFrame, progressiveRows } from '../codec/frame.ts';
import type { FrameKind } from '../codec/frame-header.ts';
import { type Profile, type Quality, quantise } from '../codec/profile.ts';
import type { FrameReceipt } from '../codec/receipt.ts';
import { searchSymbols } from '../codec/search.ts';
import type { CodedManifest } from './frame-index.ts';

/** At most one of `quality`, `maxBytes` and `psnr`; with none the finest quality. */
export interface FrameTarget {
  /** default: compact for one row, batch for more */
  readonly kind?: FrameKind | undefined;
  /** index of a quality, coarse to fine */
  readonly quality?: number | undefined;
  /** the finest quality whose whole frame is no longer */
  readonly maxBytes?: number | undefined;
  /** dB: the coarsest quality that is expected to reach it */
  readonly psnr?: number | undefined;
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
  const { index, shortfall } = await chooseQuality(options, kind);
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

function kindOf({ kind, quality, maxBytes, psnr }: FrameTarget, rows: number): FrameKind {
  if ([quality, maxBytes, psnr].filter((dial) => dial !== undefined).length > 1) {
    throw new HourglassError('invalid-request', 'quality, maxBytes and psnr exclude each other. Give one of them.', {
      expected: 'one of quality, maxBytes, psnr',
    });
  }
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

async function chooseQuality(
  options: FitOptions,
  kind: FrameKind,
): Promise<{ readonly index: number; readonly shortfall?: string }> {
  const { manifest, profile, target } = options;
  const { qualities } = profile;
  const finest = qualities.length - 1;
  const name = `${manifest.name}@${manifest.version}`;
  const best = (qualities[finest] as Quality).psnr.toFixed(1);
  if (target.psnr !== undefined) {
    const { psnr } = target;
    const index = qualities.findIndex((quality) => quality.psnr >= psnr);
    if (index >= 0) return { index };
    return { index: finest, shortfall: `${name} reaches about ${best} dB, not ${psnr} dB.` };
  }
  if (target.quality !== undefined) {
    if (target.quality <= finest) return { index: target.quality };
    const shortfall = `${name} has qualities 0 to ${finest}, no ${target.quality}; ${finest} reaches about ${best} dB.`;
    return { index: finest, shortfall };
  }
  if (target.maxBytes === undefined) return { index: finest };
  let least = 0;
  for (let index = finest; index >= 0; index--) {
    least = (await encodeAt(options, kind, index)).length;
    if (least <= target.maxBytes) return { index };
  }
  throw new HourglassError(
    'invalid-request',
    `The coarsest quality of ${name} takes ${least} bytes for these rows. Allow that many, or send fewer rows.`,
    { field: 'maxBytes', expected: { atLeast: least }, found: target.maxBytes },
  );
}

async function encodeAt(
  { manifest, profile, codes, inputs, target, maxBatch, decode }: FitOptions,
  kind: FrameKind,
  index: number,
): Promise<Uint8Array> {
  const quality = profile.qualities[index] as Quality;
  const plain = quantise(quality, codes);
  const lambda = manifest.codec.qualities[index]?.lambda;
  const possible = target.search && lambda !== undefined && profile.order.length < maxBatch;
  const symbols = possible ? await searchSymbols({ quality, symbols: plain, targets: inputs, decode, lambda }) : plain;
  return encodeFrame(profile, symbols, { kind, quality: index });
}
