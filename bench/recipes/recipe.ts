/** A recipe: jobs written out in full, the figures that they are to reach, and what these are held against. */

import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { type Static, Type } from 'typebox';
import { Value } from 'typebox/value';
import { JobRequest } from '../../src/jobspec/request.ts';

const closed = { additionalProperties: false } as const;

/** `main test.sse`: the job's key and the name of the metric. */
const Source = Type.String({ pattern: '^[a-z0-9-]+ [A-Za-z0-9.]+$' });
const unit = Type.Optional(Type.String());

export const Figure = Type.Object(
  {
    title: Type.String(),
    of: Source,
    unit,
    below: Type.Optional(Type.Number()),
    above: Type.Optional(Type.Number()),
    stretch: Type.Optional(Type.Number()),
    anchor: Type.Optional(Type.String({ description: 'what others reached, with its source' })),
  },
  closed,
);
export type Figure = Static<typeof Figure>;

export const Recipe = Type.Object(
  {
    row: Type.Integer({ minimum: 1, maximum: 20 }),
    title: Type.String(),
    protocol: Type.String({ description: 'what was trained on what, what was held out, how the figure is defined' }),
    /** a data set that is made for the recipe: a name in datasets.ts */
    dataset: Type.Optional(Type.String()),
    jobs: Type.Record(Type.String(), JobRequest),
    /** names in measures.ts, each with the key of its job */
    measures: Type.Optional(Type.Array(Type.Object({ name: Type.String(), job: Type.String() }, closed))),
    figures: Type.Array(Figure, { minItems: 1 }),
    beside: Type.Optional(Type.Array(Type.Object({ title: Type.String(), of: Source, unit }, closed))),
  },
  closed,
);
export type Recipe = Static<typeof Recipe>;

const folder = path.resolve(import.meta.dirname, '../../recipes');

export const recipeNames = (): string[] =>
  readdirSync(folder)
    .filter((file) => file.endsWith('.json'))
    .map((file) => path.basename(file, '.json'))
    .toSorted();

export function readRecipe(name: string): Recipe {
  if (!recipeNames().includes(name)) {
    throw new Error(`There is no recipe ${name}. There are ${recipeNames().join(', ')}.`);
  }
  const recipe: unknown = JSON.parse(readFileSync(path.join(folder, `${name}.json`), 'utf8'));
  if (!Value.Check(Recipe, recipe)) {
    const [first] = Value.Errors(Recipe, recipe);
    throw new Error(`The recipe ${name} is not well formed: ${JSON.stringify(first)}`);
  }
  return recipe;
}
