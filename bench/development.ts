/**
 * `npm run bench:development -- RECIPE` tries settings of a recipe without its test rows: of the rows to train on, one block of every ten is
 * looked at and the others are trained on; of ratings a tenth, drawn at random. Each `--merge '{"model": {"code": 16}}'` is a trial with
 * these changes to the recipe's job. Prints what each measures. For recipes of dense rows, of
 * ratings and of documents, whose words come back in the order of the vocabulary.
 */

import path from 'node:path';
import { parseArgs } from 'node:util';
import { sizeOf } from '../src/base/ndarray.ts';
import type { SparseMatrix } from '../src/base/sparse.ts';
import type { Documents } from '../src/data/dataset.ts';
import { createDatasetStore } from '../src/data/store.ts';
import { FolderDatasets } from '../src/store/folder/datasets.ts';
import { uploadDataset } from './recipes/datasets.ts';
import { Instance } from './recipes/instance.ts';
import { npy } from './recipes/npy.ts';
import { readRecipe } from './recipes/recipe.ts';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    data: { type: 'string', default: 'data/recipes' },
    merge: { type: 'string', multiple: true, default: ['{}'] },
    job: { type: 'string', default: 'main' },
    /** rows that are held out together, such as pictures that are nearly the same and stand side by side */
    block: { type: 'string', default: '8' },
    threads: { type: 'string', default: '2' },
  },
});
const every = 10;
const block = Number(options.block);
const dataFolder = path.resolve(options.data);
const [name = ''] = positionals;
const recipe = readRecipe(name);
const request = recipe.jobs[options.job] as { readonly dataset: string } | undefined;
if (!request) throw new Error(`The recipe ${name} has no job "${options.job}".`);

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** `changes` over `base`, member by member. */
function merged(base: unknown, changes: unknown): unknown {
  if (!isObject(base) || !isObject(changes)) return changes;
  const both = { ...base };
  for (const [key, value] of Object.entries(changes)) both[key] = key in both ? merged(both[key], value) : value;
  return both;
}

/** The training rows of a data set as an upload of their own: one block of ten is for testing. */
async function developmentForm(of: string, as: string): Promise<FormData> {
  const store = createDatasetStore({ files: new FolderDatasets(path.join(dataFolder, 'datasets')) });
  const dataset = await store.open(of);
  if (dataset.ratings) return ratingsForm(await dataset.ratings.train.matrix(), as);
  if (dataset.documents) return textsForm(dataset.documents, dataset.info.classNames ?? [], as);
  const { shape, scaling, classNames } = dataset.info;
  const split = dataset.split('train');
  const size = sizeOf(shape);
  const labels = await split.labels();
  const form = new FormData();
  form.set('name', as);
  form.set('options', JSON.stringify({ header: false }));
  const isHeld = (row: number): boolean => Math.floor(row / block) % every === every - 1;
  for (const [prefix, held] of [
    ['', false],
    ['test-', true],
  ] as const) {
    const rows = Array.from({ length: split.length }, (_, row) => row).filter((row) => isHeld(row) === held);
    const data = new Float32Array(rows.length * size);
    await split.readRows(rows, data);
    // Pictures of 8 bits are sent as such, so that they are stored and scaled as those of the data set.
    const values = scaling.divisor === 255 ? Uint8Array.from(data, (value) => Math.round(value * 255)) : data;
    form.set(`${prefix}rows`, npy([rows.length, ...shape], values), `${prefix}rows.npy`);
    if (!labels) continue;
    const lines = rows.map((row) => JSON.stringify(classNames?.[labels[row] as number] ?? String(labels[row])));
    form.set(`${prefix}labels`, new Blob([`${lines.join('\n')}\n`]), `${prefix}labels.csv`);
  }
  await dataset.close();
  return form;
}

/** People and items by their places in the data set. */
function ratingsForm({ rows, starts, indices, values }: SparseMatrix, as: string): FormData {
  const lines = ['person\titem\trating'];
  for (let row = 0; row < rows; row++) {
    for (let at = starts[row] as number; at < (starts[row + 1] as number); at++) {
      lines.push(`${row}\t${indices[at]}\t${values[at]}`);
    }
  }
  const form = new FormData();
  form.set('name', as);
  form.set('options', JSON.stringify({ kind: 'ratings', testFraction: 1 / every, seed: 1 }));
  form.set('rows', new Blob([`${lines.join('\n')}\n`]), 'ratings.tsv');
  return form;
}

/** Texts with the same counts of the same words. */
async function textsForm(
  { train, vocabulary }: Documents,
  classNames: readonly string[],
  as: string,
): Promise<FormData> {
  const { rows, starts, indices, values } = await train.matrix();
  const { words } = await vocabulary();
  const labels = await train.labels();
  const lines = Array.from({ length: rows }, (_, row) => {
    const text: string[] = [];
    for (let at = starts[row] as number; at < (starts[row + 1] as number); at++) {
      const word = words[indices[at] as number] as string;
      for (let n = 0; n < (values[at] as number); n++) text.push(word);
    }
    return `"${text.join(' ')}","${labels ? classNames[labels[row] as number] : ''}"`;
  });
  const form = new FormData();
  form.set('name', as);
  const counted = { stopWords: 'none', minDocuments: 1, maxShare: 1, most: words.length };
  const options = { kind: 'documents', textColumn: 'text', labelColumn: 'class', testFraction: 1 / every, seed: 1 };
  form.set('options', JSON.stringify({ ...options, vocabulary: counted }));
  form.set('rows', new Blob([`"text","class"\n${lines.join('\n')}\n`]), 'texts.csv');
  return form;
}

const instance = await Instance.start(dataFolder, Number(options.threads));
try {
  if (recipe.dataset) await uploadDataset(recipe.dataset, instance, dataFolder);
  const dataset = `${request.dataset}-development`;
  await instance.upload(dataset, () => developmentForm(request.dataset, dataset));
  for (const text of options.merge) {
    const changes: unknown = JSON.parse(text);
    const { metrics = {}, warnings } = await instance.train(merged({ ...request, dataset }, changes), () => {});
    for (const warning of warnings) console.log(warning);
    const shown = Object.entries(metrics).filter(([metric]) => /^(test|topics)\.|^heldOut/.test(metric));
    console.log(JSON.stringify({ recipe: name, changes, ...Object.fromEntries(shown) }));
  }
} finally {
  await instance.stop();
}
