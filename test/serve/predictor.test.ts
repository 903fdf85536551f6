// Predictions on real models: what each operation answers, every refusal, and the bits of merged requests.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { defaultCaller } from '../../src/base/caller.ts';
import { firstPreprocessing } from '../../src/picture/preprocessing.ts';
import type { Operation } from '../../src/registry/manifest.ts';
import { irregular } from '../helpers/onnx-models.ts';
import { batch, failure, type Serving, startServing, times } from './serving.ts';

describe('operations', () => {
  it('answer with the version that did it, rows in the form they came in', async () => {
    const { predictor, publish } = await startServing();
    await publish('digits', times(3), { inputRange: [0, 10] });
    const encoded = await predictor.predict(defaultCaller, {
      operation: 'encode',
      model: 'digits',
      inputs: batch(1, 2, 3, 4),
    });
    expect(encoded).toEqual({
      model: 'digits',
      version: 1,
      rowShape: [2, 2, 1],
      outputs: { dtype: 'float32', shape: [1, 2], data: Float32Array.of(3, 6) },
    });
    const codes = { dtype: 'float32', shape: [2, 2], data: Float32Array.of(5, 6, 7, 8) } as const;
    const decoded = await predictor.predict(defaultCaller, { operation: 'decode', model: 'digits@1', inputs: codes });
    expect(decoded.outputs).toEqual({
      dtype: 'float32',
      shape: [2, 4],
      data: Float32Array.of(5, 6, 0, 0, 7, 8, 0, 0),
    });
    for (const operation of ['denoise', 'reconstruct'] as const) {
      const { outputs } = await predictor.predict(defaultCaller, {
        operation,
        model: 'digits',
        inputs: batch(1, 2, 3, 4),
      });
      expect(outputs).toEqual({ dtype: 'float32', shape: [1, 4], data: Float32Array.of(3, 6, 0, 0) });
      const shaped = { ...batch(1, 2, 3, 4), shape: [1, 2, 2] };
      expect(
        (await predictor.predict(defaultCaller, { operation, model: 'digits', inputs: shaped })).outputs.shape,
      ).toEqual([1, 2, 2]);
    }
  });

  it.each([[[1, 4]], [[1, 2, 2, 1]], [[1, 2, 2]]])('take rows of shape %j', async (shape) => {
    const { predictor, publish } = await startServing();
    await publish('digits', times(1));
    const inputs = { ...batch(1, 2, 3, 4), shape };
    const { outputs } = await predictor.predict(defaultCaller, { operation: 'encode', inputs });
    expect([...outputs.data]).toEqual([1, 2]);
  });

  it('leave the rows of the request as they were', async () => {
    const { predictor, publish } = await startServing();
    await publish('digits', times(1));
    const inputs = batch(1, 2, 3, 4);
    await predictor.predict(defaultCaller, { operation: 'encode', inputs });
    expect([...inputs.data]).toEqual([1, 2, 3, 4]);
  });

  it('say for whom they would be, without rows', async () => {
    const { predictor, publish } = await startServing();
    await publish('digits', times(1), { operations: ['encode', 'decode'] });
    expect(await predictor.resolve(defaultCaller, 'encode', 'digits')).toEqual({
      model: 'digits',
      version: 1,
      inputShape: [2, 2, 1],
      inputRange: [0, 1],
      // of versions that state none
      preprocessing: firstPreprocessing,
    });
    expect((await predictor.resolve(defaultCaller, 'decode')).inputShape).toEqual([2]);
    expect((await failure(predictor.resolve(defaultCaller, 'denoise', 'digits'))).code).toBe('operation-not-supported');
    expect((await failure(predictor.resolve(defaultCaller, 'encode', 'digits@2'))).code).toBe('version-not-found');
  });
});

describe('without a model named', () => {
  it('the only one answers, else one must be named, else the configured one answers', async () => {
    const { predictor, publish } = await startServing();
    const ask = () => predictor.predict(defaultCaller, { operation: 'encode', inputs: batch(1, 2, 3, 4) });
    expect(await failure(ask())).toMatchObject({
      code: 'model-not-found',
      message: expect.stringContaining('/v1/jobs'),
    });
    await publish('digits', times(1));
    expect((await ask()).model).toBe('digits');
    const other = await startServing({ config: { defaultModel: 'faces@1' } });
    await other.publish('faces', times(2));
    await other.publish('digits', times(1));
    const { model, version } = await other.predictor.predict(defaultCaller, {
      operation: 'encode',
      inputs: batch(1, 2, 3, 4),
    });
    expect({ model, version }).toEqual({ model: 'faces', version: 1 });
    const several = await startServing();
    await several.publish('faces', times(2));
    await several.publish('digits', times(1));
    const refused = await failure(
      several.predictor.predict(defaultCaller, { operation: 'encode', inputs: batch(1, 2, 3, 4) }),
    );
    expect(refused).toMatchObject({ code: 'model-required', facts: { expected: ['digits', 'faces'] } });
  });
});

