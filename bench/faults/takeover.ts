// How long a job waits until it runs on another worker, with the default lock: after its worker was killed, and after it was told
// to stop, which hands the job over.
import { setTimeout as delay } from 'node:timers/promises';
import type { JobView } from '../../src/jobspec/job.ts';
import type { JobQueue } from '../../src/queue/job-queue.ts';
import { busyMembers, type Fleet } from './fleet.ts';
import { waveSpec } from './jobs.ts';

/** Seconds. */
export interface Spread {
  readonly median: number;
  readonly p95: number;
  readonly longest: number;
}

export interface Takeover {
  readonly kills: number;
  /** from the kill to the claim by another worker */
  readonly killed: Spread;
  readonly stops: number;
  /** from SIGTERM to the claim by another worker */
  readonly handedOver: Spread;
  /** from SIGTERM to the end of the worker */
  readonly stopped: Spread;
  readonly badExits: readonly (number | null)[];
}

/** All of it befalls one job, which is failed by none of it. */
export async function measureTakeover(queue: JobQueue, fleet: Fleet, kills: number, stops: number): Promise<Takeover> {
  for (let i = 0; i < 2; i++) fleet.start();
  const { id } = await queue.submit(waveSpec('takeover', 100_000));
  const until = async (check: (job: JobView) => boolean): Promise<JobView> => {
    for (;;) {
      const job = await queue.get(id).catch(() => undefined); // a busy machine
      if (job?.finishedAt !== undefined) throw new Error(`the job ended: ${JSON.stringify(job)}`);
      if (job && check(job)) return job;
      await delay(20);
    }
  };
  const seconds = { killed: [] as number[], handedOver: [] as number[], stopped: [] as number[] };
  const badExits: (number | null)[] = [];
  for (let attempt = 1; attempt <= kills + stops; attempt++) {
    await until((job) => job.attempts === attempt && (job.progress?.epoch ?? 0) > 0);
    await delay(2000 * Math.random());
    const [victim] = await busyMembers(fleet);
    if (!victim) throw new Error('no worker trains');
    const isKill = attempt <= kills;
    const begun = performance.now();
    const since = (): number => (performance.now() - begun) / 1000;
    const gone = fleet.end(victim, isKill ? 'SIGKILL' : 'SIGTERM').then((exitCode) => {
      if (isKill) return;
      seconds.stopped.push(since());
      if (exitCode !== 0) badExits.push(exitCode);
    });
    fleet.start();
    await until((job) => job.attempts > attempt);
    seconds[isKill ? 'killed' : 'handedOver'].push(since());
    await gone;
  }
  await queue.cancel(id);
  await fleet.stop();
  const [killed, handedOver, stopped] = [seconds.killed, seconds.handedOver, seconds.stopped].map(spread) as Spread[];
  return { kills, killed, stops, handedOver, stopped, badExits } as Takeover;
}

function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const quantile = (q: number): number => sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? 0;
  return { median: quantile(0.5), p95: quantile(0.95), longest: quantile(1) };
}
