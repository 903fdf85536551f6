// Worker processes that freeze, are told to stop, run out of disk, or lose their parent: who goes on, and that exactly one
// version comes out.
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { descendants, Fleet } from '../../bench/faults/fleet.ts';
import { addWaves, ended, openRegistry, waveSpec } from '../../bench/faults/jobs.ts';
import type { RedisJobQueue } from '../../src/queue/redis-job-queue.ts';
import { startRedis, type TestRedis } from '../helpers/redis.ts';
import { fillUp, mayMount, mountSmallDisk } from '../helpers/small-disk.ts';
import { openQueue, until } from '../queue/fixtures.ts';

let redis: TestRedis;
let queue: RedisJobQueue;
let dataFolder: string;
let fleet: Fleet;

beforeEach(async () => {
  redis = await startRedis();
  queue = await openQueue(redis.url);
  dataFolder = mkdtempSync(path.join(os.tmpdir(), 'hourglass-frozen-'));
  await addWaves(dataFolder);
  fleet = new Fleet('worker', {
    REDIS_URL: redis.url,
    HOURGLASS_QUEUE_PREFIX: 'test',
    HOURGLASS_DATA_DIR: dataFolder,
    HOURGLASS_JOB_LOCK: '1s',
    HOURGLASS_CHECKPOINT_INTERVAL: '100ms',
    HOURGLASS_TRAINING_THREADS: '1',
  });
});
afterEach(async () => {
  await fleet?.stop();
  await queue?.close();
  await redis?.stop();
  rmSync(dataFolder, { recursive: true, force: true });
});

const long = 400;
const trains = (id: string, attempts: number) =>
  until(async () => {
    const job = await queue.get(id);
    return job.attempts === attempts && (job.progress?.epoch ?? 0) > 0;
  });

async function versionsOf(name: string, jobId: string): Promise<number> {
  const { versions } = await (await openRegistry(dataFolder)).getModel(name);
  return versions.filter((version) => version.lineage.jobId === jobId).length;
}

it('lets a worker that froze past its lock neither write a checkpoint nor publish', async () => {
  const first = fleet.start();
  const { id } = await queue.submit(waveSpec('frozen', long));
  await trains(id, 1);
  const frozen = [first.pid as number, ...(await descendants(first.pid as number))];
  expect(frozen).toHaveLength(2);
  for (const pid of frozen) process.kill(pid, 'SIGSTOP');
  fleet.start();
  await trains(id, 2);
  for (const pid of frozen) process.kill(pid, 'SIGCONT');
  expect(await ended(queue, id, 100_000)).toMatchObject({ state: 'succeeded', attempts: 2 });
  expect(await versionsOf('frozen', id)).toBe(1);
  // the first one noticed, ended its training process, and takes jobs again
  await until(() => fleet.output.includes('another worker has taken over the job'));
  expect(await descendants(first.pid as number)).toEqual([]);
  await fleet.end(fleet.members.find((member) => member !== first)!, 'SIGKILL');
  const next = await queue.submit(waveSpec('after', 2));
  expect(await ended(queue, next.id, 60_000)).toMatchObject({ state: 'succeeded' });
}, 120_000);

it('hands its job over at a checkpoint when it is told to stop, and exits with 0', async () => {
  const first = fleet.start({ HOURGLASS_JOB_LOCK: '10m' }); // nobody finds the job by an expired lock
  const { id } = await queue.submit(waveSpec('handed', long));
  await trains(id, 1);
  const before = (await queue.get(id)).progress?.step ?? 0;
  fleet.start({ HOURGLASS_JOB_LOCK: '10m' });
  expect(await fleet.end(first, 'SIGTERM')).toBe(0);
  await trains(id, 2);
  expect((await queue.get(id)).progress?.step).toBeGreaterThanOrEqual(before);
  await queue.cancel(id);
  expect(await ended(queue, id, 20_000)).toMatchObject({ state: 'cancelled' });
  // resumed, it goes on where it was; started over, it does not
  const at = (await queue.get(id)).progress?.step ?? 0;
  await queue.restart(id, 'checkpoint');
  await trains(id, 3);
  expect((await queue.get(id)).progress?.step).toBeGreaterThanOrEqual(at);
}, 90_000);

it('leaves no training process behind when the worker is killed', async () => {
  const worker = fleet.start();
  const { id } = await queue.submit(waveSpec('orphan', long));
  await trains(id, 1);
  const [child] = await descendants(worker.pid as number);
  await fleet.end(worker, 'SIGKILL');
  await until(() => {
    try {
      process.kill(child as number, 0);
      return false;
    } catch {
      return true;
    }
  });
});

it.skipIf(!mayMount())(
  'keeps the last checkpoint when the disk is full, waits, and goes on when there is room',
  async () => {
    const jobs = path.join(dataFolder, 'jobs');
    const disk = mountSmallDisk(jobs, 256);
    try {
      fleet.start();
      const { id } = await queue.submit(waveSpec('full', long));
      const checkpoints = (): string[] =>
        readdirSync(path.join(jobs, id, 'run-1')).filter((name) => name.endsWith('.json'));
      await trains(id, 1);
      await until(() => existsSync(path.join(jobs, id, 'run-1')) && checkpoints().length > 0);
      const stuffing = path.join(jobs, 'stuffing');
      fillUp(stuffing);
      const waiting = await until(async () => {
        const job = await queue.get(id);
        return job.waitingFor === 'storage-full' && job;
      });
      expect(waiting.state).toBe('queued');
      expect(checkpoints().length).toBeGreaterThan(0);
      expect(readdirSync(path.join(jobs, id, 'run-1')).filter((name) => name.endsWith('.partial'))).toEqual([]);
      rmSync(stuffing);
      await trains(id, 2);
      expect((await queue.get(id)).progress?.step).toBeGreaterThanOrEqual(waiting.progress?.step ?? 0);
      await queue.cancel(id);
      await ended(queue, id, 20_000);
      await fleet.stop();
    } finally {
      disk.unmount();
    }
  },
  90_000,
);
