// The built-in runtime against ONNX Runtime on every architecture's encoder, and what it refuses.
import { describe, expect, it } from 'vitest';
import { float32 } from '../../src/base/ndarray.ts';
import { Session } from '../../src/runtime/session.ts';
import { openBuiltIn } from '../../src/sdk/built-in-runtime.ts';
import { architectures, encoderFile, someDigits, switching } from './encoders.ts';

const inputShape = [28, 28, 1];

describe('the built-in runtime', () => {
  it.each(Object.entries(architectures))('computes the codes of %s as ONNX Runtime does', async (_, model) => {
    const { file } = encoderFile(model);
    const rows = await someDigits();
    const run = openBuiltIn(file, inputShape);
    if (!run) throw new Error('the encoder is not built in');
    const codes = await run(rows, 8);
    const session = Session.create(file);
    try {
      const expected = session.runSync({ x: float32([8, ...inputShape], rows) }).z?.data as Float32Array;
      expect(codes.length).toBe(expected.length);
      const scale = Math.max(...expected.map(Math.abs));
      expect(scale).toBeGreaterThan(0.01);
      for (const [i, z] of codes.entries()) expect(Math.abs(z - (expected[i] as number))).toBeLessThan(3e-6 * scale);
    } finally {
      session.dispose();
    }
    // a row alone is the row in a batch
    expect([...(await run(rows.subarray(784, 2 * 784), 1))]).toEqual([
      ...codes.subarray(codes.length / 8, codes.length / 4),
    ]);
  });

  it('says so when an operator is not built in, and when the file is damaged', () => {
    expect(openBuiltIn(encoderFile(switching).file, inputShape)).toBeUndefined();
    const { file } = encoderFile(architectures.dense as object);
    expect(() => openBuiltIn(file.subarray(0, file.length - 100), inputShape)).toThrow(RangeError);
    expect(() => openBuiltIn(new Uint8Array(), inputShape)).toThrow(RangeError);
  });
});
