/** What latent Dirichlet allocation of scikit-learn reaches on the same counts with as many topics. Where Python lacks it, this throws. */

import { spawnSync } from 'node:child_process';
import path from 'node:path';
import type { SparseMatrix } from '../../src/base/sparse.ts';
import { createDatasetStore } from '../../src/data/store.ts';
import { coherences, diversity } from '../../src/report/coherence.ts';
import { cosineSearch, precision } from '../../src/report/neighbours.ts';
import { FolderDatasets } from '../../src/store/folder/datasets.ts';
import type { MeasureContext } from './subject.ts';

interface Answer {
  readonly words: number[][];
  readonly perplexity: number;
  readonly train: number[][];
  readonly test: number[][];
}

/** `lda.npmi`, `lda.diversity`, `lda.perplexity`, `lda.precision10`. */
export async function lda({ job, dataFolder }: MeasureContext): Promise<Readonly<Record<string, number>>> {
  const { model, dataset, training } = job.spec;
  if (!('code' in model) || typeof model.code !== 'number')
    throw new Error(`a model of type ${model.type} has no topics`);
  const store = createDatasetStore({ files: new FolderDatasets(path.join(dataFolder, 'datasets')) });
  const { documents } = await store.open(dataset);
  if (!documents) throw new Error(`${dataset} holds no documents`);
  const [train, test] = [await documents.train.matrix(), await documents.test.matrix()];
  const { words, perplexity, train: known, test: asked } = fit(model.code, training.seed, train, test);
  const found = {
    'lda.npmi': mean(coherences(words, train)),
    'lda.diversity': diversity(words),
    'lda.perplexity': perplexity,
  };
  const classes = { train: await documents.train.labels(), test: await documents.test.labels() };
  if (!classes.train || !classes.test) return found;
  const roots = (rows: number[][]) => Float32Array.from(rows.flat(), Math.sqrt);
  const search = cosineSearch(roots(known), roots(asked), model.code);
  const right = precision(search, test.rows, { train: classes.train, test: classes.test }, () => {});
  return { ...found, 'lda.precision10': right };
}

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

function fit(topics: number, seed: number, train: SparseMatrix, test: SparseMatrix): Answer {
  const plain = ({ columns, starts, indices, values }: SparseMatrix) => ({
    columns,
    starts: [...starts],
    indices: [...indices],
    values: [...values],
  });
  const python = process.env.BENCH_PYTHON ?? 'python3';
  const script = path.resolve(import.meta.dirname, '../python/topics_lda.py');
  const { status, stdout, stderr, error } = spawnSync(python, [script], {
    input: JSON.stringify({ topics, seed, train: plain(train), test: plain(test) }),
    encoding: 'utf8',
    maxBuffer: 2 ** 30,
  });
  if (status === 0) return JSON.parse(stdout) as Answer;
  throw new Error(
    `${python} cannot fit LDA (pip install scikit-learn; BENCH_PYTHON names another Python): ${error?.message ?? stderr}`,
  );
}
