// From a sweep as it is asked for to its trials.
import { describe, expect, it } from 'vitest';
import { HourglassError } from '../../src/base/errors.ts';
import { maxParameters, resolveSweep } from '../../src/jobspec/sweep.ts';

const job = { name: 'digits', dataset: 'mnist', model: { type: 'dense' } };

const refusal = (rawJob: unknown, search: unknown): HourglassError => {
  try {
    resolveSweep(rawJob, search);
  } catch (error) {
    if (error instanceof HourglassError) return error;
    throw error;
  }
  throw new Error('not refused');
};

it('makes every combination of a grid, the last parameter fastest', () => {
  const { trials } = resolveSweep(job, {
    type: 'grid',
    parameters: { '/model/code': [8, 16], '/training/optimizer/learningRate': [0.1, 0.01, 0.001] },
  });
  expect(trials.map(({ parameters }) => Object.values(parameters))).toEqual([
    [8, 0.1],
    [8, 0.01],
    [8, 0.001],
    [16, 0.1],
    [16, 0.01],
    [16, 0.001],
  ]);
  expect(trials[4]?.spec).toMatchObject({ model: { code: 16 }, training: { optimizer: { learningRate: 0.01 } } });
  expect(job).toEqual({ name: 'digits', dataset: 'mnist', model: { type: 'dense' } });
});

it('draws trials at random within bounds, the same for the same seed', () => {
  const search = {
    type: 'random',
    trials: 200,
    seed: 3,
    parameters: {
      '/training/optimizer/learningRate': { min: 1e-4, max: 1e-1, scale: 'log' },
      '/model/code': { min: 4, max: 64, integer: true },
      '/model/activation': ['relu', 'tanh'],
    },
  };
  const { trials } = resolveSweep(job, search);
  const rates = trials.map(({ parameters }) => parameters['/training/optimizer/learningRate'] as number);
  expect(Math.min(...rates)).toBeGreaterThanOrEqual(1e-4);
  expect(Math.max(...rates)).toBeLessThanOrEqual(1e-1);
  // log-uniform: half of them below the geometric mean, 10^-2.5
  const below = rates.filter((rate) => rate < 10 ** -2.5).length;
  expect(below).toBeGreaterThan(70);
  expect(below).toBeLessThan(130);
  expect(trials.every(({ spec }) => Number.isInteger((spec.model as { code: number }).code))).toBe(true);
  expect(new Set(trials.map(({ parameters }) => parameters['/model/activation']))).toEqual(new Set(['relu', 'tanh']));
  expect(resolveSweep(job, search)).toEqual(resolveSweep(job, search));
  expect(resolveSweep(job, { ...search, seed: 4 }).trials).not.toEqual(trials);
});

it.each([
  ['a kind that is none', job, { type: 'annealing', parameters: {} }, '/search/type'],
  ['no parameters', job, { type: 'grid', parameters: {} }, '/search/parameters'],
  ['a pointer elsewhere', job, { type: 'grid', parameters: { '/name': ['a'] } }, '/search/parameters/~1name'],
  [
    'a pointer into a prototype',
    job,
    { type: 'grid', parameters: { '/model/__proto__/x': [1] } },
    '/search/parameters/~1model~1__proto__~1x',
  ],
  ['no values', job, { type: 'grid', parameters: { '/model/code': [] } }, '/search/parameters/~1model~1code'],
  [
    'an interval in a grid',
    job,
    { type: 'grid', parameters: { '/model/code': { min: 1, max: 2 } } },
    '/search/parameters/~1model~1code',
  ],
  [
    'an interval upside down',
    job,
    { type: 'random', parameters: { '/model/code': { min: 2, max: 1 } } },
    '/search/parameters/~1model~1code',
  ],
  [
    'too many trials',
    job,
    {
      type: 'grid',
      parameters: {
        '/model/code': Array.from({ length: 20 }, (_, i) => i + 1),
        '/training/seed': Array.from({ length: 20 }, (_, i) => i),
      },
    },
    '/search/parameters',
  ],
  ['an unknown field', job, { type: 'grid', tries: 3, parameters: { '/model/code': [1] } }, '/search/tries'],
  ['a value that the job refuses', job, { type: 'grid', parameters: { '/model/code': [8, -1] } }, '/job/model/code'],
  [
    'a member that the job does not have',
    job,
    { type: 'grid', parameters: { '/model/kernel': [3] } },
    '/job/model/kernel',
  ],
  [
    'no held-out rows',
    { ...job, training: { validation: { fraction: 0 } } },
    { type: 'grid', parameters: { '/model/code': [8] } },
    '/job/training/validation/fraction',
  ],
  ['a job that is none', null, { type: 'grid', parameters: { '/model/code': [8] } }, '/job'],
])('refuses %s', (_, rawJob, search, field) => {
  expect(refusal(rawJob, search).facts.field).toBe(field);
});

const manyPointers = (count: number, values: unknown) =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`/model/member${i}`, values]));

describe('searches that cost far more than their bytes', () => {
  it.each([
    ['a grid of one value each', { type: 'grid', parameters: manyPointers(20_000, [1]) }],
    ['draws from lists', { type: 'random', trials: 256, parameters: manyPointers(20_000, [1, 2]) }],
    ['draws from intervals', { type: 'random', parameters: manyPointers(maxParameters + 1, { min: 0, max: 1 }) }],
  ])('refuses too many parameters before any trial is made: %s', (_, search) => {
    const { code, facts } = refusal(job, search);
    const found = Object.keys(search.parameters).length;
    expect({ code, facts }).toEqual({
      code: 'invalid-spec',
      facts: { field: '/search/parameters', expected: { atMost: maxParameters }, found },
    });
  });

  it('refuses a grid of too many trials before any is made', () => {
    const parameters = manyPointers(maxParameters, Array(256).fill(1));
    expect(refusal(job, { type: 'grid', parameters }).facts.field).toBe('/search/parameters');
  });

  it('cuts pointers and values in its messages', () => {
    const long = `/model/${'a'.repeat(100_000)}`;
    const pointer = refusal(job, { type: 'grid', parameters: { [long]: [1] } });
    const value = refusal(job, { type: 'grid', parameters: { '/model/code': ['b'.repeat(100_000)] } });
    for (const { message, facts } of [pointer, value]) {
      expect(message.length).toBeLessThan(1500);
      expect(JSON.stringify(facts).length).toBeLessThan(1500);
    }
  });
});
