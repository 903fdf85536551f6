/** Codecs for pictures of any size, for every transport: a picture → frame with a receipt, a frame → picture, by whichever version made it. */

import type { Caller } from '../base/caller.ts';
import { HourglassError } from '../base/errors.ts';
import type { PictureReceipt, PictureTarget } from '../codec/picture/choose-step.ts';
import { parsePictureHeader } from '../codec/picture/picture-header.ts';
import type { Region } from '../codec/picture/reconstruct.ts';
import type { Raster } from '../codec/picture/transform.ts';
import type { Alternative } from '../codec/receipt.ts';
import type { Manifest, PictureCodecFacts } from '../registry/manifest.ts';
import type { Registry } from '../registry/registry.ts';
import type { WebpCoder } from './alternatives.ts';
import { FrameIndex } from './frame-index.ts';
import { betterWebp } from './picture-alternatives.ts';
import type { PictureFiles } from './picture-thread.ts';
import { PictureWorker } from './picture-worker.ts';
import type { Demand, Predictor } from './predictor.ts';
import { charged, type RowQuota } from './row-quota.ts';
import { poolKeyOf } from './served-model.ts';
import { type Asked, askWorkingVersion } from './working-version.ts';

export type PictureManifest = Manifest & { readonly picture: PictureCodecFacts };

export const isPictureCodec = (manifest: Manifest): manifest is PictureManifest => manifest.picture !== undefined;

export interface ServedReceipt extends PictureReceipt {
  readonly version: number;
  /** WebP, where it reaches what the model does not, or reaches the same with fewer bytes */
  readonly alternatives?: readonly Alternative[];
}

export interface ServedFrame {
  readonly frame: Uint8Array;
  readonly receipt: ServedReceipt;
}

export interface DecodedFrame {
  readonly model: string;
  readonly version: number;
  readonly raster: Raster;
  /** parts whose tiles were damaged or missing */
  readonly lost: readonly Region[];
}

export interface PictureCodecsOptions {
  readonly registry: Registry;
  readonly predictor: Predictor;
  /** absent: WebP is not offered */
  readonly webp?: WebpCoder;
  /** codecs of another tenant, with which it shares a thread */
  readonly others?: PictureCodecs;
  /** of which a picture takes one row; absent: as many as can be coded */
  readonly quota?: RowQuota | undefined;
}

interface DecodeQuestion {
  readonly model: string | undefined;
  readonly region?: Region | undefined;
  readonly maxPixels: number;
  readonly demand?: Pick<Demand, 'isOver'>;
}

export class PictureCodecs {
  readonly #registry: Registry;
  readonly #predictor: Predictor;
  readonly #webp: WebpCoder | undefined;
  readonly #index: FrameIndex<PictureManifest>;
  readonly #worker: PictureWorker;
  readonly #quota: RowQuota | undefined;

  constructor({ registry, predictor, webp, others, quota }: PictureCodecsOptions) {
    this.#registry = registry;
    this.#predictor = predictor;
    this.#webp = webp;
    this.#quota = quota;
    this.#worker = others ? others.#worker : new PictureWorker();
    this.#index = new FrameIndex(registry, isPictureCodec, ({ picture }) => picture.hash);
  }

  /** The version that a reference means, when it is a codec for pictures. Throws what `Predictor.versionOf` throws. */
  async find(caller: Caller, model: string | undefined): Promise<PictureManifest | undefined> {
    const manifest = await this.#predictor.versionOf(caller, model);
    return isPictureCodec(manifest) ? manifest : undefined;
  }

