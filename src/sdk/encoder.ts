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
import { openDense, type RunEncoder } from './dense-runtime.ts';
import { readTar } from './tar.ts';

export interface EncoderOptions {
  /** runs `encoder.onnx`, such as `onnxRuntime(ort)`; default: the built-in runtime for dense encoders */
  readonly runtime?: (model: Uint8Array, inputShape: readonly number[]) => Promise<RunEncoder>;
}

/** At most one of `quality`, `maxBytes` and `psnr`; with none the finest quality. */
export interface FrameOptions {
  /** default: compact for one row, batch for more */
  readonly kind?: FrameKind;
  /** index, coarse to fine */
  readonly quality?: number;
  /** the finest quality whose whole frame is no longer */
  readonly maxBytes?: number;
  /** dB: the coarsest quality that is expected to reach it, the finest when none does */
  readonly psnr?: number;
}

export interface EncodedRows {
  readonly frame: Uint8Array;
  readonly quality: number;
  /** dB, of this quality on held-out rows */
  readonly estimatedPsnr: number;
  /** one byte a value, as an 8-bit picture has it */
  readonly rawBytes: number;
}

/** What of a bundle's manifest is read. */
export interface BundleManifest {
  readonly format: number;
  readonly model: string;
  readonly decoder: string;
  readonly inputShape: readonly number[];
  readonly codeShape: readonly number[];
  readonly inputRange: readonly [number, number];
  readonly files: readonly { readonly path: string; readonly sha256: string }[];
}

interface Golden {
  readonly inputs: string;
  readonly rows: number;
  readonly cases: readonly { readonly quality: number; readonly symbols: readonly number[]; readonly frame: string }[];
}

/**
 * Throws `model-corrupt` when the bundle is damaged, `unsupported-schema` when a newer release made it, `device-unavailable`
 * when the encoder needs a runtime that was not given.
 */
export async function loadEncoder(bundle: Uint8Array, options: EncoderOptions = {}): Promise<Encoder> {
  const { manifest, file } = await openBundle(bundle);
  const model = file('encoder.onnx');
  const run = options.runtime ? await options.runtime(model, manifest.inputShape) : guarded(() => openDense(model));
  if (!run) {
    throw new HourglassError(
      'device-unavailable',
      'The built-in runtime runs dense encoders only. Hand in a runtime: loadEncoder(bundle, { runtime: onnxRuntime(ort) }).',
    );
  }
  const hash = Uint8Array.from(manifest.decoder.match(/../g) ?? [], (digits) => Number.parseInt(digits, 16));
  const profile = { hash, ...profileFromBytes(file('codec.bin')) };
  const golden = guarded(() => JSON.parse(new TextDecoder().decode(file('golden.json'))) as Golden);
  return new Encoder(manifest, profile, golden, run);
}

export class Encoder {
  readonly manifest: BundleManifest;
  readonly #profile: Profile;
  readonly #golden: Golden;
  readonly #run: RunEncoder;
  #verified: Promise<void> | undefined;

  constructor(manifest: BundleManifest, profile: Profile, golden: Golden, run: RunEncoder) {
    this.manifest = manifest;
    this.#profile = profile;
    this.#golden = golden;
    this.#run = run;
  }

  /** from coarse to fine: bytes of a row in a batch, dB */
  get qualities(): readonly Pick<Quality, 'bytesPerRow' | 'psnr'>[] {
    return this.#profile.qualities;
  }

  /** values of one row */
  get rowSize(): number {
    return this.manifest.inputShape.reduce((a, b) => a * b, 1);
  }

  /** Codes [count, units] before quantisation, as the decoder takes them. */
  codes(rows: Float32Array): Promise<Float32Array> {
    return this.#run(rows, rows.length / this.rowSize);
  }

  /** Throws `device-unavailable` when this device does not get the golden vectors' symbols. */
  verify(): Promise<void> {
    this.#verified ??= this.#verify();
    return this.#verified;
  }

