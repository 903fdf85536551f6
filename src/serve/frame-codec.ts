/**
 * Frames for every transport: rows → codes → frame with a receipt, and frame → its decoder, wherever that is → rows.
 *
 *   frame ─► short id ─► versions it may mean ─► the one whose checksum fits ─► codes ─► predictor
 */

import type { Caller } from '../base/caller.ts';
import { HourglassError } from '../base/errors.ts';
import { float32, type NdArray } from '../base/ndarray.ts';
import { type DecodedFrame, decodeFrame } from '../codec/frame.ts';
import { parseHeader } from '../codec/frame-header.ts';
import { dequantise, type Profile, type Quality } from '../codec/profile.ts';
import { profileFromBytes } from '../codec/profile-bytes.ts';
import type { FrameReceipt } from '../codec/receipt.ts';
import type { Manifest } from '../registry/manifest.ts';
import type { Registry } from '../registry/registry.ts';
import { alternativesOf, type WebpCoder } from './alternatives.ts';
import { type FrameTarget, fitFrame } from './frame-choice.ts';
import { type CodedManifest, codecHash, FrameIndex, isCoded } from './frame-index.ts';
import { LruMemo } from './lru-memo.ts';
import type { Demand, Prediction, Predictor } from './predictor.ts';

export interface EncodeFrameRequest extends FrameTarget {
  readonly model?: string | undefined;
  /** [batch, …row] */
  readonly inputs: NdArray<'float32'>;
  readonly demand?: Demand;
}

export interface EncodedFrame {
  readonly frame: Uint8Array;
  readonly receipt: FrameReceipt;
}

export interface DecodeFrameRequest {
  readonly frame: Uint8Array;
  /** the model that must have made it; absent: whichever did */
  readonly model?: string | undefined;
  readonly demand?: Demand;
}

export interface FrameCodecOptions {
  readonly registry: Registry;
  readonly predictor: Predictor;
  /** absent: WebP is not offered where a model falls short */
  readonly webp?: WebpCoder;
}

const profilesKept = 100;
/** dB that an alternative to the finest quality is better at least. */
const leastGain = 0.5;

export class FrameCodec {
  readonly #registry: Registry;
  readonly #predictor: Predictor;
  readonly #webp: WebpCoder | undefined;
  readonly #index: FrameIndex<CodedManifest>;
  /** by `digits@2` */
  readonly #profiles = new LruMemo<Profile>(profilesKept);

  constructor({ registry, predictor, webp }: FrameCodecOptions) {
    this.#registry = registry;
    this.#predictor = predictor;
    this.#webp = webp;
    this.#index = new FrameIndex(registry, isCoded, codecHash);
  }

