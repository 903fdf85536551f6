// The files of data sets, one suite by factory for every store; what only a bucket has to do: shards, ranges, a machine's cache.
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type BucketRequest, type DatasetFiles, ShortFileError, type StoredRows } from '../../src/store/contract.ts';
import { FolderDatasets } from '../../src/store/folder/datasets.ts';
import { openStores } from '../../src/store/open.ts';
import { type BucketStores, openBucketStores } from '../../src/store/s3/open.ts';
import { s3Server, startBucket, type TestBucket } from '../helpers/s3.ts';
import { until } from '../queue/fixtures.ts';
import { bucketStores, emptyDisk } from './buckets.ts';

/** each returns a function that opens the same store again, as another machine would */
const factories: Readonly<Record<string, () => () => DatasetFiles | Promise<DatasetFiles>>> = {
  folder: () => {
    const folder = emptyDisk();
    return () => new FolderDatasets(folder);
  },
  ...(s3Server() && { bucket: bucketStores(({ datasets }) => datasets) }),
};

const manifest = Buffer.from('{"a":"manifest"}');

async function add(files: DatasetFiles, name: string, content: Readonly<Record<string, Uint8Array>>): Promise<boolean> {
  const { folder, remove } = await files.workspace();
  try {
    mkdirSync(path.join(folder, 'set'));
    for (const [file, bytes] of Object.entries(content)) writeFileSync(path.join(folder, 'set', file), bytes);
    return await files.add(name, path.join(folder, 'set'), manifest);
  } finally {
    await remove();
  }
}

/** Opens a file of a set; it is closed after the test. */
async function openFile(files: DatasetFiles, name: string, file = 'train.rows'): Promise<StoredRows> {
  const rows = await (await files.find(name))?.open(file);
  if (!rows) throw new Error(`there is no ${file} of ${name}`);
  onTestFinished(() => rows.close());
  return rows;
}

async function readAll(rows: StoredRows): Promise<Buffer> {
  const bytes = Buffer.alloc(rows.bytes);
  await rows.read(bytes, 0);
  return bytes;
}

describe.each(Object.entries(factories))('data sets in a %s', (_, factory) => {
  it('shows a set with all its files, and takes each name once', async () => {
    const open = factory();
    const [files, other] = [await open(), await open()];
    expect(await files.names()).toEqual([]);
    expect(await files.find('a')).toBeUndefined();
    expect(await add(files, 'b', { 'train.rows': Buffer.from('rows'), 'train.labels': Buffer.from('') })).toBe(true);
    expect(await add(files, 'a', { 'train.rows': Buffer.from('x') })).toBe(true);
    expect(await add(other, 'b', { 'train.rows': Buffer.from('others') })).toBe(false);
    expect(await other.names()).toEqual(['a', 'b']);
    const found = (await other.find('b'))!;
    expect(Buffer.from(found.manifest)).toEqual(manifest);
    const rows = await openFile(other, 'b');
    expect(rows.bytes).toBe(4);
    expect((await readAll(rows)).toString()).toBe('rows');
    expect((await openFile(other, 'b', 'train.labels')).bytes).toBe(0);
    expect(await found.open('test.rows')).toBeUndefined();
  });

  it('reads any place of a file, and refuses what is beyond its end', async () => {
    const files = await factory()();
    const content = randomBytes(40_000_000);
    await add(files, 'large', { 'train.rows': content });
    const rows = await openFile(files, 'large');
    for (const [position, length] of [
      ...[
        [0, 1],
        [content.length - 1, 1],
        [2 ** 20 - 1, 2],
        [16 * 2 ** 20 - 3, 7],
        [5_000_000, 3_000_000],
      ],
      ...Array.from({ length: 20 }, (_, i) => [(i * 7_777_777) % 39_000_000, 65_536 + i]),
    ] as [number, number][]) {
      const into = Buffer.alloc(length);
      await rows.read(into, position);
      expect(into.equals(content.subarray(position, position + length)), `${length} at ${position}`).toBe(true);
    }
    expect((await readAll(rows)).equals(content)).toBe(true);
    await expect(rows.read(Buffer.alloc(2), content.length - 1)).rejects.toThrow(ShortFileError);
    await rows.close();
  });

  it('removes a set; whoever has it open goes on reading, and the name is free again', async () => {
    const open = factory();
    const [files, other] = [await open(), await open()];
    await add(files, 'a', { 'train.rows': Buffer.from('old') });
    const rows = await openFile(other, 'a');
    expect(await files.remove('a')).toBe(true);
    expect(await files.remove('a')).toBe(false);
    expect(await other.find('a')).toBeUndefined();
    expect(await add(files, 'a', { 'train.rows': Buffer.from('new') })).toBe(true);
    expect((await readAll(rows)).toString()).toBe('old');
    expect((await readAll(await openFile(other, 'a'))).toString()).toBe('new');
  });

  it('leaves nothing in the workspace', async () => {
    const files = await factory()();
    const { folder, remove } = await files.workspace();
    writeFileSync(path.join(folder, 'x'), 'x');
    await remove();
    expect(readdirSync(path.dirname(folder))).toEqual([]);
  });
});

