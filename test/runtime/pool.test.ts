// The pool of model threads on real ONNX Runtime sessions: results, cancellation, eviction, dying threads, memory.
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ModelPool, type ModelSource, type PoolOptions } from '../../src/runtime/pool.ts';
import { irregular, type ModelFiles, scaling } from '../helpers/onnx-models.ts';

function openPool(options: Partial<PoolOptions> = {}): ModelPool {
  const pool = new ModelPool({ threads: 1, maxModels: 4, ...options });
  onTestFinished(() => pool.close());
  return pool;
}

interface CountedSource extends ModelSource {
  reads: number;
}

function sourceOf(key: string, files: ModelFiles): CountedSource {
  const parts = { encoder: files['encoder.onnx'], decoder: files['decoder.onnx'] };
  return {
    key,
    bytes: parts.encoder.length + parts.decoder.length,
    reads: 0,
    async read() {
      this.reads++;
      return parts;
    },
  };
}

const doubling = () => sourceOf('double@1', scaling(3, 2, 2));
const encode = (...values: number[]) => ({
  chain: ['encoder'],
  rows: values.length / 3,
  data: Float32Array.from(values),
});
const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'fulfilled',
    (error) => error.code ?? error,
  );

describe('running', () => {
  it('chains parts within the thread', async () => {
    const pool = openPool();
    const source = doubling();
    expect(await pool.load(source)).toEqual({
      encoder: { input: [3], output: [2] },
      decoder: { input: [2], output: [3] },
    });
    const z = await pool.run(source, encode(1, 2, 3, 4, 5, 6));
    expect([...z.data]).toEqual([2, 4, 8, 10]);
    expect(z.finite).toBe(true);
    expect(z.seconds).toBeGreaterThan(0);
    const both = await pool.run(source, { ...encode(1, 2, 3), chain: ['encoder', 'decoder'] });
    expect([...both.data]).toEqual([2, 4, 0]);
    expect(source.reads).toBe(1);
  });

  it('takes the input over instead of copying it', async () => {
    const pool = openPool();
    const request = encode(1, 2, 3);
    await pool.run(doubling(), request);
    expect(request.data.length).toBe(0);
  });

  // a client that sends such rows would otherwise take 180 times as much of an Intel processor
  it.runIf(process.arch === 'x64')('takes denormal numbers as zero, in every thread', async () => {
    const pool = openPool({ threads: 2 });
    const source = doubling();
    await pool.load(source);
    const runs = [0, 1, 2, 3].map(async () => {
      const { data } = await pool.run(source, encode(1e-40, -1e-44, 1));
      return [...new Uint32Array(data.buffer)].map((word) => word & 0x7fff_ffff);
    });
    for (const bits of await Promise.all(runs)) expect(bits).toEqual([0, 0]);
  });

  it('says when an answer is not finite', async () => {
    const pool = openPool();
    const source = doubling();
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, -3e38]) {
      expect((await pool.run(source, encode(1, bad, 3))).finite).toBe(false);
    }
    expect((await pool.run(source, encode(-0, 1.5e38, 1e-45))).finite).toBe(true);
  });

  it('uses every thread, and gives each run its own answer', async () => {
    const pool = openPool({ threads: 3 });
    const source = doubling();
    await pool.load(source);
    expect(source.reads).toBe(1);
    const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => pool.run(source, encode(i, i + 1, 0))));
    expect(answers.map(({ data }) => [...data])).toEqual(Array.from({ length: 100 }, (_, i) => [2 * i, 2 * i + 2]));
  });

  it('refuses what cannot be loaded, each time anew', async () => {
    const pool = openPool();
    const damaged = sourceOf('bad@1', { ...scaling(3, 2, 1), 'decoder.onnx': Buffer.from('not a model') });
    expect(await codeOf(pool.load(damaged))).toBe('model-corrupt');
    expect(await codeOf(pool.run(damaged, encode(1, 2, 3)))).toBe('model-corrupt');
    expect(await codeOf(pool.run(doubling(), encode(1, 2, 3)))).toBe('fulfilled');
  });
});

describe('a row', () => {
  // Serving merges rows of several requests; ONNX Runtime must give each row the same bits in any company.
  it.each([
    [784, 32, 1],
    [30, 3, 1],
    [100, 33, 2],
  ])('of %i → %i values gives the same bits alone and in any batch, %i thread(s)', async (input, code, threads) => {
    const pool = openPool({ session: { threads } });
    const source = sourceOf('irregular@1', irregular(input, code));
    const rows = Float32Array.from({ length: 300 * input }, (_, i) => Math.cos(i * 0.7));
    const run = async (start: number, count: number) => {
      const data = rows.slice(start * input, (start + count) * input);
      return Buffer.from((await pool.run(source, { chain: ['encoder', 'decoder'], rows: count, data })).data.buffer);
    };
    const all = await run(0, 300);
    expect(new Set(new Float32Array(all.buffer)).size).toBeGreaterThan(1000);
    for (const [start, count] of [
      ...[0, 7, 299].map((row) => [row, 1] as const),
      ...[2, 3, 4, 5, 6, 7, 8, 12, 15, 16, 17, 31, 64, 255, 256].map((n) => [300 - n - 3, n] as const),
    ]) {
      const expected = all.subarray(4 * start * input, 4 * (start + count) * input);
      expect(Buffer.compare(await run(start, count), expected), `${count} rows`).toBe(0);
    }
  });
});

