// The fence of a job's folder: a later attempt shuts out all earlier ones, in whatever order they come.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Fence, FencedError } from '../../src/worker/fence.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'hourglass-fence-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it('lets the newest attempt write and no other', async () => {
  const [first, second] = [new Fence(folder, 1), new Fence(folder, 2)];
  await first.raise();
  await first.check();
  await second.raise();
  await expect(first.check()).rejects.toThrow(FencedError);
  await expect(first.raise()).rejects.toThrow(FencedError);
  await second.check();
  // the same attempt may begin again, as after a restart of the queue
  await new Fence(folder, 2).raise();
  expect(readdirSync(path.join(folder, 'attempts')).toSorted()).toContain('2');
});

it('leaves one of many that begin at once', async () => {
  const fences = Array.from({ length: 20 }, (_, i) => new Fence(folder, i + 1));
  await Promise.allSettled(fences.toReversed().map((fence) => fence.raise()));
  const checks = await Promise.allSettled(fences.map((fence) => fence.check()));
  expect(checks.map(({ status }) => status)).toEqual([...Array(19).fill('rejected'), 'fulfilled']);
});
