/** The style sheet that pages written on the server put into themselves; pages of the browser get the same one from the build. */

import { readFileSync } from 'node:fs';

let text: string | undefined;

export function themeCss(): string {
  text ??= readFileSync(new URL('./theme.css', import.meta.url), 'utf8');
  return text;
}
