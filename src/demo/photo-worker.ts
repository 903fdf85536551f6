/** Encodes photographs beside the page, so that it stays alive meanwhile: a bundle first, then pictures with what is asked of them. */

import type { Pixels } from '../sdk/picture.ts';
import {
  loadPictureEncoder,
  type PictureEncoder,
  type PictureReceipt,
  type PictureTarget,
} from '../sdk/picture-encoder.ts';

export type PhotoRequest =
  | { readonly type: 'load'; readonly bundle: Uint8Array }
  | { readonly type: 'encode'; readonly pixels: Pixels; readonly target: PictureTarget };

export type PhotoReply =
  | { readonly type: 'loaded' }
  | {
      readonly type: 'encoded';
      readonly frame: Uint8Array<ArrayBuffer>;
      readonly receipt: PictureReceipt;
      readonly milliseconds: number;
    }
  | { readonly type: 'failed'; readonly message: string };

let encoder: PictureEncoder | undefined;

async function answer(request: PhotoRequest): Promise<PhotoReply> {
  if (request.type === 'load') {
    encoder = await loadPictureEncoder(request.bundle);
    return { type: 'loaded' };
  }
  if (!encoder) throw new Error('A bundle comes first.');
  const began = performance.now();
  const { frame, receipt } = encoder.encode(request.pixels, request.target);
  return { type: 'encoded', frame: Uint8Array.from(frame), receipt, milliseconds: performance.now() - began };
}

addEventListener('message', ({ data }: MessageEvent<PhotoRequest>) => {
  answer(data).then(
    (reply) => postMessage(reply),
    (error: unknown) =>
      postMessage({ type: 'failed', message: error instanceof Error ? error.message : String(error) }),
  );
});
