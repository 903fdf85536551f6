// One suite for every store of blobs, by factory.
import { readdirSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { BlobStore } from '../../src/store/contract.ts';
import { FolderBlobs } from '../../src/store/folder/blobs.ts';
import { s3Server } from '../helpers/s3.ts';
import { tempRoot } from '../registry/publications.ts';
import { bucketStores } from './buckets.ts';

/** each returns a function that opens the same store again, as another process would */
const factories: Readonly<Record<string, () => () => Promise<BlobStore>>> = {
  folder: () => {
    const root = tempRoot();
    return () => FolderBlobs.open(root);
  },
  ...(s3Server() && { bucket: bucketStores(({ versions }) => versions) }),
};

const bytes = (text: string) => Buffer.from(text);

describe.each(Object.entries(factories))('%s', (_, factory) => {
  async function committed(store: BlobStore, folder: string, group: string, text: string): Promise<boolean> {
    const stage = await store.stage();
    await stage.write('a', bytes(text));
    const done = await stage.commit(folder, group);
    await stage.discard();
    return done;
  }

  it('shows a group when it is committed, and not before', async () => {
    const open = factory();
    const [store, other] = [await open(), await open()];
    const stage = await store.stage();
    expect(await stage.write('a', bytes('first'))).toEqual({
      path: 'a',
      bytes: 5,
      sha256: 'a7937b64b8caa58f03721bb6bacf5c78cb235febe0e70b1b84cd99541461a08e',
    });
    await stage.write('b', bytes('second'));
    await stage.write('a', bytes('replaced'));
    expect((await other.list('m')).groups).toEqual([]);
    expect(await other.folders()).toEqual([]);
    expect(await stage.commit('m', '1')).toBe(true);
    await stage.discard();
    await other.refresh('m');
    expect((await other.list('m')).groups).toEqual(['1']);
    expect(await other.folders()).toEqual(['m']);
    expect(Buffer.from((await other.read('m', '1', 'a'))!).toString()).toBe('replaced');
    expect(Buffer.from((await other.read('m', '1', 'b'))!).toString()).toBe('second');
  });

  it('copies a file into a group', async () => {
    const store = await factory()();
    const file = path.join(tempRoot(), 'weights');
    const content = Buffer.alloc(3_000_000, 'weights!');
    writeFileSync(file, content);
    const stage = await store.stage();
    const fromFile = await stage.write('w', { file });
    expect(fromFile).toEqual({ ...(await stage.write('v', content)), path: 'w' });
    await stage.commit('m', '1');
    expect(Buffer.compare((await store.read('m', '1', 'w'))!, content)).toBe(0);
  });

  it('never replaces a group, and lets the loser go on to another', async () => {
    const store = await factory()();
    expect(await committed(store, 'm', '1', 'old')).toBe(true);
    const stage = await store.stage();
    await stage.write('a', bytes('new'));
    expect(await stage.commit('m', '1')).toBe(false);
    expect(Buffer.from((await store.read('m', '1', 'a'))!).toString()).toBe('old');
    expect(await stage.commit('m', '2')).toBe(true);
    expect(Buffer.from((await store.read('m', '2', 'a'))!).toString()).toBe('new');
  });

  it('keeps the key of a pruned group taken', async () => {
    const store = await factory()();
    const stage = await store.stage();
    await stage.write('a', bytes('keep'));
    await stage.write('b', bytes('drop'));
    await stage.commit('m', '1');
    await store.prune('m', '1', ['a']);
    expect(await store.read('m', '1', 'b')).toBeUndefined();
    expect(await store.read('m', '1', 'a')).toBeDefined();
    expect(await committed(store, 'm', '1', 'again')).toBe(false);
  });

  it('replaces and deletes notes', async () => {
    const open = factory();
    const [store, other] = [await open(), await open()];
    await committed(store, 'm', '1', 'x');
    await store.setNote('m', 'alias.stable', '1');
    await store.setNote('m', 'alias.stable', '2');
    await store.setNote('m', 'empty', '');
    await other.refresh('m');
    expect([...(await other.list('m')).notes].sort()).toEqual(['alias.stable', 'empty']);
    expect(await other.readNote('m', 'alias.stable')).toBe('2');
    expect(await other.readNote('m', 'empty')).toBe('');
    expect(await other.readNote('m', 'none')).toBeUndefined();
    expect(await store.setNote('m', 'alias.stable', '3', '1')).toBe(false);
    expect(await store.setNote('m', 'alias.stable', '3', '2')).toBe(true);
    expect(await store.setNote('m', 'none', '1', '1')).toBe(false);
    expect(await store.deleteNote('m', 'alias.stable', '2')).toBe(false);
    expect(await store.deleteNote('m', 'empty')).toBe(true);
    expect(await store.deleteNote('m', 'empty')).toBe(false);
    await other.refresh('m');
    expect(await other.readNote('m', 'alias.stable')).toBe('3');
    expect((await other.list('m')).notes).toEqual(['alias.stable']);
  });

  it('has nothing where nothing was put', async () => {
    const store = await factory()();
    expect((await store.list('m')).groups).toEqual([]);
    expect(await store.read('m', '1', 'a')).toBeUndefined();
    await store.deleteNote('m', 'x');
    expect(await store.folders()).toEqual([]);
  });

  it.each(['..', '.', '', 'a/b', '/a', 'a\0', '.hidden'])('refuses the key %j', async (key) => {
    const store = await factory()();
    await expect(store.read(key, '1', 'a')).rejects.toThrow(TypeError);
    await expect(store.read('m', '1', key)).rejects.toThrow(TypeError);
    const stage = await store.stage();
    await expect(stage.write(key, bytes('x'))).rejects.toThrow(TypeError);
    await stage.discard();
  });

  it('changes its stamp with every change, however quick', async () => {
    const open = factory();
    const [store, other] = [await open(), await open()];
    const changes = [
      () => committed(store, 'm', '1', 'x'),
      () => store.setNote('m', 'n', '1'),
      () => store.setNote('m', 'n', '2'),
      () => store.deleteNote('m', 'n'),
      () => committed(store, 'm', '2', 'x'),
    ];
    for (const change of changes) {
      const before = await other.list('m');
      await change();
      await other.refresh('m');
      const unseen = before.stamp !== undefined && before.stamp === (await other.stamp('m'));
      expect(unseen).toBe(false);
    }
  });

  it('has one winner of many that commit the same group', async () => {
    const open = factory();
    const stores = await Promise.all(Array.from({ length: 8 }, open));
    const won = await Promise.all(stores.map((store, i) => committed(store, 'm', '1', `by ${i}`)));
    expect(won.filter(Boolean)).toHaveLength(1);
    const text = Buffer.from((await (await open()).read('m', '1', 'a'))!).toString();
    expect(text).toBe(`by ${won.indexOf(true)}`);
  });
});

describe('folder', () => {
  it('sweeps what was staged long ago, and leaves what is new', async () => {
    const store = await FolderBlobs.open(tempRoot());
    const stage = await store.stage();
    await stage.write('a', bytes('left by a crash'));
    expect(await store.sweep(60_000)).toBe(0);
    await sleep(20);
    expect(await store.sweep(10)).toBe(1);
    const next = await store.stage();
    await next.write('a', bytes('x'));
    expect(await next.commit('m', '1')).toBe(true);
    await sleep(20);
    expect(await store.sweep(10)).toBe(0);
    expect((await store.list('m')).groups).toEqual(['1']);
  });

  it('promises a stamp only for a directory that has been still', async () => {
    const root = tempRoot();
    const store = await FolderBlobs.open(root);
    const stage = await store.stage();
    await stage.write('a', bytes('x'));
    await stage.commit('m', '1');
    expect((await store.list('m')).stamp).toBeUndefined();
    const past = new Date(Date.now() - 10_000);
    utimesSync(path.join(root, 'models', 'm'), past, past);
    const { stamp } = await store.list('m');
    expect(stamp).toBe(await store.stamp('m'));
    expect(stamp).toBeDefined();
  });

  it('leaves nothing staged', async () => {
    const root = tempRoot();
    const store = await FolderBlobs.open(root);
    const stage = await store.stage();
    await stage.write('a', bytes('x'));
    await stage.discard();
    await store.setNote('m', 'n', 'x').catch(() => {});
    expect(readdirSync(path.join(root, 'staging'))).toEqual([]);
  });
});
