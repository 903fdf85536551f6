// The data sets that served.test.ts uploads, as forms.
import { expect } from 'vitest';

import type { Dataset } from '../../src/data/dataset.ts';
import { csvOf, films } from '../train/ratings.ts';
import { spellingLines } from '../train/spellings.ts';
import { linesOf } from '../train/texts.ts';
import { waveLines } from '../train/waves.ts';

export async function add(url: string, body: FormData): Promise<void> {
  const added = await fetch(`${url}/v1/datasets`, { method: 'POST', body });
  expect(added.status, await added.text()).toBe(201);
}

function idx(dims: readonly number[], data: Uint8Array): Blob {
  const header = Buffer.alloc(4 + 4 * dims.length);
  header.writeUInt32BE(0x0800 + dims.length, 0);
  for (const [i, dim] of dims.entries()) header.writeUInt32BE(dim, 4 + 4 * i);
  return new Blob([new Uint8Array(header), new Uint8Array(data)]);
}

/** Rows of pictures of 14 × 14 with labels. */
export async function rowsForm(dataset: Dataset): Promise<FormData> {
  const upload = new FormData();
  upload.set('name', 'tiny');
  for (const [split, prefix] of [
    ['train', ''],
    ['test', 'test-'],
  ] as const) {
    const { length } = dataset.split(split);
    const rows = new Float32Array(length * dataset.split(split).rowSize);
    await dataset.split(split).readRange(0, length, rows);
    const bytes = Uint8Array.from(rows, (value) => Math.round(value * 255));
    const labels = (await dataset.split(split).labels()) as Uint8Array;
    upload.set(`${prefix}rows`, idx([length, 14, 14], bytes), `${prefix}rows.idx`);
    upload.set(`${prefix}labels`, idx([length], labels), `${prefix}labels.idx`);
  }
  return upload;
}

export function ratingsForm(): FormData {
  const upload = new FormData();
  upload.set('name', 'tastes');
  upload.set('options', JSON.stringify({ kind: 'ratings' }));
  upload.set('rows', new Blob([csvOf(false)]), 'rows.csv');
  upload.set('test-rows', new Blob([csvOf(true)]), 'test.csv');
  const names = Array.from({ length: films }, (_, i) => `f${i},Film ${i}\n`);
  upload.set('items', new Blob([`item,name\n${names.join('')}`]), 'items.csv');
  return upload;
}

export function textsForm(): FormData {
  const upload = new FormData();
  upload.set('name', 'texts');
  const vocabulary = { stopWords: 'none', minDocuments: 1, maxShare: 1 };
  upload.set('options', JSON.stringify({ kind: 'documents', labelColumn: 'topic', vocabulary }));
  upload.set('rows', new Blob([linesOf('train')]), 'train.tsv');
  upload.set('test-rows', new Blob([linesOf('test')]), 'test.tsv');
  return upload;
}

export function seriesForm(): FormData {
  const upload = new FormData();
  upload.set('name', 'waves');
  upload.set('options', JSON.stringify({ kind: 'series' }));
  upload.set('rows', new Blob([waveLines('train')]), 'train.jsonl');
  upload.set('test-rows', new Blob([waveLines('test')]), 'test.jsonl');
  return upload;
}

export function pairsForm(): FormData {
  const upload = new FormData();
  upload.set('name', 'spellings');
  upload.set('options', JSON.stringify({ kind: 'pairs' }));
  upload.set('rows', new Blob([spellingLines('train')]), 'train.tsv');
  upload.set('test-rows', new Blob([spellingLines('test')]), 'test.tsv');
  return upload;
}
