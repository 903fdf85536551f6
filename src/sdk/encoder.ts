/**
 * The device's half: a version's bundle becomes an encoder that turns rows into frames. It first makes the bundle's golden
 * vectors anew, and sends nothing when this device gets other symbols than the model's decoder expects.
 *
 *   bundle.tar ─► files, hashes ─► runtime ─► golden vectors agree? ─► rows ─► codes ─► symbols ─► frame
 */

import { HourglassError } from '../base/errors.ts';
import { encodeFrame } from '../codec/frame.ts';
import type { FrameKind } from '../codec/frame-header.ts';
import { type Profile, type Quality, quantise } from '../codec/profile.ts';
import { profileFromBytes } from '../codec/profile-bytes.ts';
import { checkTarget, chooseQuality, type QualityTarget } from '../codec/quality-choice.ts';
import type { DeviceReceipt } from '../codec/receipt.ts';
import { openBuiltIn, type RunEncoder } from './built-in-runtime.ts';
import {
  type BundleManifest,
  type EncoderVariant,
  type GoldenVectors,
  guarded,
  hexOf,
  openBundle,
  type Weights,
} from './bundle.ts';
import { decodeBase64 } from './environment.ts';
import { type Pixels, rowOfPixels } from './picture.ts';

export interface EncoderOptions {
  /** runs the encoder's ONNX file, such as `onnxRuntime(ort)`; default: the built-in runtime */
  readonly runtime?: (model: Uint8Array, inputShape: readonly number[]) => Promise<RunEncoder>;
  /** default: float32 */
  readonly weights?: Weights;
}

export interface FrameOptions extends QualityTarget {
  /** default: compact for one row, batch for more */
  readonly kind?: FrameKind;
}

export interface EncodedRows {
  readonly frame: Uint8Array;
  readonly receipt: DeviceReceipt;
}

/**
 * Throws `model-corrupt` when the bundle is damaged, `unsupported-schema` when a newer release made it, `device-unavailable`
 * when the encoder needs a runtime that was not given, `operation-not-supported` when the bundle lacks the weights
 * or is of a codec for pictures or a model of documents.
 */
export async function loadEncoder(bundle: Uint8Array, options: EncoderOptions = {}): Promise<Encoder> {
  const { manifest, bytes, json } = openBundle(bundle);
  if ('kind' in manifest) {
    const instead =
      manifest.kind === 'text'
        ? 'is a model of documents. Send texts to analyse.'
        : 'is a codec for pictures. Use loadPictureEncoder.';
    throw new HourglassError('operation-not-supported', `${manifest.model} ${instead}`);
  }
  const variant = variantOf(manifest, options.weights ?? 'float32');
  const model = await bytes(variant.encoder);
  const run = options.runtime
    ? await options.runtime(model, manifest.inputShape)
    : guarded(() => openBuiltIn(model, manifest.inputShape));
  if (!run) {
    throw new HourglassError(
      'device-unavailable',
      'The built-in runtime lacks an operator of this encoder. Give one: loadEncoder(bundle, { runtime }).',
    );
  }
  const hash = Uint8Array.from(manifest.decoder.match(/../g) ?? [], (digits) => Number.parseInt(digits, 16));
  const body = profileFromBytes(await bytes('codec.bin'));
  return new Encoder({ manifest, variant, profile: { hash, ...body }, golden: await json(variant.golden), run });
}

function variantOf({ model, variants = [] }: BundleManifest, weights: Weights): EncoderVariant {
  const found = variants.find((variant) => variant.weights === weights);
  if (found) return found;
  if (weights === 'float32') return { weights, encoder: 'encoder.onnx', golden: 'golden.json', qualities: [] };
  throw new HourglassError(
    'operation-not-supported',
    `The bundle of ${model} has no ${weights} weights. Load it without asking for them.`,
    { field: 'weights', expected: ['float32', ...variants.map((variant) => variant.weights)], found: weights },
  );
}

interface EncoderParts {
  readonly manifest: BundleManifest;
  readonly variant: EncoderVariant;
  readonly profile: Profile;
  readonly golden: GoldenVectors;
  readonly run: RunEncoder;
}

export class Encoder {
  readonly manifest: BundleManifest;
  readonly #parts: EncoderParts;
  #verified: Promise<void> | undefined;

  constructor(parts: EncoderParts) {
    this.manifest = parts.manifest;
    this.#parts = parts;
  }