describe.skipIf(!s3Server())('a data set in a bucket', () => {
  let bucket: TestBucket;
  beforeAll(async () => {
    bucket = await startBucket();
  });
  afterAll(() => bucket?.stop());

  async function open(changes: Parameters<TestBucket['settings']>[1] = {}): Promise<BucketStores> {
    const stores = (await openStores(bucket.settings(emptyDisk(), changes))) as BucketStores;
    onTestFinished(() => stores.close());
    return stores;
  }

  it('is fetched once, then read from the cache of the machine, also by its other processes', async () => {
    const content = randomBytes(20 * 2 ** 20);
    await add((await open()).datasets, 'cached', { 'train.rows': content });
    const disk = emptyDisk();
    const [first, second] = await Promise.all([open({ dataDir: disk }), open({ dataDir: disk })]);
    const rows = await openFile(first.datasets, 'cached');
    expect((await readAll(rows)).equals(content)).toBe(true);
    const before = first.bucket.requests.get;
    expect((await readAll(rows)).equals(content)).toBe(true);
    expect(first.bucket.requests.get).toBe(before);
    const others = await openFile(second.datasets, 'cached');
    expect((await readAll(others)).equals(content)).toBe(true);
    // the record, and nothing of the content
    expect(second.bucket.requests.get).toBe(1);
  });

  it('is read whole by a machine whose cache holds a part of it, or nothing', async () => {
    const content = randomBytes(24 * 2 ** 20);
    await add((await open()).datasets, 'uncached', { 'train.rows': content });
    for (const cacheBytes of [5 * 2 ** 20, 1]) {
      const machine = await open({ cacheBytes });
      const rows = await openFile(machine.datasets, 'uncached');
      expect((await readAll(rows)).equals(content)).toBe(true);
      const small = Buffer.alloc(4096);
      for (let position = 0; position < content.length - 4096; position += 1_500_000) {
        await rows.read(small, position);
        expect(small.equals(content.subarray(position, position + 4096))).toBe(true);
      }
    }
  });

  it('is fetched ahead, many chunks with one request, once a part of it was read', async () => {
    const content = randomBytes(24 * 2 ** 20);
    await add((await open()).datasets, 'ahead', { 'train.rows': content });
    const disk = emptyDisk();
    const machine = await open({ dataDir: disk });
    const rows = await openFile(machine.datasets, 'ahead');
    const row = Buffer.alloc(1000);
    for (const chunk of [23, 3, 17, 9, 0, 12, 20, 6]) {
      await rows.read(row, chunk * 2 ** 20 + 5000);
      expect(row.equals(content.subarray(chunk * 2 ** 20 + 5000).subarray(0, 1000))).toBe(true);
    }
    const kept = () => readdirSync(path.join(disk, 'cache/store/files'), { recursive: true, withFileTypes: true });
    // all chunks and the index
    await until(() => kept().filter((entry) => entry.isFile() && !entry.name.includes('.')).length === 25);
    // the record, the index, the eight chunks, and what was missing between them: in six runs of four chunks
    expect(machine.bucket.requests.get).toBeLessThanOrEqual(2 + 8 + 6);
    expect((await readAll(rows)).equals(content)).toBe(true);
  });

  it('is read by a thread when it is large', async () => {
    const content = randomBytes(3 * 2 ** 20 + 17);
    const requests: BucketRequest[] = [];
    const { s3Endpoint } = bucket.settings(emptyDisk());
    const place = { bucket: 'test', prefix: 'thread/', endpoint: s3Endpoint ?? '', pathStyle: true };
    const machine = { cacheDir: emptyDisk(), cacheBytes: 2 ** 30, holdMs: 1000, threadFromBytes: 1 };
    const stores = openBucketStores({ ...place, ...machine }, (request) => requests.push(request));
    onTestFinished(() => stores.close());
    await add(stores.datasets, 'large', { 'train.rows': content });
    const rows = await openFile(stores.datasets, 'large');
    const own = stores.bucket.requests.get;
    const [all, ...parts] = await Promise.all([
      readAll(rows),
      ...[0, 2 ** 20 - 3, 3 * 2 ** 20].map(async (position) => {
        const part = Buffer.alloc(17);
        await rows.read(part, position);
        return part.equals(content.subarray(position, position + 17));
      }),
    ]);
    expect(all?.equals(content)).toBe(true);
    expect(parts).toEqual([true, true, true]);
    // Not asked for by this thread, but told to it.
    expect(stores.bucket.requests.get).toBe(own);
    await until(() => requests.filter(({ operation }) => operation === 'get').length === own + 4);
    expect(requests.reduce((sum, { operation, bytes }) => sum + (operation === 'get' ? bytes : 0), 0)).toBeGreaterThan(
      content.length,
    );
    await expect(rows.read(Buffer.alloc(18), 3 * 2 ** 20)).rejects.toThrow(ShortFileError);
  });

  it('stays while a job that began before its deletion has files, and is collected afterwards', async () => {
    const stores = await open({ store: 's3://test/collected' });
    await add(stores.datasets, 'gone', { 'train.rows': randomBytes(2_000_000) });
    await add(stores.datasets, 'stays', { 'train.rows': randomBytes(1_000_000) });
    await stores.jobs.begin('job', 1);
    await stores.datasets.remove('gone');
    // An object that nobody ever pointed to, as of a publication that was not finished.
    const stage = await stores.versions.stage();
    await stage.write('weights', randomBytes(100_000));
    // Everything is three hours old, and the job a little older than the deletion.
    const old = bucket.ageAll('collected');
    const state = JSON.parse(Buffer.from((await stores.bucket.get('jobs/job/state'))!.bytes).toString()) as object;
    const began = Date.now() - 4 * 3600_000;
    await stores.bucket.put('jobs/job/state', Buffer.from(JSON.stringify({ ...state, began })));
    const objects = () => old.count('objects');
    expect(objects()).toBe(5);
    expect(await stores.collect(0)).toMatchObject({ deleted: 1, bytes: 100_000 });
    await stores.jobs.forget('job');
    expect((await stores.collect(0)).deleted).toBe(2);
    expect(objects()).toBe(2);
    const rows = await openFile((await open({ store: 's3://test/collected' })).datasets, 'stays');
    expect((await readAll(rows)).length).toBe(1_000_000);
  });

  it('is collected by the command, which says what it deleted', async () => {
    const store = 's3://test/command';
    const stage = await (await open({ store })).versions.stage();
    await stage.write('weights', randomBytes(100_000));
    bucket.ageAll('command');
    const environment = { ...bucket.environment, HOURGLASS_STORE: store, HOURGLASS_DATA_DIR: emptyDisk() };
    const program = path.resolve(import.meta.dirname, '../../dist/main.js');
    const collect = async (grace: string): Promise<string> => {
      const env = { PATH: process.env.PATH, ...environment, HOURGLASS_COLLECT_GRACE: grace };
      return (await promisify(execFile)(process.execPath, [program, 'collect'], { env })).stdout;
    };
    expect(await collect('2h')).toBe('deleted 1 objects, 100000 bytes\n');
  });

  it('says that it is cut when its objects are gone', async () => {
    const store = 's3://test/lost';
    await add((await open({ store })).datasets, 'lost', { 'train.rows': randomBytes(3_000_000) });
    const rows = await openFile((await open({ store })).datasets, 'lost');
    rmSync(path.join(bucket.folder, '..', 'lost', 'objects'), { recursive: true });
    await expect(readAll(rows)).rejects.toThrow(ShortFileError);
  });
});