  /** Throws what `Predictor.predict` throws, and `operation-not-supported` for a version without codec tables. */
  async encode(caller: Caller, { model, inputs, demand, ...frameTarget }: EncodeFrameRequest): Promise<EncodedFrame> {
    const target = await this.#predictor.resolve(caller, 'encode', model);
    const reference = `${target.model}@${target.version}`;
    const manifest = requireCodec(await this.#registry.resolve(reference));
    const profile = await this.#profile(manifest);
    const context = { model: reference, ...(demand && { demand }) };
    const request = { operation: 'encode' as const, inputs, ...context };
    const { outputs, warnings } = await this.#predictor.predict(caller, request);
    const { frame, receipt } = await fitFrame({
      manifest,
      profile,
      codes: outputs.data,
      inputs: inputs.data,
      target: frameTarget,
      maxBatch: this.#predictor.maxBatch,
      decode: async (codes) => {
        const shape = [codes.length / profile.order.length, ...profile.codeShape];
        const request = { operation: 'decode' as const, inputs: float32(shape, codes), ...context };
        return (await this.#predictor.predict(caller, request)).outputs.data;
      },
    });
    const warned = { ...receipt, ...(warnings && { warnings }) };
    if (receipt.shortfall === undefined) return { frame, receipt: warned };
    const psnr = frameTarget.psnr ?? receipt.estimatedPsnr + leastGain;
    return { frame, receipt: { ...warned, alternatives: await this.#alternatives(manifest, inputs, psnr) } };
  }

  async #alternatives(manifest: CodedManifest, { data, shape }: NdArray<'float32'>, psnr: number) {
    await this.#index.refresh();
    const coders = this.#index.codersOf(manifest);
    return alternativesOf({ manifest, coders, inputs: data, rows: shape[0] ?? 0, psnr, webp: this.#webp });
  }

  /**
   * Throws `invalid-frame`, `unsupported-frame-version`, `frame-checksum`, `batch-too-large`, `decoder-unknown` when no version
   * here made it, `model-mismatch` when another than the named one did, and what `Predictor.predict` throws.
   */
  async decode(caller: Caller, { frame, model, demand }: DecodeFrameRequest): Promise<Prediction> {
    const { manifest, profile, decoded } = await (model === undefined
      ? this.#search(frame)
      : this.#named(caller, frame, model));
    const codes = dequantise(profile.qualities[decoded.header.quality] as Quality, decoded.symbols);
    return this.#predictor.predict(caller, {
      operation: 'decode',
      model: `${manifest.name}@${manifest.version}`,
      inputs: float32([decoded.header.rows, ...profile.codeShape], codes),
      ...(demand && { demand }),
    });
  }

  async #named(caller: Caller, frame: Uint8Array, model: string): Promise<Opened> {
    const { id } = parseHeader(frame);
    const target = await this.#predictor.resolve(caller, 'decode', model);
    const manifest = requireCodec(await this.#registry.resolve(`${target.model}@${target.version}`));
    if (!manifest.codec.hash.startsWith(Buffer.from(id).toString('hex'))) {
      throw new HourglassError(
        'model-mismatch',
        `The frame was not made for ${manifest.name}@${manifest.version}. Name the version it was made for, or none: POST /decode finds it.`,
        { expected: manifest.codec.hash, found: Buffer.from(id).toString('hex') },
      );
    }
    return this.#open(manifest, frame);
  }

  async #search(frame: Uint8Array): Promise<Opened> {
    const { id } = parseHeader(frame);
    const known = await this.#tryAll(await this.#index.find(id), frame);
    if (!(known instanceof HourglassError)) return known;
    // the one that made it may be new here
    await this.#index.refresh();
    const found = await this.#tryAll(await this.#index.find(id), frame);
    if (found instanceof HourglassError) throw found;
    return found;
  }

  async #tryAll(candidates: readonly CodedManifest[], frame: Uint8Array): Promise<Opened | HourglassError> {
    const opened: Opened[] = [];
    let failure: HourglassError | undefined;
    for (const manifest of candidates) {
      try {
        opened.push(await this.#open(manifest, frame));
      } catch (error) {
        if (!(error instanceof HourglassError)) throw error;
        // of several reasons the checksum's says most: that version could read the frame
        if (!failure || error.code === 'frame-checksum') failure = error;
      }
    }
    const [only, second] = opened;
    if (only && second) {
      const names = opened.map(({ manifest: { name, version } }) => `${name}@${version}`);
      return new HourglassError(
        'model-required',
        `The frame's short checksum fits ${names.join(' and ')}. Name the one it was made for.`,
        { expected: names },
      );
    }
    return only ?? failure ?? unknownDecoder(frame);
  }

  async #open(manifest: CodedManifest, frame: Uint8Array): Promise<Opened> {
    const profile = await this.#profile(manifest);
    return { manifest, profile, decoded: decodeFrame(profile, frame, this.#predictor.maxBatch) };
  }

  #profile(manifest: CodedManifest): Promise<Profile> {
    return this.#profiles.get(`${manifest.name}@${manifest.version}`, () => this.#readProfile(manifest));
  }

  async #readProfile(manifest: CodedManifest): Promise<Profile> {
    const body = profileFromBytes(await this.#registry.readFile(manifest, 'codec.bin'));
    return { hash: Buffer.from(manifest.codec.hash, 'hex'), ...body };
  }
}

interface Opened {
  readonly manifest: CodedManifest;
  readonly profile: Profile;
  readonly decoded: DecodedFrame;
}

function requireCodec(manifest: Manifest): CodedManifest {
  if (manifest.codec) return manifest as CodedManifest;
  const [low, high] = manifest.inputRange;
  const why =
    low === high
      ? `all values of its training data are ${low}, so its codes carry nothing that could be sent`
      : 'its codes could not be coded when it was trained (the log of its job says why), or an early release trained it';
  throw new HourglassError(
    'operation-not-supported',
    `There are no frames of ${manifest.name}@${manifest.version}: ${why}. Ask for codes as JSON or float32.`,
    { field: 'model' },
  );
}

const unknownDecoder = (frame: Uint8Array): HourglassError => {
  const id = Buffer.from(parseHeader(frame).id).toString('hex');
  return new HourglassError(
    'decoder-unknown',
    `No model here decodes frames of ${id}: its version was deleted, or is of another server. Get the bundle again and encode anew.`,
    { found: id },
  );
};
