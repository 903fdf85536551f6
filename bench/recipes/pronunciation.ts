/** The CMU Pronouncing Dictionary as pairs of words and phonemes, without stress, as the papers have it. */

import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** as `npm run bench:data-sets` stores it: a line `"word(2)": "W ER1 D",` for each pronunciation */
export const pronunciationFile = 'dictionary.js';

const line = /^\s*"((?:[^"\\]|\\.)+)":\s*"([^"]+)"/;

/** Throws where the data has not been fetched. */
export function pronunciationForm(name: string, folder: string): FormData {
  const file = path.join(folder, pronunciationFile);
  if (!existsSync(file)) throw new Error(`${file} is not there. Run: npm run bench:data-sets`);
  const pairs = new Set<string>();
  for (const written of readFileSync(file, 'utf8').split('\n')) {
    const [, word, phonemes] = line.exec(written) ?? [];
    if (word === undefined || phonemes === undefined) continue;
    // `read(2)` is another way to say `read`; what follows # is a remark, digits are stress.
    const spoken = phonemes.replace(/#.*/, '').replace(/\d/g, '').trim();
    pairs.add(`${word.replace(/\(\d+\)$/, '')}\t${spoken}`);
  }
  const upload = new FormData();
  upload.set('name', name);
  upload.set('options', JSON.stringify({ kind: 'pairs', header: false, testFraction: 0.1, seed: 1 }));
  upload.set('rows', new Blob([`${[...pairs].join('\n')}\n`]), 'pairs.tsv');
  return upload;
}
