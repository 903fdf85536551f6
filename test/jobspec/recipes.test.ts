// Every recipe is a job that would be accepted, and every system of the catalogue has one.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { ModelSpec } from '../../src/jobspec/model.ts';
import { resolveJobSpec } from '../../src/jobspec/resolve.ts';
import { factsOf } from './dataset-facts.ts';

const folder = path.resolve(import.meta.dirname, '../../recipes');
const recipes = readdirSync(folder).map(
  (file) => [file, JSON.parse(readFileSync(path.join(folder, file), 'utf8'))] as const,
);
describe('recipes', () => {
  it.each(recipes)('%s is a job that works', (_, recipe) => {
    for (const job of Object.values(recipe.jobs as Record<string, { dataset: string }>)) {
      const { spec, warnings } = resolveJobSpec(job, { dataset: factsOf(job.dataset) });
      expect(warnings).toEqual([]);
      expect(spec.training.maxSamples).toBeUndefined();
    }
    const keys = Object.keys(recipe.jobs);
    for (const { of } of [...recipe.figures, ...(recipe.beside ?? [])]) expect(keys).toContain(of.split(' ')[0]);
  });

  it('there is one for every type of model', () => {
    const used = new Set(
      recipes.flatMap(([, { jobs }]) =>
        Object.values(jobs as Record<string, { model: { type: string } }>).map(({ model }) => model.type),
      ),
    );
    const types = (ModelSpec as unknown as { anyOf: { properties: { type: { const: string } } }[] }).anyOf.map(
      (member) => member.properties.type.const,
    );
    // models for photographs have bench/photos.ts and bench/restoration.ts
    expect([...used, 'picture', 'restoration'].toSorted()).toEqual(types.toSorted());
  });
});
