// SIGKILLs redis-server while jobs are submitted and trained, and accounts for every job that was acknowledged.
import { setTimeout as delay } from 'node:timers/promises';
import { HourglassError } from '../../src/base/errors.ts';
import type { JobQueue } from '../../src/queue/job-queue.ts';
import type { Fleet } from './fleet.ts';
import { type Account, settle, trainControls, waveSpec } from './jobs.ts';

export interface KillRedis {
  readonly queue: JobQueue;
  readonly redis: { kill(): Promise<void>; start(): Promise<void> };
  readonly dataFolder: string;
  readonly fleet: Fleet;
  readonly workers: number;
  readonly epochs: number;
  readonly kills: number;
  /** redis-server stays away for up to this long */
  readonly awayMs: number;
  readonly limitMs: number;
  readonly random: () => number;
}

export interface KilledRedis extends Account {
  readonly kills: number;
  /** submissions that were refused while it was away, each with the right code */
  readonly refused: number;
}

const seeds = [1, 2];

export async function killRedis(campaign: KillRedis): Promise<KilledRedis> {
  const { queue, redis, dataFolder, fleet, workers, epochs, limitMs, random } = campaign;
  const limit = Date.now() + limitMs;
  for (let i = 0; i < workers; i++) fleet.start();
  const controls = await trainControls(queue, dataFolder, seeds, epochs);
  const ids: string[] = [];
  let refused = 0;
  let over = false;
  const submit = async (): Promise<void> => {
    for (let i = 0; !over; i++) {
      try {
        // Nobody retries here: only what was acknowledged counts.
        ids.push((await queue.submit(waveSpec(`redis-${i}`, epochs, seeds[i % seeds.length]))).id);
      } catch (error) {
        const isAway = error instanceof HourglassError && ['queue-unavailable', 'outcome-unknown'].includes(error.code);
        if (!isAway) throw error;
        refused++;
      }
      await delay(400);
    }
  };
  const submitting = submit();
  let kills = 0;
  while (kills < campaign.kills && Date.now() < limit) {
    await delay(300 + 1000 * random());
    await redis.kill();
    kills++;
    await delay(campaign.awayMs * random());
    await redis.start();
  }
  over = true;
  await submitting;
  const account = await settle(queue, dataFolder, ids, controls, limit - Date.now());
  await fleet.stop();
  return { kills, refused, ...account };
}
