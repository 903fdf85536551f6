// Jobs that train on crops of pictures: stopped in the middle and gone on they end with the same bits, and a network that was trained
// restores what it was trained to restore.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openRestorer } from '../../src/bundle/restorer.ts';
import { damagePicture } from '../../src/data/damage.ts';
import { picturesInMemory } from '../../src/data/pictures.ts';
import { createOnnxEngine } from '../../src/engine/onnx/engine.ts';
import type { ModelOf } from '../../src/jobspec/model.ts';
import { resolveJobSpec } from '../../src/jobspec/resolve.ts';
import { restorePicture } from '../../src/picture/restore.ts';
import { decibels } from '../../src/report/restoration-report.ts';
import { FolderCheckpoints } from '../../src/store/folder/jobs.ts';
import type { CropTraining } from '../../src/train/picture/crop-phase.ts';
import { trainPicture } from '../../src/train/picture/job.ts';
import { trainRestoration } from '../../src/train/picture/restoration-job.ts';
import { picture } from '../codec/picture/pictures.ts';

const pictures = picturesInMemory(
  [40, 41, 42, 43, 44, 45].map((seed) => picture(seed, 56 + 8 * (seed % 3), 72, 3)),
  3,
);
const info = {
  ...{ name: 'made-up', hash: 'made-up', shape: [72, 72, 3], range: [0, 1] as const, sizes: 'mixed' as const },
  ...{ scaling: { divisor: 255 as const }, rows: { train: 6, test: 0 }, warnings: [], builtIn: false },
};
const engine = createOnnxEngine({ threads: 1 });
const specOf = (model: object, training: object) =>
  resolveJobSpec({ name: 'x', dataset: 'made-up', model, training }, { dataset: info }).spec;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'pictures-'));
});
afterAll(async () => {
  await engine.dispose();
  await rm(folder, { recursive: true });
});

type Work = (options: Partial<CropTraining>) => Promise<{ readonly weights: unknown; readonly epochs: unknown }>;

const training = { epochs: 2, batchSize: 2, validation: { fraction: 0.2 } };
const codec = specOf({ type: 'picture', maps: 8, layers: 1, crop: 2, crops: 12 }, training);
const noise = specOf({ type: 'restoration', maps: 8, blocks: 1, crop: 16, crops: 12 }, training);
const works: readonly (readonly [string, Work])[] = [
  [
    'picture',
    (options) => {
      const model = codec.model as ModelOf<'picture'>;
      return trainPicture({ ...{ spec: codec, model, dataset: { info }, pictures, engine }, ...options });
    },
  ],
  [
    'restoration',
    (options) => {
      const model = noise.model as ModelOf<'restoration'>;
      return trainRestoration({ ...{ spec: noise, model, dataset: { info }, pictures, engine }, ...options });
    },
  ],
];

describe.each(works)('a job of type %s', (type, train) => {
  it('that was stopped in the middle ends with the bits of one that was not', async () => {
    const whole = await train({});
    const checkpoints = new FolderCheckpoints(path.join(folder, type));
    const stop = new AbortController();
    const stopped = train({ checkpoints, signal: stop.signal, onEpoch: () => stop.abort() });
    await expect(stopped).rejects.toMatchObject({ code: 'cancelled' });
    const trained: number[] = [];
    const rest = await train({ checkpoints, onEpoch: ({ epoch }) => trained.push(epoch) });
    expect(trained).toEqual([2]);
    expect(rest.weights).toEqual(whole.weights);
    expect(rest.epochs).toEqual(whole.epochs);
  });
});

describe('a model that restores', () => {
  it.each([
    ['noise', { type: 'gaussian', sigma: 0.1 }, 2, 2],
    ['values that are black or white', { type: 'salt-and-pepper', probability: 0.2 }, 1, 4],
    ['holes', { type: 'hole', size: 8 }, 2, 1.5],
  ] as const)('takes %s out of a picture that it has not seen', async (_, corruption, stride, gain) => {
    const model = { type: 'restoration', corruption, stride, maps: 12, blocks: 1, crop: 24, crops: 96 };
    const optimizer = { type: 'adam', learningRate: 0.004 };
    const spec = specOf(model, { epochs: 8, batchSize: 8, optimizer, validation: { fraction: 0 } });
    const trained = await trainRestoration({
      ...{ spec, model: spec.model as ModelOf<'restoration'>, dataset: { info }, pictures, engine },
    });
    const { run, dispose } = openRestorer(trained.restorer);
    const clean = picture(50, 75, 61, 3);
    const { raster, holes } = damagePicture(clean, corruption, 'test');
    const restored = await restorePicture(trained.shape, raster, run, holes);
    dispose();
    expect([restored.width, restored.height]).toEqual([75, 61]);
    expect(decibels(clean, restored, holes)).toBeGreaterThan(decibels(clean, raster, holes) + gain);
    const outside = holes?.map((hole) => 1 - hole);
    if (outside) expect(decibels(clean, restored, outside)).toBe(99);
  });
});
