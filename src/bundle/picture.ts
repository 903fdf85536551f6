/**
 * What a version of a codec for pictures carries for devices: `codec.bin`, with what its qualities cost on held-out pictures, and `bundle.tar`.
 */

import { createHash } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { pack } from 'tar-stream';
import { float32 } from '../base/ndarray.ts';
import { type PictureCodec, qualitySteps } from '../codec/picture/picture-codec.ts';
import { pictureCodecFromBytes, pictureCodecToBytes } from '../codec/picture/picture-codec-bytes.ts';
import { coefficientsIn, encodePicture, type PictureProfile } from '../codec/picture/picture-frame.ts';
import { type RunDecoder, reconstruct } from '../codec/picture/reconstruct.ts';
import type { Raster } from '../codec/picture/transform.ts';
import type { Pictures } from '../data/dataset.ts';
import { Session } from '../runtime/session.ts';

export interface PictureQuality {
  readonly step: number;
  /** bits a pixel, with all framing */
  readonly bpp: number;
  /** dB, mean over the pictures */
  readonly psnr: number;
}

export interface PictureBundle {
  readonly files: Readonly<Record<'codec.bin' | 'bundle.tar', Uint8Array>>;
  readonly hash: string;
  /** from coarse to fine */
  readonly qualities: readonly PictureQuality[];
}

export interface PictureBundleOptions {
  readonly name: string;
  readonly codec: PictureCodec;
  readonly decoder: Uint8Array;
  readonly margin: number;
  readonly threads?: number;
  /** what qualities are measured on */
  readonly pictures: Pictures;
  readonly tick?: () => void;
}

/** Pictures, and pixels of a side of each, that qualities are measured on. */
const measured = 12;
const measuredSide = 512;

export async function buildPictureBundle(options: PictureBundleOptions): Promise<PictureBundle> {
  const { name, codec, decoder, margin } = options;
  const bytes = pictureCodecToBytes(codec);
  const hash = createHash('sha256').update(decoder).update(bytes).digest();
  // as devices read it
  const profile: PictureProfile = { hash, codec: pictureCodecFromBytes(bytes) };
  const { run, dispose } = openPictureDecoder(decoder, codec, options.threads);
  try {
    const rasters = await chosen(options.pictures);
    const qualities: PictureQuality[] = [];
    for (const step of qualitySteps) {
      options.tick?.();
      const points = [];
      for (const raster of rasters) points.push(await measure(profile, raster, { margin, run, step }));
      qualities.push({
        step,
        bpp: round(mean(points.map(({ bpp }) => bpp))),
        psnr: round(mean(points.map(({ psnr }) => psnr))),
      });
    }
    const hex = hash.toString('hex');
    const files = { 'codec.bin': bytes };
    const manifest = {
      format: 1,
      kind: 'picture',
      model: name,
      decoder: hex,
      channels: codec.channels,
      qualities,
      files: Object.entries(files).map(([path, content]) => ({
        path,
        bytes: content.length,
        sha256: createHash('sha256').update(content).digest('hex'),
      })),
    };
    const tar = pack();
    const whole = buffer(tar);
    for (const [path, content] of [
      ['manifest.json', Buffer.from(JSON.stringify(manifest))],
      ...Object.entries(files),
    ] as const) {
      tar.entry({ name: path, mtime: new Date(0) }, Buffer.from(content));
    }
    tar.finalize();
    return { files: { 'codec.bin': bytes, 'bundle.tar': await whole }, hash: hex, qualities };
  } finally {
    dispose();
  }
}

export interface OpenPictureDecoder {
  readonly run: RunDecoder;
  dispose(): void;
}

/** The decoder's ONNX file, ready to run on this thread. */
export function openPictureDecoder(decoder: Uint8Array, { channels }: PictureCodec, threads = 1): OpenPictureDecoder {
  const session = Session.create(decoder, { threads });
  const size = 64 * channels;
  return {
    async run({ y, height, width, place, step }) {
      const feeds = {
        y: float32([1, height, width, size], y),
        place: float32([1], Float32Array.of(place)),
        step: float32([1], Float32Array.of(step)),
      };
      const { pixels } = await session.run(feeds);
      return pixels?.data as Float32Array;
    },
    dispose: () => session.dispose(),
  };
}

export interface MeasureOptions {
  readonly margin: number;
  readonly run: RunDecoder;
  readonly step: number;
}

/** What one picture costs in one step, and how well it comes back. */
export async function measure(profile: PictureProfile, raster: Raster, { margin, run, step }: MeasureOptions) {
  const { frame } = encodePicture(profile, raster, { step }, coefficientsIn(profile.codec, raster));
  const back = await reconstruct(profile, frame, { margin, run, maxPixels: raster.width * raster.height });
  const pixels = raster.width * raster.height;
  return {
    bytes: frame.length,
    bpp: (8 * frame.length) / pixels,
    psnr: psnrOf(raster, back.raster),
    raster: back.raster,
  };
}

/** dB of 8-bit values; 99 where nothing differs. */
export function psnrOf(wanted: Raster, found: Raster): number {
  let squares = 0;
  const { channels } = found;
  const pixels = wanted.width * wanted.height;
  for (let i = 0; i < pixels; i++) {
    for (let c = 0; c < channels; c++) {
      squares += ((wanted.data[i * wanted.channels + c] as number) - (found.data[i * channels + c] as number)) ** 2;
    }
  }
  return squares === 0 ? 99 : 10 * Math.log10(255 ** 2 / (squares / (pixels * channels)));
}

async function chosen(pictures: Pictures): Promise<Raster[]> {
  const count = Math.min(measured, pictures.length);
  const rasters: Raster[] = [];
  for (let i = 0; i < count; i++) {
    const index = Math.floor((i * pictures.length) / count);
    const size = pictures.size(index);
    const area = {
      top: 0,
      left: 0,
      height: Math.min(size.height, measuredSide),
      width: Math.min(size.width, measuredSide),
    };
    rasters.push(await pictures.read(index, area));
  }
  return rasters;
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
const round = (value: number): number => Math.round(value * 10_000) / 10_000;
