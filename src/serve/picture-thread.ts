/** The thread that codes pictures: entropy coding and the decoder's network, one request after the other. Started by picture-worker.ts. */

import { parentPort } from 'node:worker_threads';
import { type ErrorCode, type ErrorFacts, HourglassError, normaliseError } from '../base/errors.ts';
import { float32 } from '../base/ndarray.ts';
import { encodeToTarget, type PictureReceipt, type PictureTarget } from '../codec/picture/choose-step.ts';
import { coefficientsOf } from '../codec/picture/picture-codec.ts';
import { pictureCodecFromBytes } from '../codec/picture/picture-codec-bytes.ts';
import type { PictureProfile } from '../codec/picture/picture-frame.ts';
import { type Region, type RunDecoder, reconstruct } from '../codec/picture/reconstruct.ts';
import type { Raster } from '../codec/picture/transform.ts';
import { Session } from '../runtime/session.ts';

/** Files of a version; sent with its first request and again when the thread has forgotten it. */
export interface PictureFiles {
  readonly hash: Uint8Array;
  readonly codec: Uint8Array;
  readonly decoder: Uint8Array;
  readonly margin: number;
}

export type PictureTask =
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
  | { readonly type: 'decoded'; readonly raster: Raster; readonly lost: readonly Region[] }
  | { readonly type: 'failed'; readonly code: ErrorCode; readonly message: string; readonly facts: ErrorFacts };

interface Loaded {
  readonly profile: PictureProfile;
  readonly margin: number;
  readonly session: Session;
}

const kept = 4;
const models = new Map<string, Loaded>();

function load(key: string, { hash, codec, decoder, margin }: PictureFiles): Loaded {
  const loaded = {
    profile: { hash, codec: pictureCodecFromBytes(codec) },
    margin,
    session: Session.create(decoder, { sleepBetweenRuns: true }),
  };
  models.set(key, loaded);
  const [oldest] = models.keys();
  if (models.size > kept && oldest !== undefined) {
    models.get(oldest)?.session.dispose();
    models.delete(oldest);
  }
  return loaded;
}

const runOf = ({ session, profile }: Loaded): RunDecoder => {
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

async function answer({ key, files, task }: PictureRequest): Promise<PictureReply> {
  const loaded = models.get(key) ?? (files && load(key, files));
  if (!loaded) return { type: 'forgotten' };
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
      reply.type === 'decoded'
        ? [reply.raster.data.buffer as ArrayBuffer]
        : reply.type === 'encoded'
          ? [reply.frame.buffer as ArrayBuffer]
          : [];
    parentPort?.postMessage(reply, moved);
  });
});