describe('cancelling', () => {
  it('a run that waits never runs, and the others are not disturbed', async () => {
    const pool = openPool();
    const source = doubling();
    const abort = new AbortController();
    const reason = new Error('client gone');
    const first = pool.run(source, encode(1, 1, 1));
    const dropped = encode(2, 2, 2);
    const waiting = codeOf(pool.run(source, dropped, abort.signal));
    const last = pool.run(source, encode(3, 3, 3));
    abort.abort(reason);
    expect(await waiting).toBe(reason);
    expect(await codeOf(pool.run(source, encode(1, 1, 1), abort.signal))).toBe(reason);
    expect([...(await first).data, ...(await last).data]).toEqual([2, 2, 6, 6]);
    // what was sent to a thread would have been taken over
    expect(dropped.data.length).toBe(3);
  });
});

describe('memory', () => {
  it('is bounded by the number of models: the longest unused goes, and comes back when asked', async () => {
    const evicted: string[] = [];
    const pool = openPool({ maxModels: 2, onEvict: (key) => evicted.push(key) });
    const [a, b, c] = [1, 2, 3].map((factor) => sourceOf(`m@${factor}`, scaling(3, 2, factor)));
    await pool.load(a!);
    await pool.load(b!);
    await pool.run(a!, encode(1, 1, 1));
    await pool.load(c!);
    expect(evicted).toEqual(['m@2']);
    expect(pool.loaded).toBe(2);
    expect([...(await pool.run(b!, encode(1, 1, 1))).data]).toEqual([2, 2]);
    expect(evicted).toEqual(['m@2', 'm@1']);
    expect([a!.reads, b!.reads, c!.reads]).toEqual([1, 2, 1]);
  });

  it('is bounded by bytes', async () => {
    const [a, b] = [sourceOf('a', scaling(3, 2, 1)), sourceOf('b', scaling(3, 2, 1))];
    for (const [copies, loaded] of [
      [7, 1],
      [8, 2],
    ]) {
      const pool = openPool({ threads: 2, maxBytes: copies! * a.bytes });
      await pool.load(a);
      await pool.load(b);
      expect(pool.loaded).toBe(loaded);
    }
  });

  it('does not grow over 200 cycles of load, run and unload', async () => {
    const dir = mkdtempSync(path.join(os.tmpdir(), 'hourglass-unload-'));
    onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
    const file = path.join(dir, 'encoder.onnx');
    const model = irregular(1000, 500)['encoder.onnx'];
    writeFileSync(file, model);
    const script = path.join(import.meta.dirname, 'unload-cycles.mjs');
    const { stdout } = await promisify(execFile)(process.execPath, [script, file, '200', '1000']);
    const resident = JSON.parse(stdout) as number[];
    const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;
    const growth = mean(resident.slice(-20)) - mean(resident.slice(60, 80));
    // 120 cycles of a 2 MB model in two threads: a leak of one copy in ten would be 48 MB
    expect(resident.length).toBe(200);
    expect(growth).toBeLessThan(24 * model.length);
  });
});

describe('a model whose files come slowly', () => {
  it('does not hold up the others', async () => {
    const pool = openPool();
    let arrive = () => {};
    const arrived = new Promise<void>((resolve) => {
      arrive = resolve;
    });
    const slow = sourceOf('slow@1', scaling(3, 2, 5));
    const read = slow.read.bind(slow);
    const waiting = pool.run({ ...slow, read: () => arrived.then(read) }, encode(1, 1, 1));
    expect([...(await pool.run(doubling(), encode(1, 1, 1))).data]).toEqual([2, 2]);
    arrive();
    expect([...(await waiting).data]).toEqual([5, 5]);
  });
});

describe('a thread that dies', () => {
  it.each([666, 667])(
    'fails what it ran with a typed error; a fresh one goes on with the rest (%i)',
    async (deadly) => {
      const pool = openPool({ script: new URL('./crashing-thread.mjs', import.meta.url) });
      const source = doubling();
      const before = pool.run(source, encode(1, 1, 1));
      const killed = codeOf(pool.run(source, encode(deadly, 1, 1)));
      const after = pool.run(source, encode(3, 3, 3));
      expect([...(await before).data]).toEqual([2, 2]);
      expect(await killed).toBe('model-crashed');
      expect([...(await after).data]).toEqual([6, 6]);
      expect(source.reads).toBe(2);
      expect(await codeOf(pool.run(source, encode(deadly, 1, 1)))).toBe('model-crashed');
    },
  );

  it('at its start does not hang anyone', async () => {
    const pool = openPool({ script: new URL('./no-such-thread.mjs', import.meta.url) });
    expect(await codeOf(pool.run(doubling(), encode(1, 1, 1)))).toBe('model-crashed');
    expect(await codeOf(pool.load(doubling()))).toBe('model-crashed');
  });
});

describe('closing', () => {
  it('finishes what waits, refuses what comes, and ends the threads', async () => {
    const pool = openPool({ threads: 2 });
    const source = doubling();
    const waiting = Array.from({ length: 20 }, (_, i) => pool.run(source, encode(i, 0, 0)));
    const closed = pool.close();
    expect(await codeOf(pool.run(source, encode(1, 1, 1)))).toBe('shutting-down');
    expect((await Promise.all(waiting)).map(({ data }) => data[0])).toEqual(waiting.map((_, i) => 2 * i));
    await closed;
    await pool.close();
  });
});
