// The console in a real Chromium, in front of `hourglass up`: a new user's way from pictures to an alias, a sweep, a gateway that
// is restarted under two open pages, ten thousand jobs, and every page checked by axe in light and dark, on
// a desk and on a phone.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { Redis } from 'ioredis';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodePng } from '../../src/data/image.ts';
import { chromiumPath, startBrowser, type TestBrowser } from '../helpers/browser.ts';
import { type Running, startUp } from '../helpers/running.ts';
import { findings } from './findings.ts';

const root = path.resolve(import.meta.dirname, '../..');
let server: Running;
let browser: TestBrowser;
let page: Page;
let folder: string;
const complaints: string[] = [];
/** requests that did not go to the server itself */
const elsewhere: string[] = [];

beforeAll(async () => {
  if (!chromiumPath) return;
  folder = mkdtempSync(path.join(tmpdir(), 'hourglass-console-'));
  server = await startUp();
  browser = await startBrowser({ viewport: { width: 1280, height: 860 } });
  page = await browser.context.newPage();
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('request', (request) => request.url().startsWith(server.url) || elsewhere.push(request.url()));
}, 120_000);
afterAll(async () => {
  await browser?.close();
  await server?.stop();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

const open = (place: string, on = page) => on.goto(`${server.url}/#/${place}`);
const main = (text: string | RegExp) => page.locator('main').getByText(text).first();
const button = (name: string | RegExp) => page.getByRole('button', { name });

describe.skipIf(!chromiumPath)('the console', () => {
  it('takes a new user from pictures to a model with an alias', async () => {
    const files = await Promise.all(
      Array.from({ length: 60 }, async (_, i) => {
        const pixels = Uint8Array.from(
          { length: 64 },
          (_, at) => ((at % 8) * (i % 9) * 4 + Math.floor(at / 8) * 9) % 256,
        );
        const file = path.join(folder, `p${i}.png`);
        writeFileSync(file, await encodePng(pixels, { height: 8, width: 8, channels: 1 }));
        return file;
      }),
    );
    await open('');
    await main('No job yet').waitFor();
    await page.getByRole('link', { name: 'Upload own data' }).click();
    await page.locator('input[type=file]').setInputFiles(files);
    await page.getByLabel('Name of the data set').fill('squares');
    await button('Upload').click();
    await page.getByRole('heading', { name: 'squares' }).waitFor();
    await main('8 × 8 × 1').waitFor();
    await page.getByRole('img', { name: /Rows 1 to/ }).waitFor();

    await page.getByRole('link', { name: 'Train on it' }).click();
    await main(/The server would take it/).waitFor();
    // A refusal stands at its field, before anything is sent.
    await page.getByLabel('Code', { exact: true }).fill('0');
    const refused = page.locator('.field', { has: page.getByLabel('Code', { exact: true }) }).locator('.refused');
    await refused.waitFor();
    expect(await button('Start the training').isDisabled()).toBe(true);
    await page.getByLabel('Code', { exact: true }).fill('2');
    await refused.waitFor({ state: 'detached' });
    // The form and its JSON follow each other.
    const json = page.getByLabel('The same as JSON');
    expect(JSON.parse(await json.inputValue())).toEqual({
      name: 'squares',
      dataset: 'squares',
      model: { type: 'denoising', code: 2 },
    });
    const job = {
      name: 'squares',
      dataset: 'squares',
      model: { type: 'dense', code: 2 },
      training: { epochs: 3, batchSize: 16 },
    };
    await json.fill(JSON.stringify(job));
    expect(await page.getByLabel('Model', { exact: true }).inputValue()).toBe('dense');
    await main(/The server would take it/).waitFor();
    await button('Start the training').click();

    await page.getByRole('heading', { name: 'Loss and metrics' }).waitFor();
    await main('The same held-out rows, epoch after epoch').waitFor();
    await main('succeeded').waitFor({ timeout: 60_000 });
    await page.locator('.chart canvas').first().waitFor();
    await main('coloured by class').waitFor();
    expect(JSON.parse((await page.locator('.two pre').first().textContent()) ?? '')).toEqual(job);
    await page.getByRole('tab', { name: 'Command line' }).click();
    await main(/hourglass train - --follow/).waitFor();

    await page.getByRole('link', { name: 'squares@1' }).click();
    await page.getByLabel('New alias', { exact: true }).fill('stable');
    await button('Add').click();
    const aliases = async (): Promise<unknown> =>
      ((await (await fetch(`${server.url}/v1/models/squares`)).json()) as { aliases: object }).aliases;
    await expect.poll(aliases, { timeout: 10_000 }).toEqual({ stable: 1 });
    await main(/→ version 1/).waitFor();
    // The report's sections: frames beside files of the same pictures, pictures of its files, classes and codes.
    await page.getByRole('img', { name: 'PSNR against bytes: frames, PCA, float32, WebP, JPEG' }).waitFor();
    const pictures = page.locator('.pictures canvas').first();
    // six test rows; a canvas that nothing is drawn on is 300 wide
    await expect.poll(async () => Number(await pictures.getAttribute('width'))).toBe(6 * 60 - 4);
    await page.getByRole('heading', { name: 'Latent map' }).waitFor();

    await page.getByRole('link', { name: 'Models', exact: true }).first().click();
    await page.getByLabel('Choose squares@1').check();
    await page.getByRole('link', { name: /Compare/ }).click();
    await main(/squares@1: reconstructed/).waitFor();
    await page
      .getByRole('img', { name: /^PSNR against bytes of one row: squares@1, PCA, float32, WebP, JPEG/ })
      .waitFor();
    // A place of the latent map is decoded.
    const map = page.getByRole('img', { name: /Codes of .* by squares@1/ });
    await map.click();
    await main('decoded').waitFor();
    // From one place to another: eight rows between them.
    const decoded = page.getByRole('img', { name: 'What the place decodes to' });
    const alone = Number(await decoded.getAttribute('width'));
    const box = await map.boundingBox();
    await page.mouse.move((box?.x ?? 0) + 40, (box?.y ?? 0) + 40);
    await page.mouse.down();
    await page.mouse.move((box?.x ?? 0) + 200, (box?.y ?? 0) + 150, { steps: 4 });
    await page.mouse.up();
    await expect.poll(async () => Number(await decoded.getAttribute('width'))).toBe(8 * (alone + 1) - 1);
  }, 150_000);

  it.each(['postModelsModelEncode', 'postModelsModelDecode', 'postOipModelsModelInfer', 'postTensorflowModelsModel'])(
    'proposes an example of %s on the API page that the model answers, also from a terminal',
    async (call) => {
      await open(`api?call=${call}`);
      const form = page.locator('details[open] form.try');
      await form.getByRole('button', { name: 'Send' }).click();
      await form.locator('.state').getByText('200').waitFor();
      const line = (await form.locator('pre').first().textContent()) ?? '';
      const answer = execFileSync('sh', ['-c', line.replace('curl -s', 'curl -sf')], { encoding: 'utf8' });
      expect(answer).toMatch(/"(codes|outputs|predictions)"/);
    },
  );

  it('tries several values, and shows each trial from its parameters to its result', async () => {
    await open('new?dataset=squares&sweep=true');
    await main(/The server would take it/).waitFor();
    await page.getByLabel('Parameter 1', { exact: true }).selectOption('/model/code');
    await page.getByLabel('Values of parameter 1').fill('1, 4');
    await button('Vary another one').click();
    await page.getByLabel('Parameter 2', { exact: true }).selectOption('/training/optimizer/learningRate');
    await page.getByLabel('Values of parameter 2').fill('0.00001, 0.01');
    await main(/^4 trials/).waitFor();
    const json = page.getByLabel('The same as JSON');
    const request = JSON.parse(await json.inputValue()) as { job: object; search: object };
    expect(request.search).toEqual({
      type: 'grid',
      parameters: { '/model/code': [1, 4], '/training/optimizer/learningRate': [0.00001, 0.01] },
    });
    // A refusal of a trial stands there before anything is sent.
    await page.getByLabel('Values of parameter 1').fill('0, 4');
    await page.locator('.refused').filter({ hasText: 'code' }).first().waitFor();
    expect(await button('Start the sweep').isDisabled()).toBe(true);
    await json.fill(JSON.stringify({ ...request, job: { ...request.job, name: 'tuned', training: { epochs: 2 } } }));
    expect(await page.getByLabel('Values of parameter 1').inputValue()).toBe('1, 4');
    await button('Start the sweep').click();
    await page.getByRole('heading', { name: /^tuned/ }).waitFor();
    await main('tuned@1').waitFor({ timeout: 90_000 });
    const id = page.url().split('/').at(-1);
    const sweep = (await (await fetch(`${server.url}/v1/sweeps/${id}`)).json()) as {
      best: string;
      trials: { id: string; heldOutLoss: number; parameters: object }[];
    };
    expect(await page.locator('.parallel .trial').count()).toBe(4);
    // the table has the least loss first, marked, and points at its line
    const first = page.getByRole('region', { name: 'Trials' }).locator('tbody tr').first();
    const order = [...sweep.trials].sort((a, b) => a.heldOutLoss - b.heldOutLoss);
    expect(order[0]?.id).toBe(sweep.best);
    expect(await first.locator('a').getAttribute('href')).toBe(`#/jobs/${sweep.best}`);
    expect(await first.locator('.best').count()).toBe(1);
    await first.hover();
    expect(await page.locator('.parallel .winner.pointed').count()).toBe(1);
    await page.getByRole('link', { name: 'Sweeps', exact: true }).click();
    await page.getByRole('link', { name: 'tuned@1' }).waitFor();
  }, 150_000);

  it('cancels a job after a question, and resumes it', async () => {
    const body = JSON.stringify({
      name: 'long',
      dataset: 'squares',
      model: { type: 'dense' },
      training: { epochs: 100_000, batchSize: 2 },
    });
    const headers = { 'content-type': 'application/json' };
    const { id } = (await (await fetch(`${server.url}/v1/jobs`, { method: 'POST', headers, body })).json()) as {
      id: string;
    };
    await open('jobs?search=long');
    await page.getByRole('link', { name: 'long', exact: true }).waitFor();
    await main('running').waitFor();
    await button('Cancel long').click();
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel the job' }).click();
    await button('Resume long').click({ timeout: 60_000 });
    await button('Cancel long').waitFor();
    await open(`jobs/${id}`);
    await main(/live/).waitFor();
  }, 120_000);

  it('goes on by itself in both browsers that watch a job when the gateway was restarted under them', async () => {
    complaints.splice(0);
    const other = await browser.context.newPage();
    await other.goto(page.url());
    await other.locator('main').getByText(/live/).first().waitFor();
    const before = await page.locator('.facts').first().textContent();
    const gateway = childOf(server.process.pid ?? 0, 'gateway');
    process.kill(gateway, 'SIGKILL');
    await page.getByText('The server does not answer.').waitFor();
    await page.getByText('The server does not answer.').waitFor({ state: 'detached', timeout: 60_000 });
    await expect.poll(() => page.locator('.facts').first().textContent(), { timeout: 60_000 }).not.toBe(before);
    await button('Cancel').click();
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel the job' }).click();
    await main('cancelled').waitFor({ timeout: 60_000 });
    // told by the stream of events, without anything being done there
    await other.locator('main h1').getByText('cancelled').waitFor({ timeout: 60_000 });
    await other.close();
    complaints.splice(0, complaints.length, ...complaints.filter((line) => !/ERR_|Failed to load resource/.test(line)));
  }, 150_000);

  it('shows ten thousand jobs and keeps only those on the screen', async () => {
    const redis = new Redis(server.redis.url);
    const base = '{hourglass}:';
    const [known = ''] = await redis.zrange(`${base}jobs`, 0, '0');
    const record = await redis.hgetall(`${base}job:${known}`);
    const pipeline = redis.pipeline();
    for (let i = 0; i < 10_000; i++) {
      const id = `00000000000000000000${String(i).padStart(6, '0')}`;
      pipeline.hset(`${base}job:${id}`, {
        ...record,
        id,
        spec: (record.spec ?? '').replace('"name":"squares"', `"name":"old-${i}"`),
      });
      pipeline.zadd(`${base}jobs`, 0, id);
      pipeline.zadd(`${base}jobs:succeeded`, 0, id);
    }
    await pipeline.exec();
    redis.disconnect();
    await open('jobs');
    await page.getByRole('button', { name: /^all 10,00/ }).waitFor();
    for (const wanted of ['old-9900', 'old-9500', 'old-9000']) {
      await expect
        .poll(
          async () => {
            await page.evaluate('scrollTo(0, document.documentElement.scrollHeight)');
            return page
              .locator('.jobs tbody')
              .getByText(/^old-\d+$/)
              .last()
              .textContent();
          },
          { timeout: 60_000 },
        )
        .toSatisfy((name: string | null) => Number(name?.slice(4)) <= Number(wanted.slice(4)));
      expect(await page.locator('.jobs tbody tr').count()).toBeLessThan(60);
    }
    await page.getByLabel('Search jobs').fill('old-1234');
    await page.getByRole('link', { name: 'old-1234', exact: true }).waitFor({ timeout: 60_000 });
    expect(page.url()).toContain('search=old-1234');
  }, 150_000);

  it.each([
    ['light', 1280],
    ['dark', 390],
  ] as const)(
    'has no serious finding of axe on any page, in %s at %i px',
    async (colorScheme, width) => {
      const tab = await browser.context.newPage();
      try {
        await tab.setViewportSize({ width, height: 860 });
        await tab.emulateMedia({ colorScheme });
        const [job] = (
          (await (await fetch(`${server.url}/v1/jobs?search=squares&limit=1`)).json()) as { jobs: { id: string }[] }
        ).jobs;
        const [sweep] = ((await (await fetch(`${server.url}/v1/sweeps`)).json()) as { sweeps: { id: string }[] })
          .sweeps;
        const places = [
          'jobs',
          `jobs/${job?.id}`,
          'new?sweep=true',
          'sweeps',
          `sweeps/${sweep?.id}`,
          'datasets',
          'datasets/squares',
          'models',
          'models/squares',
          'compare?versions=squares@1',
          'system',
          'nowhere',
        ];
        const found: Record<string, unknown> = {};
        for (const place of places) {
          await open(place, tab);
          await tab.locator('main h1, main h2').first().waitFor();
          await tab.locator('.skeleton').first().waitFor({ state: 'detached' });
          const bad = await findings(tab);
          if (bad.length > 0) found[place] = bad;
        }
        expect(found).toEqual({});
      } finally {
        await tab.close();
      }
    },
    150_000,
  );

  it('is reached by keyboard, loads nothing from elsewhere and says nothing wrong to the console', async () => {
    await open('system');
    // a click of an earlier test would decide where the first Tab goes
    await page.reload();
    await main('This gateway').waitFor();
    await page
      .getByRole('region', { name: 'Gateways' })
      .getByText(/^process \d+$/)
      .waitFor();
    await page.keyboard.press('Tab');
    expect(await page.evaluate('document.activeElement.textContent.trim()')).toBe('Skip to the content');
    await page.keyboard.press('Enter');
    expect(await page.evaluate('document.activeElement.id')).toBe('main');
    expect(elsewhere).toEqual([]);
    // refusals of the dry run are answers, not mistakes; a busy machine may answer 503 for a moment, and the page asks again
    expect(complaints.filter((line) => !/status of (422|503)/.test(line))).toEqual([]);
  });
});

it('weighs at most 200 kB as it is sent packed', () => {
  const files = ['index.html', 'console.js', 'style.css', 'icon.svg'].map((file) =>
    readFileSync(path.join(root, 'dist/console', file)),
  );
  expect(files.reduce((sum, file) => sum + gzipSync(file).length, 0)).toBeLessThan(200_000);
  expect(files[0]?.toString()).not.toMatch(/style=|onclick|https?:\/\/|<script(?! type="module" src)/);
});

/** The process that `hourglass up` has started for a role. */
function childOf(parent: number, role: string): number {
  for (const pid of readFileSync(`/proc/${parent}/task/${parent}/children`, 'utf8').trim().split(' ')) {
    if (readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(role)) return Number(pid);
  }
  throw new Error(`there is no ${role} below ${parent}`);
}
