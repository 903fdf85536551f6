// Takes the pictures of README.md and docs/ anew: starts an instance, trains two versions of a model, opens its pages in Chromium.
//   npm run screenshots
import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Page } from 'playwright-core';
import sharp from 'sharp';
import { HourglassClient } from '../src/sdk/index.ts';
import { startBrowser } from '../test/helpers/browser.ts';
import { startUp } from '../test/helpers/running.ts';

const docs = path.resolve(import.meta.dirname, '../docs');
const size = { width: 1200, height: 1000 };

const jobs = [
  {
    name: 'digits',
    dataset: 'mnist',
    model: { type: 'dense', code: 2, hidden: [256, 64] },
    training: { epochs: 6 },
  },
  {
    name: 'digits',
    dataset: 'mnist',
    model: { type: 'dense', code: 32, compression: { bytes: 14 } },
    training: { epochs: 5 },
  },
] as const;

const server = await startUp();
const browser = await startBrowser({ viewport: size });
try {
  const client = new HourglassClient({ baseUrl: server.url });
  const ids: string[] = [];
  for (const job of jobs) {
    const { id } = await client.jobs.submit(job);
    ids.push(id);
    const ended = await client.jobs.finished(id);
    if (ended.state !== 'succeeded') throw new Error(`${job.name}: ${ended.failure?.message}`);
    console.log(`${ended.model}@${ended.version} is trained`);
  }
  const page = await browser.context.newPage();
  const open = (place: string): Promise<unknown> => page.goto(`${server.url}/${place}`);

  await open(`#/jobs/${ids[0]}`);
  await page.getByText('coloured by class').waitFor();
  await take(page, 'console-job', 1400);

  await open('#/compare?versions=digits@1,digits@2');
  await page.getByText('digits@2: reconstructed').waitFor();
  await page.getByText('A lossless PNG').waitFor();
  await take(page, 'console-compare', 1500);

  await open('v1/models/digits/versions/2/files/report.html');
  await page.getByText('Bytes and quality').waitFor();
  await take(page, 'report', 1300);

  await open('demo?model=digits@2');
  await page.locator('#test-row').click();
  await page.getByText('from these bytes alone').waitFor();
  await page.waitForTimeout(1000);
  await take(page, 'demo', 1000);
} finally {
  await browser.close();
  await server.stop();
}

/** The top of the page with few colours, so that the file is small. */
async function take(page: Page, name: string, height: number): Promise<void> {
  await page.setViewportSize({ ...size, height });
  await page.waitForTimeout(500);
  const png = await sharp(await page.screenshot())
    .png({ palette: true, colours: 128, effort: 10 })
    .toBuffer();
  const file = path.join(docs, `${name}.png`);
  console.log(`${existsSync(file) ? 'taken anew' : 'new'}: docs/${name}.png, ${png.length} bytes`);
  writeFileSync(file, png);
}
