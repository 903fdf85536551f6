/**
 * `npm run bench:codec`: bytes per picture against PSNR on whole test sets, in real frames with all their headers, for models
 * trained for compression, for PCA with the same quantiser and coder, and for image formats; and what encoding costs. Writes
 * codec.md. The models are those that the compression recipes have published; recipes that were not run are run. Measured
 * points stay in the data folder from run to run.
 *
 *   npm run bench:codec -- [--data data/codec] [--recipes data/recipes] [--threads 2] [--sets mnist,fashion-mnist]
 */

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import type { Coder } from '../src/bundle/coder.ts';
import { encodeFrame } from '../src/codec/frame.ts';
import { type Profile, type Quality, quantise } from '../src/codec/profile.ts';
import { searchSymbols } from '../src/codec/search.ts';
import type { Dataset } from '../src/data/dataset.ts';
import { createDatasetStore } from '../src/data/store.ts';
import { FolderDatasets } from '../src/store/folder/datasets.ts';
import { linearModel } from './codec/linear.ts';
import { picturePoints, singleRows } from './codec/pictures.ts';
import { type Point, pointOf } from './codec/points.ts';
import { type Curves, report } from './codec/report.ts';
import { type CodedModel, codedModel } from './codec/trained.ts';

const { values: options } = parseArgs({
  options: {
    data: { type: 'string', default: 'data/codec' },
    threads: { type: 'string', default: '2' },
    sets: { type: 'string', default: 'mnist,fashion-mnist' },
    recipes: { type: 'string', default: 'data/recipes' },
  },
});
const folder = path.resolve(options.data);
const threads = Number(options.threads);
const components = 200;
/** With the one quality of each that is searched as well: searching a whole test set takes minutes. */
const recipes: Readonly<Record<string, readonly { readonly recipe: string; readonly searched?: number }[]>> = {
  mnist: [
    { recipe: 'compression-mnist-small', searched: 3 },
    { recipe: 'compression-mnist-fine', searched: 1 },
  ],
  'fashion-mnist': [{ recipe: 'compression-fashion' }],
};

mkdirSync(folder, { recursive: true });
const store = createDatasetStore({ files: new FolderDatasets(path.join(folder, 'datasets')) });
const all: Curves[] = [];
for (const set of options.sets.split(',')) {
  const dataset = await store.open(set);
  try {
    all.push(await curvesOf(dataset));
  } finally {
    await dataset.close();
  }
}
const machine = `${os.availableParallelism()} cores (${os.cpus()[0]?.model ?? 'unknown'}), ${threads} threads, Node ${process.versions.node}`;
const text = report(all, machine);
console.log(text);
writeFileSync(path.join(import.meta.dirname, 'codec.md'), text);

async function curvesOf(dataset: Dataset): Promise<Curves> {
  const rowSize = dataset.split('test').rowSize;
  const count = dataset.info.rows.test;
  const span = dataset.info.range[1] - dataset.info.range[0];
  const rows = new Float32Array(count * rowSize);
  await dataset.split('test').readRange(0, count, rows);
  const measured = { rows, rowSize, span };
  const learned: Curves['learned'][number][] = [];
  for (const { recipe, searched } of recipes[dataset.info.name] ?? []) {
    const model = await codedModel(recipe, { dataset, folder: path.resolve(options.recipes), threads });
    const points = await learnedPoints(model, dataset, { ...measured, searched });
    const costs = await costsOf(model, rows.subarray(0, 64 * rowSize), rowSize);
    learned.push({ name: recipe, spec: model.spec, trainingSeconds: model.trainingSeconds, points, costs });
    model.coder.dispose();
  }
  const linear = await kept(`pca-${components}-${dataset.info.name}`, dataset.info.hash, async () => {
    const { coder, profile } = await linearModel(dataset, components);
    const points: Point[] = [];
    for (const index of profile.qualities.keys()) points.push(await pointOf({ coder, profile, index, ...measured }));
    coder.dispose();
    return points;
  });
  const pictures = await kept(`pictures-${dataset.info.name}`, [dataset.info.hash, singleRows], () =>
    picturePoints(rows, Math.sqrt(rowSize)),
  );
  return { dataset: dataset.info.name, rows: count, learned, components, linear, pictures };
}

async function learnedPoints(
  { name, coder, profile, lambdas }: CodedModel,
  { info }: Dataset,
  { searched, ...measured }: { rows: Float32Array; rowSize: number; span: number; searched: number | undefined },
): Promise<Point[]> {
  const points: Point[] = [];
  for (const [index, lambda] of lambdas.entries()) {
    const options = { coder, profile, index, ...measured };
    const id = [info.hash, Buffer.from(profile.hash).toString('hex'), index];
    points.push(await kept(`point-${name}`, [...id, 'plain'], () => pointOf(options)));
    if (index !== searched) continue;
    console.log(`searching ${name}, quality ${index}`);
    points.push(await kept(`point-${name}`, [...id, 'search'], () => pointOf({ ...options, lambda })));
  }
  return points;
}

/** Milliseconds a picture, medians: encoder alone, in batches of 64, and with the search. One thread for a single picture. */
async function costsOf(
  { coder, profile, lambdas }: { coder: Coder; profile: Profile; lambdas: readonly number[] },
  rows: Float32Array,
  rowSize: number,
): Promise<Curves['learned'][number]['costs']> {
  const index = Math.floor(profile.qualities.length / 2);
  const quality = profile.qualities[index] as Quality;
  const lambda = lambdas[index] ?? 0;
  const one = rows.subarray(0, rowSize);
  const plain = async (x: Float32Array): Promise<void> => {
    const symbols = quantise(quality, await coder.encode(x));
    encodeFrame(profile, symbols, { kind: 'batch', quality: index });
  };
  const search = async (): Promise<void> => {
    const symbols = quantise(quality, await coder.encode(one));
    await searchSymbols({ quality, symbols, targets: one, decode: coder.decode, lambda });
  };
  return {
    single: await medianMilliseconds(100, () => plain(one)),
    batch: (await medianMilliseconds(40, () => plain(rows))) / (rows.length / rowSize),
    search: await medianMilliseconds(20, search),
  };
}

async function medianMilliseconds(times: number, run: () => Promise<void>): Promise<number> {
  const samples: number[] = [];
  for (let i = 0; i < times; i++) {
    const began = performance.now();
    await run();
    samples.push(performance.now() - began);
  }
  return samples.toSorted((a, b) => a - b)[times >> 1]!;
}

/** A measurement of the same thing is taken once. Infinity survives as null would not. */
async function kept<T>(name: string, identity: unknown, measure: () => Promise<T>): Promise<T> {
  const key = createHash('sha256').update(JSON.stringify(identity)).digest('hex').slice(0, 12);
  const file = path.join(folder, `${name}-${key}.json`);
  if (existsSync(file)) {
    return JSON.parse(readFileSync(file, 'utf8'), (_, value) => (value === 'Infinity' ? Infinity : value)) as T;
  }
  const measured = await measure();
  writeFileSync(
    file,
    JSON.stringify(measured, (_, value) => (value === Infinity ? 'Infinity' : value)),
  );
  return measured;
}
