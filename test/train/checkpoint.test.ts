// Checkpoints: whole or not there, the newest valid one is found, old ones go.
import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { float32 } from '../../src/base/ndarray.ts';
import { FolderCheckpoints } from '../../src/store/folder/jobs.ts';
import { type Checkpoint, Checkpoints } from '../../src/train/checkpoint.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'checkpoints-'));
});
afterEach(() => rm(folder, { recursive: true }));

const checkpointsIn = (folder: string, fingerprint = 'job') =>
  new Checkpoints(new FolderCheckpoints(folder), fingerprint);
const checkpoint = (epoch: number): Checkpoint => ({
  progress: { position: { phase: 0, epoch, chunk: 3 }, epochs: [], sums: { loss: 1 / 3 }, best: null, seconds: 1.5 },
  weights: { 'encoder/0/weight': float32([2, 1], Float32Array.of(epoch, -0)) },
  moments: { 'm/encoder/0/weight': float32([2, 1], Float32Array.of(1e-30, 2)) },
  best: {},
});

describe('checkpoints', () => {
  it('come back as they were', async () => {
    await checkpointsIn(folder).save(checkpoint(7));
    expect(await checkpointsIn(folder).newest()).toEqual(checkpoint(7));
  });

  it('only the newest two stay, leftovers of a crash go', async () => {
    const store = checkpointsIn(folder);
    await writeFile(path.join(folder, '00000001.safetensors.partial'), 'half');
    await writeFile(path.join(folder, '00000000.safetensors'), 'without a manifest');
    for (let epoch = 0; epoch < 4; epoch++) await store.save(checkpoint(epoch));
    const names = await readdir(folder);
    expect(names.toSorted()).toEqual([
      '00000003.json',
      '00000003.safetensors',
      '00000004.json',
      '00000004.safetensors',
    ]);
  });

  const damages: [string, (newest: string) => Promise<void>][] = [
    [
      'flipped bit in the tensors',
      async (newest) => {
        const bytes = await readFile(`${newest}.safetensors`);
        bytes[bytes.length - 1] = (bytes[bytes.length - 1] as number) ^ 1;
        await writeFile(`${newest}.safetensors`, bytes);
      },
    ],
    ['cut tensors', (newest) => truncate(`${newest}.safetensors`, 40)],
    ['missing tensors', (newest) => rm(`${newest}.safetensors`)],
    ['cut manifest', (newest) => truncate(`${newest}.json`, 40)],
    ['manifest of something else', (newest) => writeFile(`${newest}.json`, '{"schema":2}')],
  ];
  for (const [what, damage] of damages) {
    it(`passes over a ${what}`, async () => {
      const store = checkpointsIn(folder);
      await store.save(checkpoint(1));
      await store.save(checkpoint(2));
      await damage(path.join(folder, '00000002'));
      expect(await store.newest()).toEqual(checkpoint(1));
      await store.save(checkpoint(3));
      expect(await store.newest()).toEqual(checkpoint(3));
    });
  }

  it('of another job are not gone on from', async () => {
    await checkpointsIn(folder).save(checkpoint(1));
    expect(await checkpointsIn(folder, 'other').newest()).toBeUndefined();
  });

  it('none in a folder that is not there', async () => {
    expect(await checkpointsIn(path.join(folder, 'missing')).newest()).toBeUndefined();
  });
});
