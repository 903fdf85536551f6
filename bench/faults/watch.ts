// How closely a watcher follows a job: the longest time between two progress events while it trains, and from a cancellation to
// the end of the job. A dense and a convolutional model on handwritten digits.
import { setTimeout as delay } from 'node:timers/promises';
import type { JobProgress } from '../../src/jobspec/job.ts';
import { resolveJobSpec } from '../../src/jobspec/resolve.ts';
import type { World } from './world.ts';

export interface Watched {
  readonly model: string;
  readonly events: number;
  /** between two progress events, as they arrive */
  readonly longestGapMs: number;
  /** events without phase, samples per second or estimated time to the end */
  readonly incomplete: number;
  /** from the call to the `end` event */
  readonly cancelledAfterMs: number;
}

const isComplete = ({ phase, samplesPerSecond = 0, etaSeconds = -1 }: JobProgress): boolean =>
  phase !== '' && samplesPerSecond > 0 && etaSeconds >= 0;

export async function watchJobs({ queue, fleet }: World, seconds: number): Promise<Watched[]> {
  const workers = fleet('worker');
  workers.start();
  const watched: Watched[] = [];
  for (const model of ['dense', 'convolutional']) {
    const request = { name: model, dataset: 'mnist', model: { type: model }, training: { epochs: 1000 } };
    const { id } = await queue.submit(resolveJobSpec(request).spec);
    let [events, incomplete, longestGapMs, last, cancelledAt] = [0, 0, 0, 0, 0];
    const cancel = async (): Promise<void> => {
      await delay(seconds * 1000);
      cancelledAt = performance.now();
      await queue.cancel(id);
    };
    let cancelling: Promise<void> | undefined;
    for await (const event of queue.events(id)) {
      if (event.type !== 'progress' || cancelledAt > 0) continue;
      if (!cancelling && !isComplete(event.data)) continue; // the training has yet to begin
      cancelling ??= cancel();
      const now = performance.now();
      if (last > 0) longestGapMs = Math.max(longestGapMs, now - last);
      last = now;
      events++;
      if (!isComplete(event.data)) incomplete++;
    }
    const cancelledAfterMs = performance.now() - cancelledAt;
    await cancelling;
    watched.push({ model, events, longestGapMs, incomplete, cancelledAfterMs });
  }
  await workers.stop();
  return watched;
}
