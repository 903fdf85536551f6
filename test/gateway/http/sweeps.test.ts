// Sweeps over REST on a real queue: submitted once per key, shown with their trials, cancelled, refused.
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { SweepView } from '../../../src/jobspec/sweep.ts';
import { restRefusal } from '../../conformance/both.ts';
import { startGateway, type TestGateway } from './harness.ts';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startGateway();
});
afterAll(() => gateway.stop());

const job = { name: 'swept', dataset: 'mnist', model: { type: 'dense' } };
const search = { type: 'grid', parameters: { '/model/code': [8, 16] } };

it('is submitted once per key, listed, shown and cancelled', async () => {
  const key = { 'idempotency-key': 'sweep-1' };
  const first = await gateway.rest.send('POST', '/v1/sweeps', { job, search }, key);
  expect(first.status).toBe(202);
  const sweep = first.json as SweepView;
  expect(first.headers.get('location')).toBe(`/v1/sweeps/${sweep.id}`);
  expect(sweep).toMatchObject({ name: 'swept', state: 'queued', search });
  expect(sweep.trials.map(({ state, parameters }) => ({ state, parameters }))).toEqual([
    { state: 'queued', parameters: { '/model/code': 8 } },
    { state: 'queued', parameters: { '/model/code': 16 } },
  ]);
  expect((await gateway.rest.send('POST', '/v1/sweeps', { job, search }, key)).json).toEqual(sweep);
  const other = await gateway.rest.send('POST', '/v1/sweeps', { job, search, priority: 1 }, key);
  expect(restRefusal(other)).toMatchObject({ code: 'idempotency-key-reused' });

  expect((await gateway.rest.send('GET', `/v1/sweeps/${sweep.id}`)).json).toEqual(sweep);
  expect((await gateway.rest.send('GET', '/v1/sweeps?limit=1')).json).toEqual({ sweeps: [sweep] });
  const trial = await gateway.rest.send('GET', `/v1/jobs/${sweep.trials[1]?.id}`);
  expect(trial.json).toMatchObject({ state: 'queued', spec: { model: { code: 16 } } });

  const cancelled = await gateway.rest.send('POST', `/v1/sweeps/${sweep.id}/cancel`);
  expect(cancelled.status).toBe(202);
  const states = (cancelled.json as SweepView).trials.map(({ state }) => state);
  expect([(cancelled.json as SweepView).state, ...states]).toEqual(['cancelled', 'cancelled', 'cancelled']);
});

it.each([
  ['nothing', {}, 400, '/job'],
  ['no search', { job }, 400, '/search'],
  ['an unknown field', { job, search, publish: true }, 400, '/publish'],
  ['a data set that is not there', { job: { ...job, dataset: 'nothing' }, search }, 404, undefined],
  [
    'a trial that cannot work',
    { job, search: { ...search, parameters: { '/model/code': [0] } } },
    422,
    '/job/model/code',
  ],
])('refuses %s', async (_, body, status, field) => {
  const answer = await gateway.rest.send('POST', '/v1/sweeps', body);
  expect(answer.status).toBe(status);
  if (field !== undefined) expect(answer.json).toMatchObject({ field });
});

it('does not take a job for a sweep', async () => {
  const { json } = await gateway.rest.send('POST', '/v1/jobs', job);
  const answer = await gateway.rest.send('GET', `/v1/sweeps/${(json as { id: string }).id}`);
  expect(restRefusal(answer)).toMatchObject({ code: 'job-not-found' });
});
