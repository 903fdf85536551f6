// The golden pictures become the same rows everywhere: decoded by sharp as on the server, and by a real Chromium as on a phone.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { rolldown } from 'rolldown';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeImage } from '../../src/data/image.ts';
import { currentPreprocessing, type Fit, type PictureShape } from '../../src/picture/preprocessing.ts';
import { rowOfPixels } from '../../src/sdk/picture.ts';
import { chromiumPath, startBrowser, type TestBrowser } from '../helpers/browser.ts';

const folder = path.resolve(import.meta.dirname, 'golden');
const names = readdirSync(folder).filter((name) => /\.(png|jpg|webp)$/.test(name));
const bytesOf = (name: string): Buffer => readFileSync(path.join(folder, name));

const gray28: PictureShape = { height: 28, width: 28, channels: 1 };
const cases: readonly { shape: PictureShape; fit: Fit }[] = [
  ...(['crop', 'pad', 'squeeze'] as const).map((fit) => ({ shape: gray28, fit })),
  { shape: { height: 20, width: 32, channels: 3 }, fit: 'crop' },
  { shape: { height: 40, width: 40, channels: 4 }, fit: 'crop' },
];
const factsOf = ({ height, width, channels }: PictureShape, fit: Fit) => ({
  inputShape: [height, width, channels],
  inputRange: [0, 255] as const,
  preprocessing: { ...currentPreprocessing, fit },
});
const onServer = (name: string, shape: PictureShape, fit: Fit): Promise<Uint8Array> =>
  decodeImage(bytesOf(name), {
    shape,
    resize: true,
    maxPixels: 2 ** 24,
    preprocessing: { ...currentPreprocessing, fit },
  });

/** Colours count by how visible they are: a canvas keeps them multiplied by alpha, so that it rounds those of faint pixels. */
function visible(row: readonly number[], channels: number): number[] {
  if (channels !== 4) return [...row];
  return row.map((value, i) => (i % 4 === 3 ? value : (value * (row[i - (i % 4) + 3] as number)) / 255));
}

function greatestDifference(a: ArrayLike<number>, b: ArrayLike<number>, channels: number): number {
  expect(a.length).toBe(b.length);
  const [left, right] = [visible(Array.from(a), channels), visible(Array.from(b), channels)];
  return Math.max(...left.map((value, i) => Math.abs(value - (right[i] as number))));
}

describe.each(cases)('golden pictures as $shape.height × $shape.width × $shape.channels, $fit', ({ shape, fit }) => {
  it.each(names)('%s: the SDK in Node makes the server’s row exactly', async (name) => {
    const { data, info } = await sharp(bytesOf(name))
      .autoOrient()
      .toColourspace('srgb')
      .ensureAlpha()
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    const pixels = { width: info.width, height: info.height, data: new Uint8ClampedArray(data) };
    const row = rowOfPixels(pixels, factsOf(shape, fit));
    expect(Array.from(row)).toEqual(Array.from(await onServer(name, shape, fit)));
  });
});

describe.skipIf(!chromiumPath)('golden pictures in Chromium', () => {
  let browser: TestBrowser;
  let rowsOf: (name: string) => Promise<number[][]>;
  beforeAll(async () => {
    const bundle = await rolldown({
      input: path.resolve(import.meta.dirname, '../../src/sdk/picture.ts'),
      platform: 'browser',
    });
    const { output } = await bundle.generate({ format: 'iife', name: 'pictures' });
    await bundle.close();
    browser = await startBrowser();
    const page = await browser.context.newPage();
    await page.addScriptTag({ content: output[0].code });
    const facts = JSON.stringify(cases.map(({ shape, fit }) => factsOf(shape, fit)));
    rowsOf = (name) =>
      page.evaluate(`(async () => {
        const bytes = Uint8Array.from(atob('${bytesOf(name).toString('base64')}'), (c) => c.charCodeAt(0));
        const picture = await createImageBitmap(new Blob([bytes]));
        const canvas = new OffscreenCanvas(picture.width, picture.height);
        const context = canvas.getContext('2d', { willReadFrequently: true });
        context.drawImage(picture, 0, 0);
        const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
        return ${facts}.map((facts) => Array.from(pictures.rowOfPixels(pixels, facts)));
      })()`);
  }, 60_000);
  afterAll(() => browser?.close());

  it.each(names)('%s: within one grey level of the server', async (name) => {
    const rows = await rowsOf(name);
    for (const [i, { shape, fit }] of cases.entries()) {
      const server = await onServer(name, shape, fit);
      expect(greatestDifference(rows[i] ?? [], server, shape.channels), `${fit} ${shape.channels}`).toBeLessThanOrEqual(
        shape.channels === 4 ? 1.5 : 1,
      );
    }
  });
});