  /**
   * A frame of rows [count, values] in the model's range. Verifies before the first one. Throws `shape-mismatch`, `non-finite`,
   * `empty-batch`, `invalid-request` for options that contradict each other or cannot come true.
   */
  async encode(rows: Float32Array, options: FrameOptions = {}): Promise<EncodedRows> {
    const count = rows.length / this.rowSize;
    if (count === 0) throw new HourglassError('empty-batch', 'There are no rows to encode.');
    if (!Number.isInteger(count)) {
      throw new HourglassError(
        'shape-mismatch',
        `A row has ${this.rowSize} values; ${rows.length} values are not whole rows.`,
      );
    }
    if (!rows.every(Number.isFinite)) throw new HourglassError('non-finite', 'A value of the rows is not finite.');
    const { quality, maxBytes, psnr, kind = count === 1 ? 'compact' : 'batch' } = options;
    if ([quality, maxBytes, psnr].filter((dial) => dial !== undefined).length > 1) {
      throw new HourglassError('invalid-request', 'quality, maxBytes and psnr exclude each other. Give one of them.');
    }
    await this.verify();
    const codes = await this.codes(rows);
    const at = (index: number): EncodedRows => ({
      frame: this.#frame(codes, index, kind),
      quality: index,
      estimatedPsnr: this.#quality(index).psnr,
      rawBytes: rows.length,
    });
    const finest = this.#profile.qualities.length - 1;
    if (quality !== undefined) return at(Math.min(quality, finest));
    if (psnr !== undefined) {
      const reaching = this.#profile.qualities.findIndex((candidate) => candidate.psnr >= psnr);
      return at(reaching < 0 ? finest : reaching);
    }
    for (let index = finest; index > 0; index--) {
      const encoded = at(index);
      if (encoded.frame.length <= (maxBytes ?? Number.POSITIVE_INFINITY)) return encoded;
    }
    const coarsest = at(0);
    if (coarsest.frame.length <= (maxBytes ?? Number.POSITIVE_INFINITY)) return coarsest;
    throw new HourglassError('invalid-request', `These rows take ${coarsest.frame.length} bytes at least.`, {
      field: 'maxBytes',
      expected: { atLeast: coarsest.frame.length },
      found: maxBytes,
    });
  }

  #quality(index: number): Quality {
    const quality = this.#profile.qualities[index];
    if (!quality) throw new HourglassError('invalid-request', `There is no quality ${index}; 0 is the coarsest.`);
    return quality;
  }

  #frame(codes: Float32Array, index: number, kind: FrameKind): Uint8Array {
    return encodeFrame(this.#profile, quantise(this.#quality(index), codes), { kind, quality: index });
  }

  async #verify(): Promise<void> {
    const { inputs, rows, cases } = this.#golden;
    const bytes = Uint8Array.from(atob(inputs), (character) => character.charCodeAt(0));
    const codes = await this.#run(new Float32Array(bytes.buffer), rows);
    for (const { quality, symbols, frame } of cases) {
      const found = quantise(this.#quality(quality), codes);
      const same = found.length === symbols.length && found.every((symbol, i) => symbol === symbols[i]);
      if (same && hexOf(this.#frame(codes, quality, 'batch')) === frame) continue;
      throw new HourglassError(
        'device-unavailable',
        'This device computes other codes than the decoder expects, so nothing is sent. Use another runtime, or send the rows themselves.',
      );
    }
  }
}

const hexOf = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');

const damaged = (): HourglassError => new HourglassError('model-corrupt', 'The bundle is damaged. Get it again.');

function guarded<T>(read: () => T): T {
  try {
    return read();
  } catch {
    throw damaged();
  }
}

async function openBundle(bundle: Uint8Array) {
  const files = guarded(() => readTar(bundle));
  const file = (path: string): Uint8Array => {
    const bytes = files.get(path);
    if (!bytes) throw damaged();
    return bytes;
  };
  const manifest = guarded(() => JSON.parse(new TextDecoder().decode(file('manifest.json'))) as BundleManifest);
  if (manifest.format !== 1) {
    throw new HourglassError('unsupported-schema', `The bundle's format is ${manifest.format}; this release reads 1.`);
  }
  // pages that are not served over https have no subtle crypto; the golden vectors hold there all the same
  const { subtle } = globalThis.crypto ?? {};
  for (const { path, sha256 } of manifest.files) {
    const bytes = file(path) as Uint8Array<ArrayBuffer>;
    if (subtle && hexOf(new Uint8Array(await subtle.digest('SHA-256', bytes))) !== sha256) throw damaged();
  }
  return { manifest, file };
}
