/** The page's side of photo-worker.ts: one encoder of one bundle, requests in turn. */

import type { Pixels } from '../sdk/picture.ts';
import type { PictureTarget } from '../sdk/picture-encoder.ts';
import type { PhotoReply, PhotoRequest } from './photo-worker.ts';

export type EncodedPhoto = Extract<PhotoReply, { type: 'encoded' }>;

export class PhotoEncoder {
  readonly #worker = new Worker(new URL('demo/photo-worker.js', document.baseURI), { type: 'module' });
  #last: Promise<unknown> = Promise.resolve();

  async load(bundle: Uint8Array): Promise<void> {
    await this.#ask({ type: 'load', bundle });
  }

  async encode({ width, height, data }: Pixels, target: PictureTarget): Promise<EncodedPhoto> {
    const reply = await this.#ask({ type: 'encode', pixels: { width, height, data }, target });
    if (reply.type !== 'encoded') throw new Error(`An encoding was answered with ${reply.type}.`);
    return reply;
  }

  #ask(request: PhotoRequest): Promise<PhotoReply> {
    const turn = this.#last.then(
      () =>
        new Promise<PhotoReply>((resolve, reject) => {
          this.#worker.onmessage = ({ data }: MessageEvent<PhotoReply>) =>
            data.type === 'failed' ? reject(new Error(data.message)) : resolve(data);
          this.#worker.onerror = ({ message }) => reject(new Error(message || 'The encoder cannot be loaded.'));
          this.#worker.postMessage(request);
        }),
    );
    this.#last = turn.catch(() => {});
    return turn;
  }
}
