/** Where the page is: `#/jobs/ID?tab=log`. In the fragment, so that the console works below any prefix. */

import { signal } from '@preact/signals';

export interface Place {
  /** `['jobs', 'ID']` */
  readonly path: readonly string[];
  readonly query: URLSearchParams;
}

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

const read = (): Place => {
  const [path = '', query = ''] = location.hash.replace(/^#\/?/, '').split('?');
  return { path: path.split('/').filter(Boolean).map(decodeURIComponent), query: new URLSearchParams(query) };
};

export const place = signal<Place>(read());

addEventListener('hashchange', () => {
  const before = place.value.path.join('/');
  place.value = read();
  if (place.value.path.join('/') !== before) scrollTo(0, 0);
});

/** The address of a page; members without a value are left out. */
export function href(path: readonly (string | number)[], query: Query = {}): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== '' && value !== false);
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return `#/${path.map((part) => encodeURIComponent(part)).join('/')}${text && `?${text}`}`;
}

export function go(path: readonly (string | number)[], query: Query = {}): void {
  location.hash = href(path, query);
}

/** Changes members of the query without a new entry in the history: what a filter does while somebody types. */
export function refine(changes: Query): void {
  const { path, query } = place.value;
  history.replaceState(null, '', href(path, { ...Object.fromEntries(query), ...changes }));
  place.value = read();
}
