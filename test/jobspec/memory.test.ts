// The estimate of a job's memory: every part that a client can make large is in it, and what the recipes train fits.
import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import type { HourglassError } from '../../src/base/errors.ts';
import { checkMemory, estimateMemory } from '../../src/jobspec/memory.ts';
import { resolveJobSpec } from '../../src/jobspec/resolve.ts';
import { factsOf } from './dataset-facts.ts';

const mnist = { shape: [28, 28, 1], range: [0, 1] as const, rows: { train: 60_000 }, classes: 10 };
const gib = 2 ** 30;

const specOf = (model: object, training: object = {}) =>
  resolveJobSpec({ name: 'm', dataset: 'mnist', model, training }, { dataset: mnist }).spec;
const totalOf = (model: object, training: object = {}): number => estimateMemory(specOf(model, training), mnist).total;

it('refuses eight layers of 65,536 units, naming estimate, limit and setting', () => {
  const spec = specOf({ type: 'dense', hidden: Array(8).fill(65_536), code: 65_536 });
  const check = (): void => checkMemory(spec, mnist, gib);
  expect(check).toThrow(/HOURGLASS_MAX_JOB_MEMORY allows 1\.00 GiB/);
  const thrown = ((): HourglassError | undefined => {
    try {
      check();
    } catch (error) {
      return error as HourglassError;
    }
    return undefined;
  })();
  expect(thrown).toMatchObject({ code: 'invalid-spec', facts: { field: '/model', expected: gib } });
  // 8 matrices of 65,536² on each side, float32, before gradients and moments
  expect(thrown?.facts.found).toBeGreaterThan(2 * 8 * 65_536 ** 2 * 4);
});

it.each([
  ['wide code of every type', { type: 'linear', code: 65_536 }, {}],
  ['layers of a variational model', { type: 'variational', hidden: [65_536, 65_536] }, {}],
  ['samples of a variational model', { type: 'variational', samples: 500 }, { batchSize: 65_536 }],
  ['machine of binary units', { type: 'rbm', code: 65_536 }, {}],
  ['levels of a belief network', { type: 'deep-belief', hidden: [65_536, 65_536] }, {}],
  ['feature maps', { type: 'convolutional', channels: [1024, 1024], kernel: 15 }, {}],
  ['feature maps times batch', { type: 'convolutional', channels: [256] }, { batchSize: 4096 }],
  ['layers times batch', { type: 'dense', hidden: [4096] }, { batchSize: 65_536 }],
  ['exact Jacobian', { type: 'dense', code: 64, contraction: { method: 'exact' } }, { batchSize: 4096 }],
  ['hidden layers of a head', { type: 'dense', head: { hidden: [65_536, 65_536] } }, {}],
  ['codes of all rows', { type: 'dense', code: 8192, hidden: [] }, { evaluation: { neighbours: 3 } }],
])('counts %s', (_, model, training) => {
  expect(totalOf(model, training)).toBeGreaterThan(gib);
});

it('grows with the optimizer, the batch and early stopping, and keeps only windows of a large data set', () => {
  const dense = { type: 'dense', hidden: [1024] };
  const adam = totalOf(dense);
  expect(totalOf(dense, { optimizer: { type: 'sgd' } })).toBeLessThan(adam);
  expect(totalOf(dense, { batchSize: 1024 })).toBeGreaterThan(adam);
  expect(totalOf(dense, { earlyStopping: {} })).toBeGreaterThan(adam);
  const large = { ...mnist, rows: { train: 10_000_000 } };
  expect(estimateMemory(specOf(dense), large).data).toBeLessThan(512 * 2 ** 20);
});

it('lets every recipe pass under the default limit', () => {
  const folder = new URL('../../recipes/', import.meta.url);
  const recipes = readdirSync(folder).filter((file) => file.endsWith('.json'));
  expect(recipes.length).toBeGreaterThan(5);
  for (const file of recipes) {
    const recipe = JSON.parse(readFileSync(new URL(file, folder), 'utf8'));
    for (const job of Object.values(recipe.jobs as Record<string, { dataset: string }>)) {
      const facts = factsOf(job.dataset);
      const { spec } = resolveJobSpec(job, { dataset: facts });
      expect(() => checkMemory(spec, facts, gib), file).not.toThrow();
    }
  }
});
