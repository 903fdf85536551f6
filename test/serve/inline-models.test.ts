// Small models on the event loop: the same answers as from a thread, and never of a version that is not meant any more.
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { defaultCaller } from '../../src/base/caller.ts';
import type { HourglassError } from '../../src/base/errors.ts';
import { turnClock } from '../../src/platform/turn-clock.ts';
import { Registry } from '../../src/registry/registry.ts';
import { FolderBlobs } from '../../src/store/folder/blobs.ts';
import { batch, failure, metaOf, type Serving, startServing, times } from './serving.ts';

const encode = async ({ predictor }: Serving, model: string, ...values: number[]) => {
  const { version, outputs } = await predictor.predict(defaultCaller, {
    ...{ operation: 'encode', model },
    inputs: batch(...values),
  });
  return { version, codes: [...outputs.data] };
};

/** Serves on the event loop only: every task that a thread gets after loading fails the test. */
async function startInline(): Promise<Serving & { threadRuns: () => number }> {
  const serving = await startServing({ config: { inlineModels: true } });
  const { pool } = serving;
  const run = pool.run.bind(pool);
  let runs = 0;
  pool.run = (...given) => {
    runs++;
    return run(...given);
  };
  return { ...serving, threadRuns: () => runs };
}

describe('a small model', () => {
  it('is run without a thread once it is loaded, with the same answers', async () => {
    const serving = await startInline();
    await serving.publish('digits', times(0.1));
    const first = await encode(serving, 'digits', 1, 2, 3, 4);
    const before = serving.threadRuns();
    const again = await encode(serving, 'digits', 1, 2, 3, 4);
    expect(serving.threadRuns()).toBe(before);
    expect(again).toEqual(first);
    const many = await Promise.all([1, 2, 3].map((value) => encode(serving, 'digits', value, 0, 0, 0)));
    expect(many.map(({ codes }) => codes)).toEqual(
      [1, 2, 3].map((value) => [Math.fround(Math.fround(0.1) * value), 0]),
    );
  });

  it('is looked up once in a while, also by whoever resolves it before it sends rows', async () => {
    const serving = await startInline();
    await serving.publish('digits', times(1));
    await encode(serving, 'digits', 1, 2, 3, 4);
    const clock = vi.spyOn(performance, 'now').mockReturnValue(performance.now() + 1000);
    const look = vi.spyOn(serving.registry, 'resolve');
    try {
      for (let i = 0; i < 5; i++) {
        const { model, version } = await serving.predictor.resolve(defaultCaller, 'encode', 'digits');
        await encode(serving, `${model}@${version}`, i, 2, 3, 4);
      }
      expect(look).toHaveBeenCalledTimes(1);
    } finally {
      clock.mockRestore();
    }
  });

  it('still refuses wrong rows, other operations and nonsense', async () => {
    const serving = await startInline();
    await serving.publish('digits', times(1), { operations: ['encode'] });
    await encode(serving, 'digits', 1, 2, 3, 4);
    const ask = async (operation: 'encode' | 'decode', ...values: number[]) =>
      (
        await failure(
          serving.predictor.predict(defaultCaller, { operation, model: 'digits', inputs: batch(...values) }),
        )
      ).code;
    expect(await ask('encode', 1, Number.NaN, 3, 4)).toBe('non-finite');
    expect(await ask('decode', 1, 2, 3, 4)).toBe('operation-not-supported');
    expect(await ask('encode')).toBe('empty-batch');
  });

  /** What became of so many requests of one turn of the event loop, which have waited for so long, and how often rows were made. */
  async function ofOneTurn(serving: Serving, count: number, waitedMs = 0) {
    // The version is looked at now, so that all can be run in this turn.
    await serving.predictor.resolve(defaultCaller, 'encode', 'digits');
    await encode(serving, 'digits', 1, 2, 3, 4);
    const rows = vi.fn(() => batch(1, 2, 3, 4));
    const asked = { operation: 'encode', model: 'digits', inputs: rows } as const;
    turnClock.resume(performance.now() - waitedMs);
    const ended = Array.from(
      { length: count },
      () =>
        new Promise<string>((resolve, reject) => {
          const receiver = { answered: () => resolve('answered'), failed: reject };
          if (!serving.predictor.predictInTurn(defaultCaller, asked, receiver)) resolve('left to threads');
        }),
    );
    turnClock.end();
    const codes = await Promise.all(ended.map((one) => one.catch((error: HourglassError) => error.code)));
    return { codes, made: rows.mock.calls.length };
  }

  it('refuses what is one too many before its rows are made', async () => {
    const serving = await startServing({ config: { inlineModels: true, maxInFlight: 2 } });
    await serving.publish('digits', times(1));
    await encode(serving, 'digits', 1, 2, 3, 4);
    expect(await ofOneTurn(serving, 4)).toEqual({
      codes: ['answered', 'answered', 'overloaded', 'overloaded'],
      made: 2,
    });
  });

  it('lets in as many as before when requests had waited for long before they came to it', async () => {
    const serving = await startServing({ config: { inlineModels: true } });
    await serving.publish('digits', times(1));
    await encode(serving, 'digits', 1, 2, 3, 4);
    for (let turn = 0; turn < 10; turn++) {
      await ofOneTurn(serving, 8, 1000);
      await sleep(30);
    }
    expect(new Set((await ofOneTurn(serving, 60)).codes)).toEqual(new Set(['answered']));
  });

  it('gives way at once to what this process publishes, names and deletes', async () => {
    const serving = await startInline();
    await serving.publish('digits', times(1));
    expect((await encode(serving, 'digits', 1, 2, 3, 4)).version).toBe(1);
    await serving.publish('digits', times(2));
    expect(await encode(serving, 'digits', 1, 2, 3, 4)).toEqual({ version: 2, codes: [2, 4] });
    await serving.registry.setAlias('digits', 'stable', 1);
    expect((await encode(serving, 'digits:stable', 1, 2, 3, 4)).version).toBe(1);
    await serving.registry.setAlias('digits', 'stable', 2);
    expect((await encode(serving, 'digits:stable', 1, 2, 3, 4)).version).toBe(2);
    await serving.registry.setAlias('digits', 'stable', 1);
    await serving.registry.deleteVersion('digits', 2);
    expect((await encode(serving, 'digits', 1, 2, 3, 4)).version).toBe(1);
    const gone = { operation: 'encode', model: 'digits@2', inputs: batch(1, 2, 3, 4) } as const;
    expect((await failure(serving.predictor.predict(defaultCaller, gone))).code).toBe('version-not-found');
  });

  it('gives way soon to what another process publishes', async () => {
    const serving = await startInline();
    await serving.publish('digits', times(1));
    await encode(serving, 'digits', 1, 2, 3, 4);
    const other = await Registry.open(await FolderBlobs.open(serving.root));
    await other.publish('digits', { files: { ...times(3) }, meta: metaOf('of-another-process') });
    await expect.poll(async () => (await encode(serving, 'digits', 1, 2, 3, 4)).version, { interval: 5 }).toBe(2);
  });

  it('is served by threads again when it had to make room, and comes back', async () => {
    const serving = await startServing({ config: { inlineModels: true }, pool: { maxModels: 1 } });
    for (const name of ['digits', 'faces']) await serving.publish(name, times(1));
    for (let i = 0; i < 3; i++) {
      for (const name of ['digits', 'faces']) {
        expect((await encode(serving, name, 1, 2, 3, 4)).codes).toEqual([1, 2]);
      }
    }
  });
});
