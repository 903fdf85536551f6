/**
 * `npm run recipe -- NAME …` trains recipes through the normal job path (HTTP, queue, worker, registry), prints what they
 * reach beside what they are held against, and updates models.md. `--all` runs every one; `--threads 2` is the default;
 * `--resume` goes on where an earlier run of the same recipe was stopped.
 */

import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import type { JobView } from '../src/jobspec/job.ts';
import { uploadDataset } from './recipes/datasets.ts';
import { Instance } from './recipes/instance.ts';
import { measures } from './recipes/measures.ts';
import { type Recipe, readRecipe, recipeNames } from './recipes/recipe.ts';
import { digestOf, type Result, readResults, target, verdict, writeResults } from './recipes/table.ts';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    all: { type: 'boolean', default: false },
    resume: { type: 'boolean', default: false },
    threads: { type: 'string', default: '2' },
    data: { type: 'string', default: 'data/recipes' },
  },
});
const threads = Number(options.threads);
const dataFolder = path.resolve(options.data);
const names = options.all ? recipeNames() : positionals;
if (names.length === 0) {
  console.error(`Which one? npm run recipe -- ${recipeNames().join(' | ')}, or --all`);
  process.exit(2);
}

const machine = `${os.availableParallelism()} cores (${os.cpus()[0]?.model ?? 'unknown'}), ${threads} threads, Node ${process.versions.node}`;

function showProgress({ progress, state }: JobView): void {
  if (!process.stdout.isTTY) return;
  const text = progress
    ? `${progress.phase} ${progress.epoch}/${progress.epochs}  ${progress.percent.toFixed(1)} %  loss ${progress.loss?.toPrecision(4) ?? '–'}  ${Math.round(progress.etaSeconds ?? 0)} s left`
    : state;
  process.stdout.write(`\r\x1b[K  ${text}`);
}

async function run(instance: Instance, name: string, recipe: Recipe): Promise<Result> {
  const metrics: Record<string, number> = {};
  const jobs = new Map<string, JobView>();
  if (recipe.dataset) await uploadDataset(recipe.dataset, instance, dataFolder);
  const began = performance.now();
  for (const [key, request] of Object.entries(recipe.jobs)) {
    console.log(`${name}: training ${key}`);
    const job = await instance.train(request, showProgress, options.resume);
    if (process.stdout.isTTY) process.stdout.write('\r\x1b[K');
    jobs.set(key, job);
    for (const warning of job.warnings) console.log(`  ${warning}`);
    for (const [metric, value] of Object.entries(job.metrics ?? {})) metrics[`${key} ${metric}`] = value;
  }
  const trained = [...jobs.values()].reduce((sum, { metrics = {} }) => sum + (metrics['train.seconds'] ?? 0), 0);
  const seconds = options.resume ? trained : (performance.now() - began) / 1000;
  for (const { name: measure, job: key } of recipe.measures ?? []) {
    const job = jobs.get(key);
    const take = measures[measure];
    if (!job || !take) throw new Error(`no measure ${measure} or no job ${key}`);
    const found = await take({ instance, job, threads, name, dataFolder, metrics });
    for (const [metric, value] of Object.entries(found)) metrics[`${key} ${metric}`] = value;
  }
  const first = [...jobs.values()][0];
  return {
    seconds,
    jobs: digestOf(recipe),
    machine,
    metrics,
    seeds: [...new Set([...jobs.values()].map(({ spec }) => spec.training.seed))],
    parameters: first?.metrics?.parameters ?? 0,
  };
}

const instance = await Instance.start(dataFolder, threads);
try {
  for (const name of names) {
    const recipe = readRecipe(name);
    const result = await run(instance, name, recipe);
    console.log(
      `\nrow ${recipe.row}: ${recipe.title}\n${recipe.protocol}\n${Math.round(result.seconds)} s on ${machine}`,
    );
    for (const figure of recipe.figures) {
      const value = result.metrics[figure.of];
      console.log(
        `  ${figure.title}: ${value ?? 'missing'} ${figure.unit ?? ''} ${target(figure)} ${value === undefined ? '' : verdict(figure, value)}${figure.anchor ? ` [${figure.anchor}]` : ''}`,
      );
    }
    for (const { title, of, unit } of recipe.beside ?? [])
      console.log(`  ${title}: ${result.metrics[of] ?? 'missing'} ${unit ?? ''}`);
    console.log();
    const recipes = Object.fromEntries(recipeNames().map((other) => [other, readRecipe(other)]));
    writeResults({ ...readResults(), [name]: result }, recipes);
  }
} finally {
  await instance.stop();
}
