// SIGKILLs workers while they train, again and again, and accounts for every job. Keeps submitting jobs until the last kill,
// so that the number of kills does not depend on the speed of the machine.
import { setTimeout as delay } from 'node:timers/promises';
import type { JobQueue } from '../../src/queue/job-queue.ts';
import { busyMembers, type Fleet } from './fleet.ts';
import { type Account, settle, trainControls, waveSpec } from './jobs.ts';

export interface KillWorkers {
  readonly queue: JobQueue;
  readonly dataFolder: string;
  readonly fleet: Fleet;
  readonly workers: number;
  /** submitted at the start; more follow whenever a worker would have nothing to do before the last kill */
  readonly jobs: number;
  readonly epochs: number;
  /** of the jobs, in turn; an undisturbed job of each is trained first */
  readonly seeds?: readonly number[];
  readonly kills: number;
  readonly limitMs: number;
  readonly random: () => number;
}

export interface Killed extends Account {
  readonly kills: number;
}

export async function killWorkers(campaign: KillWorkers): Promise<Killed> {
  const { queue, dataFolder, fleet, workers, epochs, seeds = [1, 2, 3, 4], limitMs, random } = campaign;
  const limit = Date.now() + limitMs;
  for (let i = 0; i < workers; i++) fleet.start();
  const controls = await trainControls(queue, dataFolder, seeds, epochs);
  const ids: string[] = [];
  const submit = async (): Promise<void> => {
    const i = ids.length;
    ids.push((await queue.submit(waveSpec(`job-${i}`, epochs, seeds[i % seeds.length]))).id);
  };
  while (ids.length < campaign.jobs) await submit();
  let kills = 0;
  while (kills < campaign.kills && Date.now() < limit) {
    const { running, queued } = await queue.counts();
    for (let open = running + queued; open < workers; open++) await submit();
    const busy = await busyMembers(fleet);
    await delay(1500 * random());
    const member = busy[Math.floor(random() * busy.length)];
    if (!member) continue;
    await fleet.end(member, 'SIGKILL');
    kills++;
    fleet.start();
  }
  const account = await settle(queue, dataFolder, ids, controls, limit - Date.now());
  await fleet.stop();
  return { kills, ...account };
}
