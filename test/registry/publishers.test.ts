// Publishing from several processes at once, and with a crash or a disk error at every single file system call.
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Registry } from '../../src/registry/registry.ts';
import { codeOf, openRegistry, publicationOf, runPublisher, tempRoot } from './publications.ts';

/** Every live version is whole and of one job; returns the job of each version. */
async function jobsOf(registry: Registry, name: string): Promise<Record<number, string>> {
  const jobs: Record<number, string> = {};
  if (!(await registry.listModels()).includes(name)) return jobs;
  for (const manifest of (await registry.getModel(name)).versions) {
    const { jobId } = manifest.lineage;
    for (const [file, content] of Object.entries(publicationOf(jobId).files)) {
      expect(Buffer.compare(await registry.readFile(manifest, file), content)).toBe(0);
    }
    jobs[manifest.version] = jobId;
  }
  return jobs;
}

const jobNames = (prefix: string, count: number) => Array.from({ length: count }, (_, i) => `${prefix}-${i}`);

describe('processes that publish at the same time', () => {
  it('never collide: one number each, none lost, none missing', async () => {
    const root = tempRoot();
    const tasks = ['a', 'b', 'c'].map((prefix) => ({ root, name: 'digits', jobs: jobNames(prefix, 60) }));
    const results = await Promise.all(tasks.map(runPublisher));
    const jobs = await jobsOf(await openRegistry(root), 'digits');
    expect(Object.keys(jobs)).toEqual(Array.from({ length: 180 }, (_, i) => String(i + 1)));
    for (const [i, { outcomes }] of results.entries()) {
      expect(outcomes.map((version) => jobs[version as number])).toEqual(tasks[i]!.jobs);
    }
    expect(readdirSync(path.join(root, 'staging'))).toEqual([]);
  });

  it('publish a job once, however many of them run it', async () => {
    const root = tempRoot();
    const task = { root, name: 'digits', jobs: jobNames('same', 60) };
    const results = await Promise.all([runPublisher(task), runPublisher(task), runPublisher(task)]);
    expect(results[1]!.outcomes).toEqual(results[0]!.outcomes);
    expect(results[2]!.outcomes).toEqual(results[0]!.outcomes);
    const jobs = await jobsOf(await openRegistry(root), 'digits');
    expect(Object.values(jobs).sort()).toEqual([...task.jobs].sort());
  });
});

describe('at every file system call of a publication', () => {
  it('a crash leaves the old state or the new one, and a retry completes it', { timeout: 120_000 }, async () => {
    const root = tempRoot();
    const task = (name: string) => ({ root, name, jobs: ['job'] });
    const { calls } = await runPublisher(task('digits'));
    expect(calls).toBeGreaterThan(15);
    let before = 0;
    let after = 0;
    for (let at = 1; at <= calls; at++) {
      const name = `digits-${at}`;
      const registry = await openRegistry(root);
      await registry.publish(name, publicationOf('old'));
      const { signal } = await runPublisher({ ...task(name), fault: { at, action: 'SIGKILL' } });
      expect(signal).toBe('SIGKILL');
      const jobs = await jobsOf(await openRegistry(root, { orphanAgeMs: -1000 }), name);
      if (jobs[2]) after++;
      else before++;
      expect([{ 1: 'old' }, { 1: 'old', 2: 'job' }]).toContainEqual(jobs);
      expect(readdirSync(path.join(root, 'staging'))).toEqual([]);
      expect((await registry.publish(name, publicationOf('job'))).version).toBe(2);
    }
    expect(Math.min(before, after)).toBeGreaterThan(0);
  });

  it.each([
    ['ENOSPC', []],
    ['EDQUOT', []],
    ['EIO', ['model-corrupt']],
  ] as const)('%s is refused or harmless, and what is there stays whole', async (action, refusals) => {
    const root = tempRoot();
    const registry = await openRegistry(root);
    const { calls } = await runPublisher({ root, name: 'digits', jobs: ['first'] });
    const task = { root, name: 'digits', jobs: jobNames('job', calls), fault: { at: 1, action } };
    const { outcomes } = await runPublisher(task);
    const jobs = await jobsOf(registry, 'digits');
    for (const [i, outcome] of outcomes.entries()) {
      if (typeof outcome === 'number') expect(jobs[outcome]).toBe(`job-${i}`);
      else expect(['storage-full', ...refusals], `call ${i + 1}`).toContain(outcome);
    }
    expect(outcomes.filter((outcome) => outcome === 'storage-full').length).toBeGreaterThan(10);
    expect(await codeOf(registry.publish('digits', publicationOf('last')))).toBe('fulfilled');
    // a publisher that could not clean up leaves it to the next start
    await openRegistry(root, { orphanAgeMs: -1000 });
    expect(readdirSync(path.join(root, 'staging'))).toEqual([]);
  });
});
