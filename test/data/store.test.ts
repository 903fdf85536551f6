// The store on a real folder, with imports in their real thread.
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { DatasetStore, UploadPart } from '../../src/data/dataset.ts';
import { createDatasetStore, type DatasetStoreOptions } from '../../src/data/store.ts';
import { FolderDatasets } from '../../src/store/folder/datasets.ts';
import { diskError } from '../../src/store/folder/disk.ts';
import { bytesOf, floats, idx, npy } from './arrays.ts';
import { refusal } from './importing.ts';

let folder: string;
let store: DatasetStore;
const open = (options: Partial<DatasetStoreOptions> = {}) =>
  createDatasetStore({ files: new FolderDatasets(folder), packageFolder: () => undefined, ...options });

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'hourglass-datasets-'));
  store = open();
});
afterEach(() => rmSync(folder, { recursive: true }));

async function* chunks(bytes: Uint8Array | string, size = 7): AsyncGenerator<Uint8Array> {
  const all = Buffer.from(bytes);
  for (let at = 0; at < all.length; at += size) yield all.subarray(at, at + size);
}
const part = (content: Uint8Array | string, role: UploadPart['role'] = 'rows', fileName?: string): UploadPart => ({
  role,
  content: chunks(content),
  ...(fileName && { fileName }),
});
const table = (rows: number) =>
  npy({ shape: [rows, 2] }, bytesOf(Float32Array.from({ length: 2 * rows }, (_, i) => i / 2)));
const add = (name: string, rows = 20) => store.create(name, { parts: [part(table(rows))] });

describe('diskError', () => {
  it.skipIf(!existsSync('/dev/full'))('makes a full disk a fault that a client can act on', async () => {
    const full = await writeFile('/dev/full', 'x').catch((thrown: unknown) => thrown);
    expect(diskError(full)).toMatchObject({ code: 'storage-full' });
    const other = new Error('other');
    expect(diskError(other)).toBe(other);
  });
});

