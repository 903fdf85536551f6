/** The style sheets that pages written on the server put into themselves; pages of the browser get the same ones from the build. */

import { readFileSync } from 'node:fs';

const read = new Map<string, string>();

function sheet(file: string): string {
  const known = read.get(file) ?? readFileSync(new URL(file, import.meta.url), 'utf8');
  read.set(file, known);
  return known;
}

/** Of all pages. */
export const themeCss = (): string => sheet('./theme.css');

/** Of the charts, tables and tiles of a report. */
export const figuresCss = (): string => sheet('./figures.css');
