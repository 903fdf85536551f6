// What axe finds on a page, and whether its text fits the screen.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Page } from 'playwright-core';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Serious findings, and text that is wider than the screen. */
export async function findings(on: Page): Promise<unknown[]> {
  await on.evaluate(axe);
  const found = (await on.evaluate(
    `axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'] }).then(({ violations }) => violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .map(({ id, nodes }) => id + ': ' + nodes.slice(0, 3).map(({ html, failureSummary }) => html.slice(0, 120) + failureSummary).join(' | ')))`,
  )) as string[];
  const [wide, width] = (await on.evaluate('[document.documentElement.scrollWidth, innerWidth]')) as [number, number];
  return wide > width ? [...found, `${wide} of ${width} px wide`] : found;
}