describe('a refusal', () => {
  let shared: Serving;
  let end: () => Promise<void>;
  beforeAll(async () => {
    shared = await startServing({
      onEnd(given) {
        end = given;
      },
    });
    await shared.publish('digits', times(1), { operations: ['encode', 'decode'] });
  });
  afterAll(() => end());

  const nan = Number.NaN;
  const rows = (shape: number[], ...values: number[]) =>
    ({ dtype: 'float32', shape, data: Float32Array.from(values) }) as const;
  const zeros = (...shape: number[]) => rows(shape, ...new Float32Array(shape.reduce((a, b) => a * b, 1)));

  it.each<[string, Operation, string, ReturnType<typeof rows>, string, RegExp]>([
    ['unknown model', 'encode', 'faces', zeros(1, 4), 'model-not-found', /no model faces/],
    ['unknown version', 'encode', 'digits@7', zeros(1, 4), 'version-not-found', /no version 7; it has 1/],
    ['unknown alias', 'encode', 'digits:x', zeros(1, 4), 'version-not-found', /no alias x/],
    ['bad reference', 'encode', 'Digits!', zeros(1, 4), 'invalid-reference', /digits@2/],
    [
      'operation',
      'denoise',
      'digits',
      zeros(1, 4),
      'operation-not-supported',
      /does not answer denoise; .* encode, decode/,
    ],
    [
      'too few values',
      'encode',
      'digits',
      zeros(2, 3),
      'shape-mismatch',
      /of 4 values each, flat or as \[2, 2, 1\]; got the shape \[2, 3\]/,
    ],
    ['too many values', 'encode', 'digits', zeros(1, 5), 'shape-mismatch', /\[1, 5\]/],
    ['codes for inputs', 'encode', 'digits', zeros(1, 2), 'shape-mismatch', /inputs of 4/],
    ['inputs for codes', 'decode', 'digits', zeros(1, 4), 'shape-mismatch', /codes of 2/],
    ['a row without a batch', 'encode', 'digits', zeros(4), 'shape-mismatch', /\[4\]/],
    ['transposed rows', 'encode', 'digits', zeros(1, 1, 2, 2), 'shape-mismatch', /\[1, 1, 2, 2\]/],
    ['a scalar', 'encode', 'digits', rows([], 1), 'shape-mismatch', /\[\]/],
    ['rows of nothing', 'encode', 'digits', zeros(1, 0), 'shape-mismatch', /\[1, 0\]/],
    ['an empty batch', 'encode', 'digits', zeros(0, 4), 'empty-batch', /at least one/],
    ['a large batch', 'encode', 'digits', zeros(1001, 4), 'batch-too-large', /1001 rows; at most 1000/],
    ['NaN', 'encode', 'digits', rows([2, 4], 0, 0, 0, 0, 0, 0, nan, 0), 'non-finite', /Row 1 has NaN at position 2/],
    [
      'beyond float32',
      'encode',
      'digits',
      rows([1, 4], 0, 1e39, 0, 0),
      'non-finite',
      /Row 0 has Infinity at position 1/,
    ],
    ['a NaN code', 'decode', 'digits', rows([1, 2], 0, -1 / 0), 'non-finite', /Row 0 has -Infinity at position 1/],
  ])('of %s', async (_, operation, model, inputs, code, message) => {
    const { predictor } = shared;
    const error = await failure(predictor.predict(defaultCaller, { operation, model, inputs }));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
    expect(
      await failure(predictor.predict(defaultCaller, { operation: 'encode', model: 'digits', inputs: zeros(1, 4) })),
    ).toMatchObject({
      code: 'fulfilled',
    });
  });

  it('of an answer that would not be finite is the fault of who sent the numbers, and changes nothing', async () => {
    const { predictor, publish, warnings } = await startServing();
    await publish('digits', times(10));
    const error = await failure(
      predictor.predict(defaultCaller, { operation: 'encode', inputs: batch(1, 2, 3, 4, 1e38, 0, 0, 0) }),
    );
    expect(error.code).toBe('non-finite');
    expect(error.message).toContain('from 0 to 1');
    const { outputs } = await predictor.predict(defaultCaller, { operation: 'encode', inputs: batch(1, 2, 3, 4) });
    expect([...outputs.data]).toEqual([10, 20]);
    expect(warnings).toEqual([]);
  });

  it('of one request does not touch those that share its run', async () => {
    const { predictor, publish } = await startServing({ pool: { threads: 1 } });
    await publish('digits', times(10));
    const ask = (value: number) =>
      predictor.predict(defaultCaller, { operation: 'encode', inputs: batch(value, 0, 0, 0) });
    await ask(0);
    const answers = await Promise.all([ask(1), ask(2), failure(ask(1e38)), ask(3)]);
    expect(answers[2]).toMatchObject({ code: 'non-finite' });
    expect(
      [answers[0], answers[1], answers[3]].map((a) => (a as Awaited<ReturnType<typeof ask>>).outputs.data[0]),
    ).toEqual([10, 20, 30]);
  });
});