  /** from coarse to fine: bytes of a row in a batch, dB with these weights */
  get qualities(): readonly Pick<Quality, 'bytesPerRow' | 'psnr'>[] {
    const { profile, variant } = this.#parts;
    return profile.qualities.map(({ bytesPerRow, psnr }, i) => ({
      bytesPerRow,
      psnr: variant.qualities[i]?.psnr ?? psnr,
    }));
  }

  /** values of one row */
  get rowSize(): number {
    return this.manifest.inputShape.reduce((a, b) => a * b, 1);
  }

  /** Codes [count, units] before quantisation, as the decoder takes them. */
  codes(rows: Float32Array): Promise<Float32Array> {
    return this.#parts.run(rows, rows.length / this.rowSize);
  }

  /** Throws `device-unavailable` when this device does not get the golden vectors' symbols. */
  verify(): Promise<void> {
    this.#verified ??= this.#verify();
    return this.#verified;
  }

  /** `encode` for a picture such as a canvas's ImageData, brought to the model's size. */
  async encodePicture(picture: Pixels, options: FrameOptions = {}): Promise<EncodedRows> {
    return this.encode(rowOfPixels(picture, this.manifest), options);
  }

  /**
   * A frame of rows [count, values] in the model's range. Verifies before the first one. Throws `shape-mismatch`, `non-finite`,
   * `empty-batch`, `invalid-request` for options that contradict each other or cannot come true, and what `verify` throws.
   */
  async encode(rows: Float32Array, options: FrameOptions = {}): Promise<EncodedRows> {
    const count = this.#checkRows(rows);
    const { kind = count === 1 ? 'compact' : 'batch' } = options;
    checkTarget(options);
    await this.verify();
    const codes = await this.codes(rows);
    const { index, shortfall } = await chooseQuality({
      name: this.manifest.model,
      qualities: this.qualities,
      target: options,
      bytesAt: (at) => this.#frame(codes, at, kind).length,
    });
    const frame = this.#frame(codes, index, kind);
    return { frame, receipt: this.#receipt({ frame, kind, index, rows, shortfall }) };
  }

  #checkRows(rows: Float32Array): number {
    const count = rows.length / this.rowSize;
    if (count === 0) throw new HourglassError('empty-batch', 'There are no rows to encode.');
    if (!Number.isInteger(count)) {
      throw new HourglassError(
        'shape-mismatch',
        `A row has ${this.rowSize} values; ${rows.length} values are not whole rows.`,
      );
    }
    const { gaps = false } = this.manifest;
    if (rows.some((value) => !(Number.isFinite(value) || (gaps && Number.isNaN(value)))))
      throw new HourglassError('non-finite', 'A value of the rows is not finite.');
    return count;
  }

  #receipt({ frame, kind, index, rows, shortfall }: ReceiptFacts): DeviceReceipt {
    const { manifest, qualities } = this;
    return {
      model: manifest.model,
      decoder: manifest.decoder,
      kind,
      rows: rows.length / this.rowSize,
      quality: index,
      qualities: qualities.length,
      rawBytes: rows.length,
      wireBytes: frame.length,
      ratio: hundredths(rows.length / frame.length),
      estimatedPsnr: hundredths(qualities[index]?.psnr ?? 0),
      ...(shortfall !== undefined && { shortfall }),
    };
  }

  #frame(codes: Float32Array, index: number, kind: FrameKind): Uint8Array {
    const { profile } = this.#parts;
    const quality = profile.qualities[index];
    if (!quality) throw new HourglassError('invalid-request', `There is no quality ${index}; 0 is the coarsest.`);
    return encodeFrame(profile, quantise(quality, codes), { kind, quality: index });
  }

  async #verify(): Promise<void> {
    const { golden, profile, run } = this.#parts;
    const bytes = decodeBase64(golden.inputs);
    const codes = await run(new Float32Array(bytes.buffer as ArrayBuffer), golden.rows);
    for (const { quality, symbols, frame } of golden.cases) {
      const found = quantise(profile.qualities[quality] as Quality, codes);
      const same = found.length === symbols.length && found.every((symbol, i) => symbol === symbols[i]);
      if (same && hexOf(this.#frame(codes, quality, 'batch')) === frame) continue;
      throw new HourglassError(
        'device-unavailable',
        'This device computes other codes than the decoder expects. Use another runtime, or send rows.',
      );
    }
  }
}

interface ReceiptFacts {
  readonly frame: Uint8Array;
  readonly kind: FrameKind;
  readonly index: number;
  readonly rows: Float32Array;
  readonly shortfall: string | undefined;
}

const hundredths = (value: number): number => Math.round(100 * value) / 100;
