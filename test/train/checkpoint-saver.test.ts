// When the training waits for a checkpoint, which checkpoints are saved, and which failures end the training.
import { expect, it } from 'vitest';
import { HourglassError } from '../../src/base/errors.ts';
import { zeros } from '../../src/base/ndarray.ts';
import { type CheckpointFiles, FencedError } from '../../src/store/contract.ts';
import { type Checkpoint, Checkpoints, type Position } from '../../src/train/checkpoint.ts';
import { CheckpointSaver } from '../../src/train/checkpoint-saver.ts';

const checkpoint = (epoch: number): Checkpoint => ({
  progress: { position: { phase: 0, epoch, chunk: 0 }, epochs: [], sums: {}, best: null, seconds: 0 },
  weights: {},
  moments: {},
  best: {},
});
const away = () => new HourglassError('storage-unavailable', 'away');

/** A store whose answers come when the test says so. */
function slowStore({ isRemote = true } = {}) {
  const waiting: ((error?: Error) => void)[] = [];
  const saved: number[] = [];
  const files: CheckpointFiles = {
    isRemote,
    numbers: async () => [],
    manifest: async () => undefined,
    tensors: async () => undefined,
    save: async (_tensors, manifest) => {
      const { progress } = JSON.parse(Buffer.from(manifest('x')).toString()) as { progress: { position: Position } };
      await new Promise<void>((resolve, reject) => {
        waiting.push((error) => (error ? reject(error) : resolve()));
      });
      saved.push(progress.position.epoch);
    },
  };
  const told: number[] = [];
  const saver = new CheckpointSaver(new Checkpoints(files, 'job'), ({ epoch }) => told.push(epoch));
  const answer = async (error?: Error): Promise<void> => {
    await expect.poll(() => waiting.length, { timeout: 20_000 }).toBeGreaterThan(0);
    waiting.shift()?.(error);
    await new Promise((resolve) => setTimeout(resolve, 5));
  };
  return { saver, saved, told, answer };
}

it('saves to a bucket beside the training, and of the checkpoints that come meanwhile only the newest', async () => {
  const { saver, saved, told, answer } = slowStore();
  for (const epoch of [1, 2, 3, 4]) await saver.save(checkpoint(epoch));
  expect(saved).toEqual([]);
  await answer();
  await answer();
  await saver.finish();
  expect(saved).toEqual([1, 4]);
  expect(told).toEqual([1, 4]);
});

it('goes on while the store is away, and saves the newest when it is back', async () => {
  const { saver, told, answer } = slowStore();
  await saver.save(checkpoint(1));
  await answer(away());
  await saver.save(checkpoint(2));
  await answer(away());
  const finished = saver.finish();
  await answer();
  await finished;
  expect(told).toEqual([2]);
});

it('throws storage-unavailable at the end if the last checkpoint could not be saved', async () => {
  const { saver, answer } = slowStore();
  await saver.save(checkpoint(1));
  await answer(away());
  await expect(saver.finish({ patience: 0 })).rejects.toMatchObject({ code: 'storage-unavailable' });
});

it('ends a training that was overtaken by another attempt', async () => {
  const { saver, answer } = slowStore();
  await saver.save(checkpoint(1));
  await answer(new FencedError(1, 2));
  await expect(saver.save(checkpoint(2))).rejects.toThrow(FencedError);
  // also between two checkpoints
  await expect(saver.advance()).rejects.toThrow(FencedError);
  await expect(saver.finish()).rejects.toThrow(FencedError);
});

it('waits for a small checkpoint on a local disk, and not for a large one', async () => {
  const small = slowStore({ isRemote: false });
  const waited = small.saver.save(checkpoint(1));
  const failed = small.answer(new HourglassError('storage-full', 'full'));
  await expect(waited).rejects.toMatchObject({ code: 'storage-full' });
  await failed;

  const large = slowStore({ isRemote: false });
  await large.saver.save({ ...checkpoint(1), moments: { m: zeros('float32', [(4 << 20) + 1]) } });
  expect(large.saved).toEqual([]);
  await large.answer();
  await large.saver.finish();
  expect(large.saved).toEqual([1]);
});