describe('requests at the same time', () => {
  it('get the bits that each would get alone, and share runs', async () => {
    const { predictor, publish, metrics } = await startServing({ config: { batchRows: 16 } });
    await publish('noise', irregular(30, 7), { inputShape: [30], codeShape: [7] });
    const inputs = Array.from({ length: 60 }, (_, i) => {
      const rows = 1 + ((i * 7) % 20);
      const data = Float32Array.from({ length: rows * 30 }, (_, j) => Math.sin(i * 31 + j));
      return { dtype: 'float32', shape: [rows, 30], data } as const;
    });
    const ask = async (input: (typeof inputs)[number]) =>
      Buffer.from(
        (await predictor.predict(defaultCaller, { operation: 'reconstruct', inputs: input })).outputs.data.slice()
          .buffer,
      );
    const alone: Buffer[] = [];
    for (const input of inputs) alone.push(await ask(input));
    const together = await Promise.all(inputs.map(ask));
    expect(together.every((bytes, i) => Buffer.compare(bytes, alone[i]!) === 0)).toBe(true);

    const text = await metrics.render();
    const value = (name: string) => Number(new RegExp(`^${name}\\{[^}]*\\} (\\S+)$`, 'm').exec(text)?.[1]);
    const rows = inputs.reduce((sum, input) => sum + input.shape[0], 0);
    expect(value('hourglass_batch_rows_sum')).toBe(2 * rows);
    expect(value('hourglass_predicted_rows_total')).toBe(2 * rows);
    expect(value('hourglass_predictions_waiting')).toBe(0);
    // alone, each request needs its own runs; together they share them
    const runsAlone = inputs.reduce((sum, input) => sum + Math.ceil(input.shape[0] / 16), 0);
    expect(value('hourglass_batch_rows_count')).toBeLessThan(1.8 * runsAlone);
  });

  it('beyond what may wait are refused, and the others answered', async () => {
    const { predictor, publish } = await startServing({ config: { maxWaiting: 20 }, pool: { threads: 1 } });
    await publish('digits', times(1));
    await predictor.predict(defaultCaller, { operation: 'encode', inputs: batch(0, 0, 0, 0) });
    const ask = (i: number) => predictor.predict(defaultCaller, { operation: 'encode', inputs: batch(i, 0, 0, 0) });
    const results = await Promise.all(Array.from({ length: 500 }, (_, i) => failure(ask(i))));
    const codes = new Set(results.map((result) => result.code));
    expect(codes).toEqual(new Set(['fulfilled', 'overloaded']));
    expect((await ask(7)).outputs.data[0]).toBe(7);
  });

  it('that are cancelled leave the others alone', async () => {
    const { predictor, publish } = await startServing({ pool: { threads: 1 } });
    await publish('digits', times(1));
    const gone = AbortSignal.abort();
    const ask = (i: number) =>
      predictor.predict(defaultCaller, {
        operation: 'encode',
        inputs: batch(i, 0, 0, 0),
        ...(i % 2 === 1 && { demand: { signal: gone, isOver: () => undefined } }),
      });
    const results = await Promise.all(
      Array.from({ length: 40 }, (_, i) =>
        ask(i).then(
          ({ outputs }) => outputs.data[0],
          (error) => error.code,
        ),
      ),
    );
    expect(results).toEqual(results.map((_, i) => (i % 2 === 1 ? 'cancelled' : i)));
  });
});

describe('closing', () => {
  it('finishes what is in flight', async () => {
    const { predictor, publish } = await startServing();
    await publish('digits', times(1));
    await predictor.predict(defaultCaller, { operation: 'encode', inputs: batch(0, 0, 0, 0) });
    const answers = Array.from({ length: 50 }, (_, i) =>
      failure(predictor.predict(defaultCaller, { operation: 'encode', inputs: batch(i, 0, 0, 0) })),
    );
    // they look the model up first
    await answers[0];
    await predictor.close();
    const codes = new Set((await Promise.all(answers)).map((result) => result.code));
    expect([...codes].filter((code) => code !== 'fulfilled' && code !== 'shutting-down')).toEqual([]);
    const late = await failure(predictor.predict(defaultCaller, { operation: 'encode', inputs: batch(1, 0, 0, 0) }));
    expect(late.code).toBe('shutting-down');
  });
});
