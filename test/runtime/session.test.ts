// The door to ONNX Runtime: typed ports, refusals that name the port, memory that is written in place, and what is not there.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, describe, expect, it } from 'vitest';
import { HourglassError } from '../../src/base/errors.ts';
import { float32, ndarray } from '../../src/base/ndarray.ts';
import { exportOnnx } from '../../src/engine/export.ts';
import { requireDevice, Session } from '../../src/runtime/session.ts';

/** y = relu(x) · w per row, b = y > 1 */
const model = exportOnnx(
  {
    name: 'double',
    inputs: { x: { dtype: 'float32', shape: [2] } },
    weights: { w: float32([], Float32Array.of(2)) },
    call: ({ x }, { w }) => {
      const y = tf.mul(tf.relu(x!), w!);
      return { y, large: tf.greater(y, 1), whole: tf.cast(y, 'int32') };
    },
  },
  { producer: 'test', version: '1' },
);
const session = Session.create(model);
afterAll(() => session.dispose());

const x = float32([2, 2], Float32Array.of(1, -1, 0.25, 3.5));

function refusal(f: () => unknown): HourglassError {
  try {
    f();
  } catch (error) {
    expect(error).toBeInstanceOf(HourglassError);
    return error as HourglassError;
  }
  throw new Error('nothing was refused');
}

describe('running', () => {
  it('knows its ports', () => {
    expect(session.inputs).toEqual([{ name: 'x', dtype: 'float32', shape: ['batch', 2] }]);
    expect(session.outputs).toEqual([
      { name: 'y', dtype: 'float32', shape: ['batch', 2] },
      { name: 'large', dtype: 'bool', shape: ['batch', 2] },
      { name: 'whole', dtype: 'int32', shape: ['batch', 2] },
    ]);
  });

  it('answers by name, in three types', async () => {
    const wanted = {
      y: float32([2, 2], Float32Array.of(2, 0, 0.5, 7)),
      large: ndarray('bool', [2, 2], Uint8Array.of(1, 0, 0, 1)),
      whole: ndarray('int32', [2, 2], Int32Array.of(2, 0, 0, 7)),
    };
    expect(session.runSync({ x })).toEqual(wanted);
    expect(await session.run({ x })).toEqual(wanted);
  });

  it('writes into memory that it is given', () => {
    const y = float32([2, 2], new Float32Array(4));
    const found = session.runSync({ x }, { y });
    expect(found.y).toBe(y);
    expect([...y.data]).toEqual([2, 0, 0.5, 7]);
  });

  it('runs on memory that stays where it is', () => {
    const [given, y, large, whole] = [new Float32Array(2), new Float32Array(2), new Uint8Array(2), new Int32Array(2)];
    const run = session.bind(
      { x: float32([1, 2], given) },
      { y: float32([1, 2], y), large: ndarray('bool', [1, 2], large), whole: ndarray('int32', [1, 2], whole) },
    );
    given.set([4, 0]);
    run();
    expect([[...y], [...large], [...whole]]).toEqual([
      [8, 0],
      [1, 0],
      [8, 0],
    ]);
    given.set([1, 2]);
    run();
    expect([...y]).toEqual([2, 4]);
    expect(refusal(() => session.bind({}, {}))).toMatchObject({ code: 'shape-mismatch', facts: { field: 'x' } });
  });

  it('loads from a file', () => {
    const folder = mkdtempSync(path.join(os.tmpdir(), 'hourglass-session-'));
    try {
      writeFileSync(path.join(folder, 'model.onnx'), model);
      const loaded = Session.create(path.join(folder, 'model.onnx'));
      expect([...loaded.runSync({ x }).y!.data]).toEqual([2, 0, 0.5, 7]);
      loaded.dispose();
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('refusals', () => {
  it('an input that is missing, of another type or shape', () => {
    expect(refusal(() => session.runSync({}))).toMatchObject({ code: 'shape-mismatch', facts: { field: 'x' } });
    const whole = ndarray('int32', [1, 2], new Int32Array(2));
    expect(refusal(() => session.runSync({ x: whole }))).toMatchObject({
      code: 'invalid-type',
      facts: { expected: 'float32', found: 'int32' },
    });
    expect(refusal(() => session.runSync({ x: float32([1, 3], new Float32Array(3)) }))).toMatchObject({
      code: 'shape-mismatch',
      message: 'The input x must be float32 [batch, 2], got [1, 3].',
    });
  });

  it('bytes that are no model', () => {
    expect(refusal(() => Session.create(Uint8Array.of(1, 2, 3))).code).toBe('model-corrupt');
    expect(refusal(() => Session.create('/no/such/model.onnx')).code).toBe('model-corrupt');
    expect(refusal(() => Session.create(model.slice(0, model.length / 2))).code).toBe('model-corrupt');
  });

  it('a session that was disposed, which may be done twice', () => {
    const short = Session.create(model);
    short.dispose();
    short.dispose();
    expect(refusal(() => short.runSync({ x })).message).toBe('The session was disposed.');
  });

  it('a device that ONNX Runtime does not have here, naming what is missing', () => {
    for (const device of ['cuda', 'webgpu'] as const) {
      let found: unknown;
      try {
        requireDevice(device);
        Session.create(model, { device }).dispose();
        continue; // this machine has one
      } catch (error) {
        found = error;
      }
      expect(found).toMatchObject({ code: 'device-unavailable', facts: { field: 'device', found: device } });
      const { message } = found as HourglassError;
      expect(message).toMatch(new RegExp(`^ONNX Runtime (has no|cannot start on) ${device} here`));
      expect(message).toMatch(
        device === 'cuda' ? /NVIDIA driver, CUDA 12 and cuDNN 9/ : /Vulkan driver|a GPU with its driver/,
      );
      expect(message).not.toMatch(/[\\/](node_modules|build)[\\/]/);
    }
  });
});

// other processors compute as fast with denormal numbers, and ONNX Runtime leaves them alone there
describe.runIf(process.arch === 'x64')('denormal numbers', () => {
  const denormal = new Float32Array(Uint32Array.of(0x0000_1234, 0x8000_0001).buffer);
  const bitsOf = (data: ArrayBufferView) => [...new Uint32Array(data.buffer, data.byteOffset, 2)];

  it.each([1, 2])('are taken as zero, with %i threads', (threads) => {
    const own = Session.create(model, { threads });
    const { y } = own.runSync({ x: float32([1, 2], denormal.slice()) });
    own.dispose();
    expect(bitsOf(y!.data).map((word) => word & 0x7fff_ffff)).toEqual([0, 0]);
  });
});
