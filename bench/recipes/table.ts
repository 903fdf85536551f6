/** The results of all recipes: kept in models.json, shown in models.md. A recipe that was not run is a row that says so. */

import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Figure, Recipe } from './recipe.ts';

export interface Result {
  readonly seeds: readonly number[];
  /** wall clock from submission to the end of all jobs; where stopped runs were gone on with, of the training steps alone */
  readonly seconds: number;
  /** `digestOf` the jobs that gave it */
  readonly jobs: string;
  /** cores, threads, processor, Node */
  readonly machine: string;
  readonly parameters: number;
  /** by `job metric`, as recipes name them */
  readonly metrics: Readonly<Record<string, number>>;
}

export type Results = Readonly<Record<string, Result>>;

const folder = path.resolve(import.meta.dirname, '..');
const json = path.join(folder, 'models.json');

export function readResults(): Results {
  try {
    return JSON.parse(readFileSync(json, 'utf8')) as Results;
  } catch {
    return {};
  }
}

export function writeResults(results: Results, recipes: Readonly<Record<string, Recipe>>): void {
  const sorted = Object.fromEntries(Object.entries(results).toSorted(([a], [b]) => a.localeCompare(b)));
  writeFileSync(json, `${JSON.stringify(sorted, null, 2)}\n`);
  writeFileSync(path.join(folder, 'models.md'), markdown(results, recipes));
}

/** Changes with anything that a recipe's jobs ask for. */
export const digestOf = ({ jobs }: Recipe): string =>
  createHash('sha256').update(JSON.stringify(jobs)).digest('hex').slice(0, 12);

const shown = (value: number): string =>
  Math.abs(value) >= 1000 ? Math.round(value).toLocaleString('en') : String(Number(value.toPrecision(4)));

/** `reached`, or how far it is. */
export function verdict({ below, above, stretch }: Figure, value: number): string {
  const bound = below ?? above;
  if (bound === undefined) return '';
  const reaches = (limit: number) => (below !== undefined ? value < limit : value > limit);
  if (stretch !== undefined && reaches(stretch)) return 'stretch reached';
  return reaches(bound) ? 'reached' : `short by ${shown(Math.abs(value - bound))}`;
}

export function target({ below, above, stretch }: Figure): string {
  const [sign, bound] = below !== undefined ? ['<', below] : ['>', above];
  if (bound === undefined) return '';
  return `${sign} ${bound}${stretch !== undefined ? ` (stretch ${sign} ${stretch})` : ''}`;
}

/** Of all jobs' training steps, in seconds. */
const trainingSeconds = ({ metrics }: Result): number =>
  Object.entries(metrics).reduce((sum, [name, value]) => sum + (name.endsWith(' train.seconds') ? value : 0), 0);

function markdown(results: Results, recipes: Readonly<Record<string, Recipe>>): string {
  const rows: string[] = [];
  const notes: string[] = [];
  for (const [name, recipe] of Object.entries(recipes).toSorted(([, a], [, b]) => a.row - b.row)) {
    const result = results[name];
    const beside = (recipe.beside ?? []).map(({ title, of, unit = '' }) => {
      const value = result?.metrics[of];
      return `${title} ${value === undefined ? '–' : shown(value)} ${unit}`.trim();
    });
    for (const figure of recipe.figures) {
      const value = result?.metrics[figure.of];
      const cells = [
        String(recipe.row),
        `\`${name}\``,
        figure.title,
        value === undefined ? 'not run' : `**${shown(value)}** ${figure.unit ?? ''}`.trim(),
        target(figure),
        value === undefined ? '' : verdict(figure, value),
        figure.anchor ?? '',
        beside.join('; '),
      ];
      rows.push(`| ${cells.join(' | ')} |`);
    }
    const run = result
      ? `${result.jobs === digestOf(recipe) ? '' : 'Measured before its jobs were last changed. '}${Math.round(result.seconds)} s on ${result.machine}, ${Math.round(trainingSeconds(result))} s of them training; ${result.parameters.toLocaleString('en')} parameters; seed ${result.seeds.join(', ')}.`
      : 'Not run.';
    notes.push(`- **\`${name}\`** (row ${recipe.row}): ${recipe.title}. ${recipe.protocol} ${run}`);
  }
  return `# What the models reach

Written by \`npm run recipe -- NAME\`, which posts the jobs of \`recipes/NAME.json\` to an instance of its own, waits for
their end, and updates its rows here. Figures are of test rows that no training and no choice saw; they do not depend on how
busy the machine is (the same seed gives the same weights), seconds do: most runs shared its 2 cores with other work.

| row | recipe | figure | found | to reach | | anchor | beside it |
| --- | --- | --- | --- | --- | --- | --- | --- |
${rows.join('\n')}

## Protocols

${notes.join('\n')}
`;
}
