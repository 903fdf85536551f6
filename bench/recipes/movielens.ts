/** MovieLens 100K as data sets of ratings: 943 people, 1,682 films, 100,000 ratings from 1 to 5. */

import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** as `npm run bench:data-sets` stores them: tab-separated, with a header */
export const movieLensFiles = { ratings: 'ratings.tsv', items: 'items.tsv' } as const;

/** of the split u1, as its authors made it: the first so many ratings are the test set */
const testRatings = 20_000;

/**
 * `movielens-u1`, the first of the five splits that come with the data; `movielens-leave-out`, a fifth of the ratings held out at
 * random. Throws where the data has not been fetched.
 */
export function movieLensForms(folder: string): Readonly<Record<string, () => FormData>> {
  const file = path.join(folder, movieLensFiles.ratings);
  if (!existsSync(file)) throw new Error(`${file} is not there. Run: npm run bench:data-sets`);
  const [header = '', ...lines] = readFileSync(file, 'utf8').trimEnd().split('\n');
  const items = readFileSync(path.join(folder, movieLensFiles.items));
  const table = (rows: readonly string[]) => new Blob([`${[header, ...rows].join('\n')}\n`]);
  const form = (name: string, options: object, parts: Readonly<Record<string, readonly string[]>>) => () => {
    const upload = new FormData();
    upload.set('name', name);
    upload.set('options', JSON.stringify({ kind: 'ratings', ...options }));
    for (const [part, rows] of Object.entries(parts)) upload.set(part, table(rows), `${part}.tsv`);
    upload.set('items', new Blob([new Uint8Array(items)]), 'items.tsv');
    return upload;
  };
  return {
    'movielens-u1': form(
      'movielens-u1',
      {},
      {
        rows: lines.slice(testRatings),
        'test-rows': lines.slice(0, testRatings),
      },
    ),
    'movielens-leave-out': form('movielens-leave-out', { testFraction: 0.2, seed: 1 }, { rows: lines }),
  };
}