  /**
   * `read`: the picture with so many channels. Throws `invalid-request` for a target that cannot come true, `overloaded`, `quota-exceeded`,
   * `model-corrupt`, and what `read` throws.
   */
  encode(
    asked: Asked<PictureManifest>,
    read: (channels: 1 | 3 | 4) => Promise<Raster>,
    target: PictureTarget,
  ): Promise<ServedFrame> {
    const encode = async (manifest: PictureManifest): Promise<ServedFrame> => {
      const { name, version, picture } = manifest;
      const raster = await read(picture.channels as 1 | 3 | 4);
      const task = { type: 'encode', name, raster, target } as const;
      const reply = await this.#worker.run(this.#keyOf(manifest), task, () => this.#files(manifest), asked.demand);
      if (reply.type !== 'encoded') throw new Error('a picture to encode was decoded');
      const { frame, receipt } = reply;
      const alternatives = this.#webp && (await betterWebp(this.#webp, { raster, receipt, target, picture }));
      return { frame, receipt: { ...receipt, version, ...(alternatives && { alternatives }) } };
    };
    return charged(this.#quota, 1, () => askWorkingVersion(this.#predictor, asked, isPictureCodec, encode));
  }

  /**
   * Throws `invalid-frame`, `unsupported-frame-version`, `frame-checksum`, `image-too-large`, `decoder-unknown` when no version here made
   * it, `model-mismatch` when another than the named one did, `invalid-request` for a region outside of it, `quota-exceeded`.
   */
  decode(caller: Caller, frame: Uint8Array, question: DecodeQuestion): Promise<DecodedFrame> {
    return charged(this.#quota, 1, () => this.#decode(caller, frame, question));
  }

  async #decode(
    caller: Caller,
    frame: Uint8Array,
    { model, region, maxPixels, demand }: DecodeQuestion,
  ): Promise<DecodedFrame> {
    const { id } = parsePictureHeader(frame, maxPixels);
    const candidates = model === undefined ? await this.#candidates(id) : [await this.#named(caller, model, id)];
    const task = { type: 'decode', frame, maxPixels, ...(region && { region }) } as const;
    let failure: unknown;
    for (const manifest of candidates) {
      try {
        const reply = await this.#worker.run(this.#keyOf(manifest), task, () => this.#files(manifest), demand);
        if (reply.type !== 'decoded') throw new Error('a frame to decode was encoded');
        return { model: manifest.name, version: manifest.version, raster: reply.raster, lost: reply.lost };
      } catch (error) {
        if (!(error instanceof HourglassError) || error.code !== 'frame-checksum') throw error;
        failure = error;
      }
    }
    throw failure ?? unknownDecoder(id);
  }

  close(): Promise<void> {
    return this.#worker.close();
  }

  async #candidates(id: Uint8Array): Promise<readonly PictureManifest[]> {
    const known = await this.#index.find(id);
    if (known.length > 0) return known;
    await this.#index.refresh();
    return this.#index.find(id);
  }

  async #named(caller: Caller, model: string, id: Uint8Array): Promise<PictureManifest> {
    const manifest = await this.#predictor.versionOf(caller, model);
    const found = Buffer.from(id).toString('hex');
    if (isPictureCodec(manifest) && manifest.picture.hash.startsWith(found)) return manifest;
    throw new HourglassError(
      'model-mismatch',
      `The frame was not made for ${manifest.name}@${manifest.version}. Name the version it was made for, or none: POST /decode finds it.`,
      { expected: manifest.picture?.hash ?? 'a frame of rows', found },
    );
  }

  #keyOf(manifest: PictureManifest): string {
    return `${poolKeyOf(this.#registry, manifest)}/${manifest.picture.hash}`;
  }

  async #files(manifest: PictureManifest): Promise<PictureFiles> {
    const [codec, decoder] = await Promise.all([
      this.#registry.readFile(manifest, 'codec.bin'),
      this.#registry.readFile(manifest, 'decoder.onnx'),
    ]);
    const { hash, margin } = manifest.picture;
    return { type: 'codec', hash: Buffer.from(hash, 'hex'), codec, decoder, margin };
  }
}

const unknownDecoder = (id: Uint8Array): HourglassError => {
  const found = Buffer.from(id).toString('hex');
  return new HourglassError(
    'decoder-unknown',
    `No model here decodes pictures of ${found}: its version was deleted, or is of another server. Get the bundle again and encode anew.`,
    { found },
  );
};
