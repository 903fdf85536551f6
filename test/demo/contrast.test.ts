// Text on all pages is readable: its computed colour against the colour behind it has a contrast of 4.5 : 1 or more (WCAG AA), in
// light and in dark. And no page is wider than a phone.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { evaluateModel } from '../../src/report/evaluate.ts';
import { startGateway, type TestGateway } from '../gateway/http/harness.ts';
import { chromiumPath, startBrowser, type TestBrowser } from '../helpers/browser.ts';
import { reportOptions } from '../report/options.ts';
import { dense, publishTrained } from './trained.ts';

let gateway: TestGateway;
let browser: TestBrowser;
let report: string;
beforeAll(async () => {
  if (!chromiumPath) return;
  gateway = await startGateway();
  await publishTrained(gateway.registry, 'letters', dense, 1);
  const { files } = await evaluateModel(reportOptions());
  report = Buffer.from(files['report.html'] ?? '').toString();
  browser = await startBrowser({ viewport: { width: 390, height: 844 } });
}, 180_000);
afterAll(async () => {
  await browser?.close();
  await gateway?.stop();
});

/** Texts with too little contrast, as "text: ratio". Runs in the page. */
const faintTexts = `(() => {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const over = ([r, g, b, a], below) => [r, g, b].map((value, i) => (value * a + below[i] * (255 - a)) / 255);
  const behind = (element) => {
    if (!element) return rgba('Canvas').slice(0, 3);
    return over(rgba(getComputedStyle(element).backgroundColor), behind(element.parentElement));
  };
  const linear = (value) => (value <= 10 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const contrast = (a, b) => (Math.max(light(a), light(b)) + 0.05) / (Math.min(light(a), light(b)) + 0.05);
  const found = [];
  for (const element of document.querySelectorAll('body *')) {
    const text = [...element.childNodes].filter((node) => node.nodeType === 3).map((node) => node.data.trim()).join(' ').trim();
    const style = getComputedStyle(element);
    if (text === '' || element.matches(':disabled, noscript, script, style') || !element.checkVisibility()) continue;
    const ground = behind(element);
    const colour = element instanceof SVGElement ? style.fill : style.color;
    const ratio = contrast(over(rgba(colour), ground), ground);
    if (ratio < 4.5) found.push(text.slice(0, 40) + ': ' + ratio.toFixed(2));
  }
  return [...new Set(found)];
})()`;

describe.skipIf(!chromiumPath).each(['light', 'dark'] as const)('pages in %s', (colorScheme) => {
  const open = async (name: string) => {
    const page = await browser.context.newPage();
    await page.emulateMedia({ colorScheme });
    if (name === 'report') await page.setContent(report);
    else await page.goto(`http://127.0.0.1:${gateway.port}/${name}`);
    if (name === 'demo') await page.locator('#flow[data-decoded]:not([data-decoded=""])').waitFor();
    return page;
  };

  it.each(['demo', 'docs', 'report'])('%s: every text is readable, and it fits a phone', async (name) => {
    const page = await open(name);
    try {
      if (name === 'docs')
        await page.evaluate("for (const box of document.querySelectorAll('details')) box.open = true");
      expect(await page.evaluate(faintTexts)).toEqual([]);
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(390);
      // nothing is cut off within the page either
      const hidden = `[...document.querySelectorAll('.wide')].filter((box) => box.scrollWidth > box.clientWidth).length`;
      expect(await page.evaluate(hidden)).toBe(0);
      // labels stand above the pictures, which are as wide as the text
      const narrow = `[...document.querySelectorAll('.pictures img')].filter((picture) => picture.clientWidth < 330).length`;
      expect(await page.evaluate(narrow)).toBe(0);
    } finally {
      await page.close();
    }
  });
});

it.skipIf(!chromiumPath)('the test finds faint text', async () => {
  const page = await browser.context.newPage();
  await page.setContent(
    '<p style="color:#888;background:#fff">faint</p><p style="color:#111;background:#fff">clear</p>',
  );
  expect(await page.evaluate(faintTexts)).toEqual(['faint: 3.54']);
  await page.close();
});

describe('the page of the contract', () => {
  it('names the server it is on, and every file that its examples use is there', async () => {
    const own = await startGateway();
    try {
      const { bytes } = await own.rest.send('GET', '/docs');
      const page = Buffer.from(bytes).toString();
      expect(page).toContain(`URL=http://127.0.0.1:${own.port}\n`);
      const slash = await fetch(`http://127.0.0.1:${own.port}/docs/`);
      expect([slash.status, new URL(slash.url).pathname]).toEqual([200, '/docs']);
      const digit = await own.rest.send('GET', '/docs/digit.png');
      const answer = await own.rest.send('POST', '/v1/models/digits/encode', digit.bytes, {
        'content-type': 'image/png',
      });
      expect(answer.json).toMatchObject({ model: 'digits' });
    } finally {
      await own.stop();
    }
  });
});
