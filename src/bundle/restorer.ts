/** The network of a model that restores pictures, ready to run on this thread. */

import { float32 } from '../base/ndarray.ts';
import type { RunRestorer } from '../picture/restore.ts';
import { Session } from '../runtime/session.ts';

export interface OpenRestorer {
  readonly run: RunRestorer;
  dispose(): void;
}

/** Throws `model-corrupt`. */
export function openRestorer(restorer: Uint8Array, threads = 1): OpenRestorer {
  const session = Session.create(restorer, { threads, sleepBetweenRuns: true });
  return {
    async run({ x, height, width }) {
      const feeds = { x: float32([1, height, width, x.length / (height * width)], x) };
      return session.runSync(feeds).y?.data as Float32Array;
    },
    dispose: () => session.dispose(),
  };
}
