// The demo page in a real Chromium: it encodes on the client, sends the frame, and shows what the server decodes.
import { readFileSync } from 'node:fs';
import type { Page, Request } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { choicesOf, denoiserFor, type Version } from '../../src/demo/models.ts';
import { startGateway, type TestGateway } from '../gateway/http/harness.ts';
import { chromiumPath, startBrowser, type TestBrowser } from '../helpers/browser.ts';
import { metaOf } from '../serve/serving.ts';
import { dense, publishTrained, testDigits } from './trained.ts';

const frameType = 'application/vnd.hourglass.frame';
let gateway: TestGateway;
let browser: TestBrowser;
let page: Page;
const complaints: string[] = [];
const requests: Request[] = [];

beforeAll(async () => {
  if (!chromiumPath) return;
  gateway = await startGateway();
  await publishTrained(gateway.registry, 'letters', dense);
  browser = await startBrowser({ viewport: { width: 1200, height: 860 } });
  page = await browser.context.newPage();
  page.on('console', (message) => ['error', 'warning'].includes(message.type()) && complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('request', (request) => requests.push(request));
  await page.goto(`http://127.0.0.1:${gateway.port}/demo?model=letters`);
  await decoded();
}, 180_000);
afterAll(async () => {
  await browser?.close();
  await gateway?.stop();
});

/** Waits for the server's answer to what is shown. */
const decoded = () => page.locator('#flow[data-decoded]:not([data-decoded=""])').waitFor();
const sentFrames = () =>
  requests.filter((request) => request.url().endsWith('/decode')).map((request) => request.postDataBuffer() as Buffer);
/** Waits for as long as a busy machine may take. */
const eventually = <T>(look: () => T) => expect.poll(look, { timeout: 20_000 });
const text = async (id: string) => (await page.locator(`#${id}`).textContent()) ?? '';

/** Values 0 to 255 of a gray canvas. */
async function pixelsOf(id: string): Promise<number[]> {
  const code = `(() => {
    const canvas = document.getElementById('${id}');
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    return Array.from(data).filter((_, i) => i % 4 === 0);
  })()`;
  return page.evaluate(code);
}

async function draw(points: readonly (readonly [number, number])[]): Promise<void> {
  await page.locator('#pad').scrollIntoViewIfNeeded();
  const box = await page.locator('#pad').boundingBox();
  if (!box) throw new Error('there is no pad');
  for (const [i, [x, y]] of points.entries()) {
    await page.mouse.move(box.x + x * box.width, box.y + y * box.height, { steps: 4 });
    if (i === 0) await page.mouse.down();
  }
  await page.mouse.up();
}
const seven = [
  [0.25, 0.2],
  [0.75, 0.2],
  [0.4, 0.85],
] as const;

/** What the page shows is what the server says of the frame that it sent last. */
async function expectShown(): Promise<void> {
  await decoded();
  const frame = sentFrames().at(-1) as Buffer;
  const answer = await gateway.rest.send('POST', '/decode', frame, { 'content-type': frameType, accept: 'image/png' });
  expect(answer.headers.get('x-hourglass-model')).toBe('letters@1');
  const expected = await sharp(answer.bytes).extractChannel(0).raw().toBuffer();
  expect(await pixelsOf('decoded')).toEqual([...expected]);
  expect(Number(await text('wire-bytes'))).toBe(frame.length);
  expect(await page.locator('#frame span').allTextContents()).toEqual(
    [...frame].map((byte) => byte.toString(16).padStart(2, '0')),
  );
  // against a PNG file of the same picture, which sharp writes about as short
  const [, png = ''] = /^instead of (\d+) as a PNG file/.exec(await text('ratio')) ?? [];
  const x = Uint8Array.from(await pixelsOf('x'));
  const written = await sharp(x, { raw: { width: 28, height: 28, channels: 1 } })
    .toColourspace('b-w')
    .png({ compressionLevel: 9 })
    .toBuffer();
  expect(Math.abs(Number(png) - written.length)).toBeLessThan(60);
  expect(await text('ratio')).toContain(' times smaller');
}

describe.skipIf(!chromiumPath)('the demo page', () => {
  it('begins with an example, in a page that may load nothing from elsewhere', async () => {
    await expectShown();
    const answer = await gateway.rest.send('GET', '/demo');
    expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'; script-src 'self'");
    const etag = answer.headers.get('etag') ?? '';
    expect((await gateway.rest.send('GET', '/demo', undefined, { 'if-none-match': etag })).status).toBe(304);
    expect(new Set(requests.map((request) => new URL(request.url()).host))).toEqual(
      new Set([`127.0.0.1:${gateway.port}`]),
    );
  });

  it('encodes a drawing on the client, and shows what the server decodes from its bytes', async () => {
    const before = sentFrames().length;
    await page.locator('#clear').click();
    await eventually(() => text('ratio')).toBe('Nothing is drawn, so nothing is sent.');
    expect(await text('wire-bytes')).toBe('–');
    await draw(seven);
    await expectShown();
    expect(sentFrames().length).toBe(before + 1); // nothing for the empty pad
    const [x, back] = [await pixelsOf('x'), await pixelsOf('decoded')];
    expect(x.filter((value) => value > 128).length).toBeGreaterThan(40);
    const error = x.reduce((sum, value, i) => sum + (value - (back[i] as number)) ** 2, 0) / 784;
    const psnr = 10 * Math.log10(255 ** 2 / error);
    expect(psnr).toBeGreaterThan(9);
    expect(Number.parseFloat(await text('decoded-caption'))).toBeCloseTo(psnr, 0);
    expect(await text('receipt')).toContain('golden vectors agree');
    expect((await pixelsOf('denoised')).filter((value) => value > 128).length).toBeGreaterThan(20);
  });

  it('spends by quality or by bytes', async () => {
    const finest = Number(await text('wire-bytes'));
    await page.locator('#quality').fill('0');
    await expectShown();
    const coarsest = Number(await text('wire-bytes'));
    expect(coarsest).toBeLessThan(finest);
    await page.locator('#mode-bytes').check();
    await page.locator('#bytes').fill(String(finest - 1));
    await expectShown();
    expect(Number(await text('wire-bytes'))).toBeLessThan(finest);
    // the limit cannot be set below what the picture takes
    expect(Number(await page.locator('#bytes').getAttribute('min'))).toBe(coarsest);
    expect(Number(await page.locator('#bytes').getAttribute('max'))).toBe(finest);
    await page.locator('#bytes').fill(String(coarsest));
    await expectShown();
    expect(Number(await text('wire-bytes'))).toBe(coarsest);
    expect(await text('bytes-label')).toContain(`At most ${coarsest} bytes: quality `);
    await page.locator('#mode-quality').check();
    await page.locator('#quality').fill('7');
    await decoded();
  });

  it('encodes with weights of one byte as well', async () => {
    await page.locator('#weights').selectOption('int8');
    await eventually(() => text('receipt')).toContain('int8');
    await expectShown();
    await page.locator('#weights').selectOption('float32');
    await eventually(() => text('receipt')).toContain('float32');
    await decoded();
  });

  it('takes a picture of ink on paper from a file, and one from the camera', async () => {
    const svg =
      '<svg xmlns="http://www.w3.org/2000/svg" width="400" height="300"><rect width="400" height="300" fill="#e8e4da"/><path d="M150 70 L250 70 L190 230" fill="none" stroke="#223" stroke-width="22"/></svg>';
    const buffer = await sharp(Buffer.from(svg)).jpeg().toBuffer();
    await page.locator('#file').setInputFiles({ name: 'page.jpg', mimeType: 'image/jpeg', buffer });
    await eventually(() => page.locator('#invert').isChecked()).toBe(true);
    await expectShown();
    const x = await pixelsOf('x');
    expect(x[0]).toBe(0);
    expect(Math.max(...x)).toBeGreaterThan(200);
    await page.locator('#file').setInputFiles({ name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('no') });
    await eventually(() => text('status')).toContain('notes.txt is no picture');
    const before = sentFrames().length;
    await page.locator('#camera-button').click();
    await page.locator('#camera-take').click();
    await eventually(() => sentFrames().length).toBe(before + 1);
    await expectShown();
  });

  it('shows a test row of the data set as the model gets it', async () => {
    const digits = await testDigits(20);
    const facts = "{'descr': '|u1', 'fortran_order': False, 'shape': (20, 28, 28), }".padEnd(117);
    const npy = Buffer.concat([
      Buffer.from('\x93NUMPY\x01\x00v\x00', 'latin1'),
      Buffer.from(`${facts}\n`),
      Buffer.from(digits.map((value) => Math.round(255 * value))),
    ]);
    // the data set that the lineage of the models here names
    const options = encodeURIComponent('{"testFraction":0.5}');
    const octets = { 'content-type': 'application/octet-stream' };
    const made = await gateway.rest.send('POST', `/v1/datasets?name=none&options=${options}`, npy, octets);
    expect(made.status).toBe(201);
    const { rows } = (await gateway.rest.get('/v1/datasets/none/rows?split=test&limit=1')) as { rows: number[][] };
    const before = sentFrames().length;
    await page.locator('#test-row').click();
    await eventually(() => pixelsOf('x')).toEqual(rows[0]?.map((value) => Math.round(255 * value)));
    await eventually(() => sentFrames().length).toBeGreaterThan(before);
    await eventually(async () => Number(await text('wire-bytes'))).toBe(sentFrames().at(-1)?.length);
    await expectShown();
  });

  it('keeps a frame while offline, and sends it later', async () => {
    await page.locator('#clear').click();
    const before = sentFrames().length;
    await browser.context.setOffline(true);
    await draw(seven);
    await eventually(() => text('offline')).toContain('1 frame waits');
    expect(await page.evaluate(`JSON.parse(localStorage.getItem('hourglass-frames')).length`)).toBe(1);
    await browser.context.setOffline(false);
    await expectShown();
    await eventually(() => page.locator('#offline').isHidden()).toBe(true);
    expect(await page.evaluate(`JSON.parse(localStorage.getItem('hourglass-frames')).length`)).toBe(0);
    const sent = sentFrames().slice(before);
    expect(new Set(sent.map((frame) => frame.toString('hex'))).size).toBe(1);
    complaints.splice(
      0,
      complaints.length,
      ...complaints.filter((line) => !line.includes('ERR_INTERNET_DISCONNECTED')),
    );
  });

  it('is reached by keyboard, and fits a phone', async () => {
    await page.locator('#model').focus();
    const reached: string[] = [];
    for (let i = 0; i < 14; i++) {
      reached.push(await page.evaluate('document.activeElement.id'));
      await page.keyboard.press('Tab');
    }
    const expected = ['model', 'weights', 'clear', 'example', 'file-button', 'camera-button', 'centre', 'invert'];
    expect(reached).toEqual(expect.arrayContaining([...expected, 'mode-quality', 'quality', 'noise']));
    await page.setViewportSize({ width: 360, height: 740 });
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
    const before = sentFrames().length;
    await page.locator('#example').focus();
    await page.keyboard.press('Enter');
    await eventually(() => sentFrames().length).toBe(before + 1);
    await expectShown();
  });

  it('says why a model cannot be used, and waits where there is none', async () => {
    // models without frames are not offered, but explained to those who ask for them
    expect(await page.locator('#model option').allTextContents()).toEqual(['letters@1']);
    await page.goto(`http://127.0.0.1:${gateway.port}/demo?model=tiny`);
    await eventually(() => text('message-title')).toBe('tiny@1 has no frames');
    await page.route('**/bundle?*', (route) => route.fulfill({ body: 'cut' }));
    await page.goto(`http://127.0.0.1:${gateway.port}/demo?model=letters`);
    await eventually(() => text('message-title')).toBe('letters@1 cannot be used here');
    expect(await text('message-text')).toContain('The bundle is damaged');
    await page.unroute('**/bundle?*');
    expect(await page.locator('#flow').isHidden()).toBe(true);
    const empty = await startGateway();
    try {
      for (const name of await empty.registry.listModels()) await empty.registry.deleteModel(name);
      await page.goto(`http://127.0.0.1:${empty.port}/demo`);
      await eventually(() => text('message-title')).toBe('No model yet');
      await eventually(() => text('message-code')).toContain(`curl -s http://127.0.0.1:${empty.port}/v1/jobs`);
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
      const job = { name: 'letters', dataset: 'mnist', model: { type: 'dense' } };
      expect((await empty.rest.send('POST', '/v1/jobs', job)).status).toBeLessThan(300);
      await eventually(() => text('message-text')).toContain('The job for letters is queued.');
      await publishTrained(empty.registry, 'letters', dense, 1);
      await decoded();
      expect(await text('status')).toContain('letters@1 is ready');
    } finally {
      await page.close();
      await empty.stop();
    }
    expect(complaints).toEqual([]);
  });
});

describe('the models that are offered', () => {
  const version = (name: string, dataset: string, createdAt: string, more: object = {}): Version => ({
    ...{ schema: 1, name, version: 1, createdAt, files: [], codec: { hash: '0'.repeat(64), qualities: [] } },
    ...metaOf(name, { inputShape: [28, 28, 1] }),
    lineage: { ...metaOf(name).lineage, dataset: { name: dataset, hash: '0' }, spec: { model: {} } },
    ...more,
  });
  const digits = version('digits', 'mnist', '2026-01-01');
  const clothes = version('clothes', 'fashion-mnist', '2026-01-03');
  const table = version('table', 'wine', '2026-01-04', { inputShape: [13] });
  const models = [clothes, table, digits].map((one) => ({
    name: one.name,
    aliases: {},
    aliasChanges: [],
    versions: [one],
  }));
  const names = (versions: readonly Version[]) => versions.map(({ name }) => name);

  it('begin with one of digits, as the pad draws them, or with the server’s default', () => {
    expect(names(choicesOf(models, null).usable)).toEqual(['digits', 'clothes']);
    expect(names(choicesOf(models, 'clothes').usable)).toEqual(['clothes', 'digits']);
  });

  it('leave out those that take no pictures', () => {
    expect(names(choicesOf(models, null).others)).toEqual(['table']);
  });

  it('are cleaned by another model where they do not remove noise themselves', () => {
    const coder = version('coder', 'mnist', '2026-01-05', { operations: ['encode', 'decode'] });
    expect(denoiserFor(coder, models)?.name).toBe('digits');
    expect(denoiserFor(coder, models.slice(0, 2))).toBeUndefined();
    expect(denoiserFor(digits, models)).toBe(digits);
  });
});

it('can be turned off, and is whole otherwise', async () => {
  const html = readFileSync(new URL('../../src/demo/index.html', import.meta.url), 'utf8');
  expect(html).not.toMatch(/style=|onclick|https?:\/\/|<script(?! type="module" src)/);
  const off = await startGateway({ config: { demo: false } });
  try {
    for (const path of ['/demo', '/demo/demo.js']) {
      expect((await off.rest.send('GET', path)).json).toMatchObject({ code: 'route-not-found' });
    }
  } finally {
    await off.stop();
  }
});
