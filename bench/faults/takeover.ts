// How long a killed worker's job waits until it runs on another one, with the default lock.
import { setTimeout as delay } from 'node:timers/promises';
import type { JobQueue } from '../../src/queue/job-queue.ts';
import type { JobView } from '../../src/spec/job.ts';
import { busyMembers, type Fleet } from './fleet.ts';
import { waveSpec } from './jobs.ts';

export interface Takeover {
  readonly kills: number;
  /** seconds from the kill to the claim by another worker */
  readonly median: number;
  readonly p95: number;
  readonly longest: number;
}

export async function measureTakeover(queue: JobQueue, fleet: Fleet, kills: number): Promise<Takeover> {
  for (let i = 0; i < 2; i++) fleet.start();
  const { id } = await queue.submit(waveSpec('takeover', 100_000));
  const until = async (check: (job: JobView) => boolean): Promise<JobView> => {
    for (;;) {
      const job = await queue.get(id).catch(() => undefined); // a busy machine
      if (job && check(job)) return job;
      await delay(20);
    }
  };
  const seconds: number[] = [];
  for (let attempt = 1; attempt <= kills; attempt++) {
    await until((job) => job.attempts === attempt && (job.progress?.epoch ?? 0) > 0);
    await delay(2000 * Math.random());
    const [victim] = await busyMembers(fleet);
    if (!victim) throw new Error('no worker trains');
    const killedAt = performance.now();
    await fleet.end(victim, 'SIGKILL');
    fleet.start();
    await until((job) => job.attempts > attempt);
    seconds.push((performance.now() - killedAt) / 1000);
  }
  await queue.cancel(id);
  await fleet.stop();
  seconds.sort((a, b) => a - b);
  const quantile = (q: number): number => seconds[Math.min(kills - 1, Math.ceil(q * kills) - 1)] ?? 0;
  return { kills, median: quantile(0.5), p95: quantile(0.95), longest: quantile(1) };
}
