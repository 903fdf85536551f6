/** Whether the page is light or dark: what is drawn on a canvas is drawn again when that changes. */

import { signal } from '@preact/signals';

const query = matchMedia('(prefers-color-scheme: dark)');

export const theme = signal<'dark' | 'light'>(query.matches ? 'dark' : 'light');

query.addEventListener('change', () => {
  theme.value = query.matches ? 'dark' : 'light';
});