describe('DatasetStore', () => {
  it('adds, lists, describes, reads and deletes', async () => {
    const info = await add('points');
    expect(info).toMatchObject({
      name: 'points',
      shape: [2],
      range: [0, 19.5],
      rows: { train: 18, test: 2 },
      builtIn: false,
    });
    expect(info.hash).toMatch(/^[0-9a-f]{64}$/);
    expect(await store.info('points')).toEqual(info);
    expect(await open().list()).toEqual([info]);
    const dataset = await store.open('points');
    const train = new Float32Array(36);
    const test = new Float32Array(4);
    await dataset.split('train').readRange(0, 18, train);
    await dataset.split('test').readRows([1, 0], test);
    expect(await dataset.split('train').labels()).toBeUndefined();
    expect([...train, ...test].sort((a, b) => a - b)).toEqual(Array.from({ length: 40 }, (_, i) => i / 2));
    await store.delete('points');
    await dataset.split('test').readRange(0, 1, test);
    await dataset.close();
    await refusal(store.open('points'), 'dataset-not-found');
    await refusal(store.delete('points'), 'dataset-not-found');
    expect(readdirSync(folder)).toEqual([]);
  });

  it('gives equal content an equal hash, whatever it is called', async () => {
    const first = await add('a');
    expect((await add('b')).hash).toBe(first.hash);
    expect((await add('c', 21)).hash).not.toBe(first.hash);
    const seeded = await store.create('d', { parts: [part(table(20))], options: { seed: 5 } });
    expect(seeded.hash).not.toBe(first.hash);
  });

  it('takes labels and test rows as further parts, in any order', async () => {
    const pixels = (rows: number) =>
      idx(
        8,
        [rows, 2, 2],
        new Uint8Array(rows * 4).map((_, i) => i * 9),
      );
    const labels = (...values: number[]) => idx(8, [values.length], Uint8Array.from(values));
    const parts = [
      part(labels(1), 'test-labels'),
      part(pixels(1), 'test-rows'),
      part(labels(0, 1, 0), 'labels'),
      part(pixels(3)),
    ];
    const info = await store.create('set', { parts });
    expect(info).toMatchObject({ shape: [2, 2, 1], classes: 2, classNames: ['0', '1'], rows: { train: 3, test: 1 } });
    const dataset = await store.open('set');
    expect(await dataset.split('train').labels()).toEqual(Int32Array.of(0, 1, 0));
    await dataset.close();
    const lacks: UploadPart[][] = [
      [part(labels(1), 'labels')],
      [part(pixels(1)), part(pixels(1))],
      [part(pixels(1)), part(pixels(1), 'test-rows'), part(labels(1), 'labels')],
      [part(pixels(1)), part(labels(1), 'test-labels')],
      [],
    ];
    for (const parts of lacks) await refusal(store.create('other', { parts }), 'invalid-request');
  });

  it('leaves nothing behind when an upload is refused, too large, cancelled or broken off', async () => {
    await refusal(
      store.create('x', { parts: [part(npy({ shape: [2] }, floats(1, Number.NaN)), 'rows', 'x.npy')] }),
      'non-finite',
    );
    await refusal(open({ limits: { uploadBytes: 50 } }).create('x', { parts: [part(table(9))] }), 'payload-too-large');
    const broken = async function* () {
      yield Uint8Array.of(1);
      throw new Error('connection lost');
    };
    await expect(store.create('x', { parts: [{ role: 'rows', content: broken() }] })).rejects.toThrow(
      'connection lost',
    );
    const early = new AbortController();
    early.abort();
    await refusal(store.create('x', { parts: [part(table(9))], signal: early.signal }), 'cancelled');
    const late = new AbortController();
    const endless = async function* () {
      for (let i = 0; i < 300; i++) yield Buffer.from('1,2,3,4\n'.repeat(20_000));
      setTimeout(() => late.abort(), 20);
    };
    await refusal(
      store.create('x', { parts: [{ role: 'rows', content: endless() }], signal: late.signal }),
      'cancelled',
    );
    expect(readdirSync(folder)).toEqual([]);
  });

  it('names the file and keeps paths out of messages', async () => {
    const error = await refusal(
      store.create('x', { parts: [part('a,b\n1,?\n', 'rows', 'my.csv')] }),
      'invalid-dataset',
    );
    expect(error.message).toContain('rows (my.csv): row 0, column 1 (b)');
    expect(JSON.stringify([error.message, error.facts])).not.toContain(tmpdir());
  });

  it('takes one of several uploads of a name', async () => {
    const results = await Promise.allSettled([
      add('same'),
      add('same', 30),
      open().create('same', { parts: [part(table(40))] }),
    ]);
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const result of results)
      if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'dataset-exists' });
    await refusal(add('same'), 'dataset-exists');
    expect(readdirSync(folder)).toEqual(['same']);
  });

  it('refuses names that are none', async () => {
    for (const name of ['', '..', 'a/b', '.x', 'A', '../../etc', 'x'.repeat(64)]) {
      await refusal(add(name), 'invalid-request');
      await refusal(store.info(name), 'dataset-not-found');
      await refusal(store.delete(name), 'dataset-not-found');
    }
  });

  it('removes what crashed processes left, but not the work of living ones', async () => {
    for (const name of ['.unfinished-1-old', '.unfinished-2-new']) mkdirSync(path.join(folder, name));
    const longAgo = Date.now() / 1000 - 48 * 3600;
    utimesSync(path.join(folder, '.unfinished-1-old'), longAgo, longAgo);
    await add('points');
    expect(readdirSync(folder).sort()).toEqual(['.unfinished-2-new', 'points']);
    expect((await store.list()).map(({ name }) => name)).toEqual(['points']);
  });

  it('notices damage', async () => {
    await add('points');
    const file = (name: string) => path.join(folder, 'points', name);
    const bytes = readFileSync(file('train.rows'));
    bytes[5]! ^= 1;
    writeFileSync(file('train.rows'), bytes);
    const dataset = await store.open('points');
    await refusal(dataset.split('train').readRange(0, 1, new Float32Array(2)), 'dataset-corrupt');
    await dataset.close();
    truncateSync(file('train.rows'), bytes.length - 1);
    await refusal(store.open('points'), 'dataset-corrupt');
    const manifest = readFileSync(file('manifest.json'), 'utf8');
    writeFileSync(file('manifest.json'), manifest.replace('"divisor": 1', '"divisor": 255'));
    await refusal(store.info('points'), 'dataset-corrupt');
    writeFileSync(file('manifest.json'), manifest.replace('"schema": 1', '"schema": 9'));
    await refusal(store.info('points'), 'unsupported-schema');
    writeFileSync(file('manifest.json'), '{"schema": 1');
    await refusal(store.info('points'), 'dataset-corrupt');
    expect(await store.list()).toEqual([]);
    await store.delete('points');
  });

  it('reads the same from memory and from the file', async () => {
    await add('points', 3000);
    const splits = [];
    for (const cacheBytes of [0, 1e9]) {
      const dataset = await open({ cacheBytes }).open('points');
      const split = dataset.split('train');
      expect(split.inMemory).toBe(cacheBytes > 0);
      const range = new Float32Array(2 * 1000);
      await split.readRange(500, 1500, range);
      const rows = new Float32Array(6);
      await split.readRows(Uint32Array.of(2699, 0, 7), rows);
      splits.push([...range, ...rows]);
      await expect(split.readRange(0, 2701, range)).rejects.toThrow('2700 rows');
      await expect(split.readRows([2700], rows)).rejects.toThrow('2700 rows');
      await dataset.close();
    }
    expect(splits[0]).toEqual(splits[1]);
  });

  it('keeps a split in memory by its own size, as the shuffle judges it, not by that of the whole set', async () => {
    await add('points', 3000);
    // 2,700 training rows and 300 test rows of two float32
    const dataset = await open({ cacheBytes: 2700 * 8 }).open('points');
    expect([dataset.split('train').inMemory, dataset.split('test').inMemory]).toEqual([true, true]);
    await dataset.close();
    const smaller = await open({ cacheBytes: 2700 * 8 - 1 }).open('points');
    expect([smaller.split('train').inMemory, smaller.split('test').inMemory]).toEqual([false, true]);
    await smaller.close();
  });
});
