/** ECG5000 of the UCR archive as a data set of series: 5,000 heartbeats of 140 steps in five classes, of which 1 is normal. */

import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** as `npm run bench:data-sets` stores them: tab-separated, the class first */
export const heartbeatFiles = { train: 'train.tsv', test: 'test.tsv' } as const;

/** Throws where the data has not been fetched. */
export function heartbeatForm(name: string, folder: string): FormData {
  const read = (file: string): Blob => {
    const stored = path.join(folder, file);
    if (!existsSync(stored)) throw new Error(`${stored} is not there. Run: npm run bench:data-sets`);
    return new Blob([new Uint8Array(readFileSync(stored))]);
  };
  const upload = new FormData();
  upload.set('name', name);
  upload.set('options', JSON.stringify({ kind: 'series', labelColumn: 0, header: false }));
  upload.set('rows', read(heartbeatFiles.train), heartbeatFiles.train);
  upload.set('test-rows', read(heartbeatFiles.test), heartbeatFiles.test);
  return upload;
}
