// Rows outside of the range that a model was trained on are answered, with a warning.
import { describe, expect, it } from 'vitest';
import { defaultCaller } from '../../src/base/caller.ts';
import type { Operation } from '../../src/registry/manifest.ts';
import { batch, failure, type Serving, startServing, times } from './serving.ts';

const warningsOf = async ({ predictor }: Serving, operation: Operation, ...values: number[]) =>
  (await predictor.predict(defaultCaller, { operation, inputs: batch(...values) })).warnings;

describe.each([{ inlineModels: true }, { inlineModels: false }])('with %j', (config) => {
  const ordinary = [0, 0.5, 1, 0.25];

  it('names what was found, the row, the range and the scaling', async () => {
    const serving = await startServing({ config });
    await serving.publish('digits', times(1), { inputScaling: { divisor: 255 } });
    for (const operation of ['encode', 'reconstruct', 'denoise'] as const) {
      for (let call = 0; call < 2; call++) {
        expect(await warningsOf(serving, operation, ...ordinary, 0, 255, 128, 7)).toEqual([
          'The rows have values up to 255, first in row 1; digits@1 was trained on values from 0 to 1, which were divided by 255 (inputScaling.divisor). The answer may be meaningless. Divide the values by 255 before sending them.',
        ]);
        expect(await warningsOf(serving, operation, ...ordinary)).toBeUndefined();
      }
    }
    expect(await warningsOf(serving, 'encode', -3, 0, 255, 0)).toEqual([
      expect.stringContaining('values from -3 to 255, first in row 0'),
    ]);
  });

  it('does not speak of a scaling that was none', async () => {
    const serving = await startServing({ config });
    await serving.publish('table', times(1), { inputRange: [-2, 8], inputScaling: { divisor: 1 } });
    const [warning] = (await warningsOf(serving, 'encode', -2, 8, -2.5, 3)) ?? [];
    expect(warning).toMatch(/values down to -2\.5, first in row 0; table@1 was trained on values from -2 to 8\./);
    expect(warning).not.toMatch(/ivide/);
  });

  it('says nothing of 1 % of the range, of noise, or of codes', async () => {
    const serving = await startServing({ config });
    await serving.publish('digits', times(1));
    expect(await warningsOf(serving, 'encode', -0.009, 1.009, 0, 1)).toBeUndefined();
    expect(await warningsOf(serving, 'encode', -0.011, 1, 0, 1)).toHaveLength(1);
    expect(await warningsOf(serving, 'denoise', -0.9, 1.9, 0, 1)).toBeUndefined();
    expect(await warningsOf(serving, 'denoise', -1.1, 1, 0, 1)).toHaveLength(1);
    const codes = { dtype: 'float32', shape: [1, 2], data: Float32Array.of(-500, 500) } as const;
    const decoded = await serving.predictor.predict(defaultCaller, { operation: 'decode', inputs: codes });
    expect(decoded.warnings).toBeUndefined();
  });

  it.each([NaN, Infinity, -Infinity])('still refuses %s, also behind a value outside of the range', async (value) => {
    const serving = await startServing({ config });
    await serving.publish('digits', times(1));
    for (const values of [
      [0, 1, 0, value],
      [9, 1, 0, value],
    ]) {
      const inputs = batch(...values);
      const error = await failure(serving.predictor.predict(defaultCaller, { operation: 'encode', inputs }));
      expect(error).toMatchObject({ code: 'non-finite', facts: { field: '/inputs/0/3', found: String(value) } });
    }
  });
});
