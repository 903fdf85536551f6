// Fences and checkpoints: a later attempt shuts out all earlier ones, in whatever order they come. One suite by factory for
// every store.
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { FencedError, type JobFiles } from '../../src/store/contract.ts';
import { FolderJobs } from '../../src/store/folder/jobs.ts';
import { s3Server } from '../helpers/s3.ts';
import { bucketStores } from './buckets.ts';

/** each returns a function that opens the same store again, as another process would */
const factories: Readonly<Record<string, () => () => JobFiles | Promise<JobFiles>>> = {
  folder: () => {
    const folder = mkdtempSync(path.join(os.tmpdir(), 'hourglass-jobs-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    return () => new FolderJobs(folder);
  },
  ...(s3Server() && { bucket: bucketStores(({ jobs }) => jobs) }),
};

const text = (bytes: Uint8Array | undefined): string | undefined => bytes && Buffer.from(bytes).toString();

describe.each(Object.entries(factories))('jobs in a %s', (_, factory) => {
  it('lets the newest attempt write and no other', async () => {
    const open = factory();
    const [jobs, other] = [await open(), await open()];
    const first = await jobs.begin('job', 1);
    await first.check();
    const second = await other.begin('job', 2);
    await expect(first.check()).rejects.toThrow(FencedError);
    await expect(jobs.begin('job', 1)).rejects.toThrow(FencedError);
    await second.check();
    // the same attempt may begin again, as after a restart of the queue
    await (await (await open()).begin('job', 2)).check();
  });

  it('leaves one of many that begin at once', async () => {
    const open = factory();
    const attempts = Array.from({ length: 20 }, (_, i) => 20 - i);
    const begun = await Promise.allSettled(attempts.map(async (attempt) => (await open()).begin('job', attempt)));
    const checks = await Promise.allSettled(
      begun.map((result) => (result.status === 'fulfilled' ? result.value.check() : Promise.reject(result.reason))),
    );
    expect(checks.map(({ status }) => status)).toEqual(['fulfilled', ...Array(19).fill('rejected')]);
  });

  it('refuses a checkpoint of an attempt that was overtaken, and keeps those of the newer one', async () => {
    const open = factory();
    const [jobs, other] = [await open(), await open()];
    const old = jobs.checkpoints('job', 1, await jobs.begin('job', 1));
    await old.save(Buffer.from('by the first'), () => Buffer.from('{"n":1}'));
    const fence = await other.begin('job', 2);
    await expect(old.save(Buffer.from('late'), () => Buffer.from('{"n":2}'))).rejects.toThrow(FencedError);
    const newer = other.checkpoints('job', 1, fence);
    const [number] = await newer.numbers();
    expect(text(await newer.tensors(number!))).toBe('by the first');
    await newer.save(Buffer.from('by the second'), () => Buffer.from('{"n":3}'));
    await expect(old.save(Buffer.from('late'), () => Buffer.from('{"n":4}'))).rejects.toThrow(FencedError);
    const all = await (await open()).checkpoints('job', 1, fence).numbers();
    expect(await Promise.all(all.map(async (n) => text(await newer.tensors(n))))).toEqual([
      'by the second',
      'by the first',
    ]);
  });

  it('keeps the newest two checkpoints of a run, and those of other runs apart', async () => {
    const jobs = await factory()();
    const fence = await jobs.begin('job', 1);
    const files = jobs.checkpoints('job', 1, fence);
    for (let i = 1; i <= 4; i++) {
      const names: string[] = [];
      await files.save(Buffer.from(`tensors ${i}`), (file) => {
        names.push(file);
        return Buffer.from(`manifest ${i}`);
      });
      expect(names).toHaveLength(1);
    }
    const numbers = await files.numbers();
    expect(numbers).toHaveLength(2);
    expect(numbers[0]).toBeGreaterThan(numbers[1]!);
    expect(text(await files.tensors(numbers[0]!))).toBe('tensors 4');
    expect(text(await files.manifest(numbers[1]!))).toBe('manifest 3');
    expect(await files.manifest(numbers[1]! - 1)).toBeUndefined();
    expect(await files.tensors(numbers[1]! - 1)).toBeUndefined();
    expect(await jobs.checkpoints('job', 2, fence).numbers()).toEqual([]);
  });

  it('forgets a job with all its files', async () => {
    const jobs = await factory()();
    const fence = await jobs.begin('gone', 1);
    await jobs.checkpoints('gone', 1, fence).save(Buffer.from('x'), () => Buffer.from('{}'));
    await jobs.begin('stays', 1);
    await new Promise((resolve) => setTimeout(resolve, 1100));
    expect([...(await jobs.idle(10))].sort()).toEqual(['gone', 'stays']);
    expect(await jobs.idle(60_000)).toEqual([]);
    await jobs.forget('gone');
    await jobs.forget('gone');
    expect(await jobs.idle(10)).toEqual(['stays']);
    expect(await jobs.checkpoints('gone', 1, await jobs.begin('gone', 1)).numbers()).toEqual([]);
  });
});
