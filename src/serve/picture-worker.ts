/** The gateway's side of the thread for pictures of any size: requests in turn, a bounded number of them, a fresh thread after a crash. */

import { Worker } from 'node:worker_threads';
import { HourglassError } from '../base/errors.ts';
import { entry } from '../platform/entry.ts';
import { takeDenormalsAsZero } from '../runtime/session.ts';
import type { PictureFiles, PictureReply, PictureRequest, PictureTask } from './picture-thread.ts';
import type { Demand } from './predictor.ts';
import { overloadError } from './refusal.ts';

/** Pictures are large: few wait. */
const mostWaiting = 16;

type Answered = Extract<PictureReply, { type: 'encoded' | 'decoded' | 'restored' }>;

export class PictureWorker {
  #worker: Worker | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  /** Throws what the codec or the network throws, `overloaded`, `model-crashed`, what `read` throws, and the reason of a demand that is over when its turn comes. */
  async run(
    key: string,
    task: PictureTask,
    read: () => Promise<PictureFiles>,
    demand?: Pick<Demand, 'isOver'>,
  ): Promise<Answered> {
    if (this.#waiting >= mostWaiting) throw overloadError(this.#waiting, 1);
    this.#waiting++;
    const turn = this.#last.then(async () => {
      // Nobody waits for it any more: others may.
      const over = demand?.isOver();
      if (over) throw over;
      const first = await this.#ask({ key, task });
      return first.type === 'forgotten' ? this.#ask({ key, task, files: await read() }) : first;
    });
    this.#last = turn.catch(() => {});
    try {
      const reply = await turn;
      if (reply.type === 'failed') throw new HourglassError(reply.code, reply.message, reply.facts);
      if (reply.type === 'forgotten') throw new HourglassError('internal', 'The thread forgot a model at once.');
      return reply;
    } finally {
      this.#waiting--;
    }
  }

  async close(): Promise<void> {
    await this.#last;
    await this.#worker?.terminate();
    this.#worker = undefined;
  }

  #ask(request: PictureRequest): Promise<PictureReply> {
    const worker = this.#started();
    return new Promise((resolve, reject) => {
      const end = (settle: () => void): void => {
        worker.off('message', message).off('error', failed).off('exit', ended);
        settle();
      };
      const message = (reply: PictureReply): void => end(() => resolve(reply));
      const lost = (cause?: unknown): void => {
        this.#worker = undefined;
        end(() =>
          reject(
            new HourglassError(
              'model-crashed',
              'The thread for pictures ended unexpectedly. Try again.',
              {},
              { cause },
            ),
          ),
        );
      };
      const failed = (error: unknown): void => lost(error);
      const ended = (): void => lost();
      worker.on('message', message).on('error', failed).on('exit', ended);
      worker.postMessage(request);
    });
  }

  #started(): Worker {
    if (this.#worker) return this.#worker;
    takeDenormalsAsZero();
    const worker = new Worker(entry(import.meta.url, './picture-thread.ts'));
    // it must not keep a process alive that has nothing else to do
    worker.unref();
    this.#worker = worker;
    return worker;
  }
}
