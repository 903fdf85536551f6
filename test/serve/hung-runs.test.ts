// Runs that never end: the thread is given up and replaced, the version set aside, and readiness tells of it.
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { defaultCaller } from '../../src/base/caller.ts';
import { Readiness } from '../../src/gateway/readiness.ts';
import { batch, failure, type Serving, startServing, times } from './serving.ts';

const script = new URL('../runtime/hanging-thread.mjs', import.meta.url);
/** beyond the time limit of the tests, and within it */
const [endless, slow] = [668, 669];

const ask = ({ predictor }: Serving, model: string, value: number) =>
  predictor.predict(defaultCaller, { operation: 'encode', model, inputs: batch(value, 0, 0, 0) });

describe('a run that never ends', () => {
  it('fails, sets its version aside, and leaves its slot to others', async () => {
    const serving = await startServing({ pool: { threads: 1, script, taskTimeoutMs: 3000 } });
    await serving.publish('digits', times(1));
    await serving.publish('faces', times(3));
    await ask(serving, 'digits', 1);
    const hung = failure(ask(serving, 'digits@1', endless));
    const waiting = ask(serving, 'faces', 2);
    expect(await hung).toMatchObject({ code: 'model-corrupt', message: expect.stringContaining('within 3 s') });
    expect([...(await waiting).outputs.data]).toEqual([6, 0]);
    expect((await failure(ask(serving, 'digits@1', 1))).code).toBe('model-corrupt');
    expect(serving.warnings).toEqual(['A model version is set aside: it is damaged: digits@1']);
  }, 40_000);

  it('lets the version before answer the bare name', async () => {
    const serving = await startServing({ pool: { threads: 1, script, taskTimeoutMs: 3000 } });
    await serving.publish('digits', times(1));
    await serving.publish('digits', times(2));
    expect((await ask(serving, 'digits', 1)).version).toBe(2);
    expect((await failure(ask(serving, 'digits@2', endless))).code).toBe('model-corrupt');
    expect((await ask(serving, 'digits', 1)).version).toBe(1);
  }, 40_000);

  it('makes the gateway not ready while it holds every thread', async () => {
    const serving = await startServing({ pool: { threads: 1, script, taskTimeoutMs: 12_000 } });
    const { registry, metrics, predictor } = serving;
    await serving.publish('digits', times(1));
    await ask(serving, 'digits', 1);
    const ping = async () => {};
    const readiness = new Readiness({
      queue: { ping },
      storage: { ping },
      registry,
      predictor,
      metrics,
      defaultModel: null,
    });
    expect(await readiness.isReady()).toBe(true);
    const hung = failure(ask(serving, 'digits', slow));
    await expect.poll(() => predictor.threads(), { timeout: 20_000, interval: 100 }).toEqual({ count: 1, stuck: 1 });
    await sleep(600);
    const { ready, parts } = await readiness.report();
    expect(ready).toBe(false);
    expect(parts.models).toEqual({ ready: false, detail: 'all 1 model threads are in runs that do not end' });
    expect((await hung).code).toBe('fulfilled');
  }, 40_000);
});
