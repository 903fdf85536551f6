// The page for photographs in a real Chromium: it encodes a file at its own size, shows what the server decodes, and JPEG and WebP of as many
// bytes or as good beside it.
import type { Page } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { picture } from '../codec/picture/pictures.ts';
import { untrainedCodec } from '../codec/picture/untrained.ts';
import { startGateway, type TestGateway } from '../gateway/http/harness.ts';
import { chromiumPath, startBrowser, type TestBrowser } from '../helpers/browser.ts';

let gateway: TestGateway;
let browser: TestBrowser;
let page: Page;
const complaints: string[] = [];
const frames: Buffer[] = [];
const { data, ...size } = picture(80, 231, 150, 3);
const raw = { width: size.width, height: size.height, channels: 3 } as const;

beforeAll(async () => {
  if (!chromiumPath) return;
  gateway = await startGateway();
  browser = await startBrowser({ viewport: { width: 1200, height: 860 } });
  page = await browser.context.newPage();
  page.on('console', (message) => ['error', 'warning'].includes(message.type()) && complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('request', (request) => {
    if (request.url().endsWith('/decode')) frames.push(request.postDataBuffer() as Buffer);
  });
}, 120_000);
afterAll(async () => {
  await browser?.close();
  await gateway?.stop();
});

const text = async (id: string) => (await page.locator(`#${id}`).textContent()) ?? '';
/** Waits until what is chosen is shown. */
const shown = (left: string) => page.locator(`#flow[data-shown^="${left} "]`).waitFor();
const rowsOf = async (): Promise<{ name: string; bytes: number; psnr: number }[]> => {
  const rows = await page.locator('#files tr').all();
  return Promise.all(
    rows.map(async (row) => {
      const [name = '', bytes, , psnr] = await row.locator('td').allTextContents();
      return { name, bytes: Number(bytes), psnr: Number(psnr) };
    }),
  );
};
const pixelsOf = (id: string): Promise<number[]> =>
  page.evaluate(`(() => {
    const canvas = document.getElementById('${id}');
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    return Array.from(data).filter((_, i) => i % 4 < 3);
  })()`);

describe.skipIf(!chromiumPath)('the page for photographs', () => {
  it('says what to do where there is no codec', async () => {
    await page.goto(`http://127.0.0.1:${gateway.port}/photos`);
    await page.locator('#message').waitFor();
    expect(await text('message-code')).toContain('"type":"picture"');
  });

  it('sends a file at its own size as a frame, and shows what the server decodes', async () => {
    await gateway.registry.publish('photos', await untrainedCodec('photos', 3));
    await page.goto(`http://127.0.0.1:${gateway.port}/photos`);
    await page.locator('#flow').waitFor();
    const file = await sharp(data, { raw }).png().toBuffer();
    await page.locator('#file').setInputFiles({ name: 'a.png', mimeType: 'image/png', buffer: file });
    await shown('original');
    expect(await text('size')).toBe('231 × 150 pixels');
    expect(await pixelsOf('left-picture')).toEqual([...data]);
    const headers = { 'content-type': 'application/vnd.hourglass.frame', accept: 'image/png' };
    const answer = await gateway.rest.send('POST', '/decode', frames.at(-1) as Buffer, headers);
    expect(await pixelsOf('right-picture')).toEqual([...(await sharp(answer.bytes).raw().toBuffer())]);
    const [ours] = await rowsOf();
    expect(ours).toMatchObject({ name: 'photos@1', bytes: frames.at(-1)?.length });
    expect(ours?.psnr).toBeGreaterThan(25);
  });

  it('shows JPEG and WebP of no more bytes, and as good ones', async () => {
    for (const [type, name] of [
      ['image/webp', 'WebP'],
      ['image/jpeg', 'JPEG'],
    ] as const) {
      for (const by of ['bytes', 'psnr'] as const) {
        await page.locator('#left').selectOption(`${type} ${by}`);
        await shown(`${type} ${by}`);
        const [ours, other] = await rowsOf();
        expect(other?.name).toBe(name);
        if (by === 'bytes') expect(other?.bytes).toBeLessThanOrEqual(ours?.bytes ?? 0);
        else expect(other?.psnr).toBeGreaterThanOrEqual((ours?.psnr ?? 99) - 0.01);
      }
    }
  });

  it('takes more bytes for more quality, and divides and enlarges the view', async () => {
    const before = frames.at(-1)?.length ?? 0;
    await page.locator('#left').selectOption('original');
    await shown('original');
    const range = (id: string, value: string) =>
      page.evaluate(`(() => {
        const range = document.getElementById('${id}');
        range.value = '${value}';
        for (const type of ['input', 'change']) range.dispatchEvent(new Event(type));
      })()`);
    await range('quality', '13');
    await expect.poll(() => frames.at(-1)?.length, { timeout: 20_000 }).toBeGreaterThan(before);
    await shown('original');
    expect(await text('quality-label')).toBe('Quality 13');
    await range('split', '25');
    expect(await page.evaluate(`document.getElementById('left-picture').style.clipPath`)).toContain('75%');
    await page.locator('#zoom').selectOption('4');
    expect(await page.evaluate(`document.getElementById('right-picture').clientWidth`)).toBe(4 * 231);
    expect(complaints).toEqual([]);
  });
});
