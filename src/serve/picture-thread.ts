/** The thread for pictures of any size: entropy coding, decoders and restorers, one request after the other. Started by picture-worker.ts. */

import { parentPort } from 'node:worker_threads';
import { type ErrorCode, type ErrorFacts, HourglassError, normaliseError } from '../base/errors.ts';
import { float32 } from '../base/ndarray.ts';
import { encodeToTarget, type PictureReceipt, type PictureTarget } from '../codec/picture/choose-step.ts';
import { coefficientsOf } from '../codec/picture/picture-codec.ts';
import { pictureCodecFromBytes } from '../codec/picture/picture-codec-bytes.ts';
import type { PictureProfile } from '../codec/picture/picture-frame.ts';
import { type Region, type RunDecoder, reconstruct } from '../codec/picture/reconstruct.ts';
import type { Raster } from '../codec/picture/transform.ts';
import { type RestorerShape, restorePicture } from '../picture/restore.ts';
import { Session } from '../runtime/session.ts';

/** Files of a version; sent with its first request and again when the thread has forgotten it. */
export type PictureFiles = CodecFiles | RestorerFiles;

export interface CodecFiles {
  readonly type: 'codec';
  readonly hash: Uint8Array;
  readonly codec: Uint8Array;
  readonly decoder: Uint8Array;
  readonly margin: number;
}

export interface RestorerFiles {
  readonly type: 'restorer';
  readonly restorer: Uint8Array;
  readonly shape: RestorerShape;
}

export type PictureTask =
  /** `holes`: of each pixel, 1 where it is missing */
  | { readonly type: 'restore'; readonly raster: Raster; readonly holes?: Uint8Array }
  | { readonly type: 'encode'; readonly name: string; readonly raster: Raster; readonly target: PictureTarget }
  | { readonly type: 'decode'; readonly frame: Uint8Array; readonly region?: Region; readonly maxPixels: number };

export interface PictureRequest {
  readonly key: string;
  readonly files?: PictureFiles;
  readonly task: PictureTask;
}

export type PictureReply =
  | { readonly type: 'forgotten' }
  | { readonly type: 'encoded'; readonly frame: Uint8Array; readonly receipt: PictureReceipt }
  | { readonly type: 'restored'; readonly raster: Raster }
  | { readonly type: 'decoded'; readonly raster: Raster; readonly lost: readonly Region[] }
  | { readonly type: 'failed'; readonly code: ErrorCode; readonly message: string; readonly facts: ErrorFacts };

interface LoadedCodec {
  readonly type: 'codec';
  readonly profile: PictureProfile;
  readonly margin: number;
  readonly session: Session;
}

interface LoadedRestorer {
  readonly type: 'restorer';
  readonly shape: RestorerShape;
  readonly session: Session;
}

type Loaded = LoadedCodec | LoadedRestorer;

const kept = 4;
const models = new Map<string, Loaded>();

function read(files: PictureFiles): Loaded {
  const open = (onnx: Uint8Array): Session => Session.create(onnx, { sleepBetweenRuns: true });
  if (files.type === 'restorer') return { type: 'restorer', shape: files.shape, session: open(files.restorer) };
  const { hash, codec, decoder, margin } = files;
  return { type: 'codec', profile: { hash, codec: pictureCodecFromBytes(codec) }, margin, session: open(decoder) };
}

function load(key: string, files: PictureFiles): Loaded {
  const loaded = read(files);
  models.set(key, loaded);
  const [oldest] = models.keys();
  if (models.size > kept && oldest !== undefined) {
    models.get(oldest)?.session.dispose();
    models.delete(oldest);
  }
  return loaded;
}

const runOf = ({ session, profile }: LoadedCodec): RunDecoder => {
  const size = coefficientsOf(profile.codec);
  return async ({ y, height, width, place, step }) => {
    const feeds = {
      y: float32([1, height, width, size], y),
      place: float32([1], Float32Array.of(place)),
      step: float32([1], Float32Array.of(step)),
    };
    return session.runSync(feeds).pixels?.data as Float32Array;
  };
};

function restore({ session, shape }: LoadedRestorer, raster: Raster, holes: Uint8Array | undefined): Promise<Raster> {
  const run = async ({ x, height, width }: { x: Float32Array; height: number; width: number }) => {
    const feeds = { x: float32([1, height, width, x.length / (height * width)], x) };
    return session.runSync(feeds).y?.data as Float32Array;
  };
  return restorePicture(shape, raster, run, holes);
}

async function answer({ key, files, task }: PictureRequest): Promise<PictureReply> {
  const loaded = models.get(key) ?? (files && load(key, files));
  if (!loaded) return { type: 'forgotten' };
  if (loaded.type === 'restorer' || task.type === 'restore') {
    if (loaded.type !== 'restorer' || task.type !== 'restore') throw new Error(`a ${loaded.type} was to ${task.type}`);
    return { type: 'restored', raster: await restore(loaded, task.raster, task.holes) };
  }
  const { profile, margin } = loaded;
  if (task.type === 'encode') {
    return { type: 'encoded', ...encodeToTarget(task.name, profile, task.raster, task.target) };
  }
  const { frame, region, maxPixels } = task;
  try {
    const { raster, lost } = await reconstruct(profile, frame, {
      margin,
      run: runOf(loaded),
      maxPixels,
      ...(region && { region }),
    });
    return { type: 'decoded', raster, lost };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new HourglassError('invalid-request', `${error.message}. Ask for a part that lies inside.`, {
      field: 'region',
    });
  }
}

let last: Promise<unknown> = Promise.resolve();

parentPort?.on('message', (request: PictureRequest) => {
  // one after the other, so that memory is bounded by one picture
  last = last.then(async () => {
    let reply: PictureReply;
    try {
      reply = await answer(request);
    } catch (thrown) {
      const { code, message, facts } = normaliseError(thrown);
      reply = { type: 'failed', code, message, facts };
    }
    const moved =
      reply.type === 'decoded' || reply.type === 'restored'
        ? [reply.raster.data.buffer as ArrayBuffer]
        : reply.type === 'encoded'
          ? [reply.frame.buffer as ArrayBuffer]
          : [];
    parentPort?.postMessage(reply, moved);
  });
});
