// What a recording is: a small graph with nothing in it that is not needed, the same each time; and what it refuses.
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import type { TensorSpecs } from '../../src/base/ndarray.ts';
import type { Program, Tensors } from '../../src/engine/engine.ts';
import { recordStep } from '../../src/engine/onnx/engine.ts';
import { stepModel } from '../../src/engine/onnx/model.ts';
import { RecordingError, record } from '../../src/engine/onnx/record.ts';
import { showGraph } from '../../src/engine/onnx/text.ts';

const x: TensorSpecs = { x: { dtype: 'float32', shape: [2, 3] } };

/** The printed graph of a function of x, one line a node. */
function graphOf(f: (x: tf.Tensor) => tf.Tensor, specs = x): string[] {
  const { outputs } = record('test', specs, (inputs) => ({ y: f(inputs.x!) }));
  const text = showGraph(Object.entries(outputs).map(([name, value]) => ({ name, value })));
  return text.trim().split('\n').slice(1);
}

const dense: Program = {
  name: 'dense',
  state: { W: { dtype: 'float32', shape: [3, 2] }, b: { dtype: 'float32', shape: [2] } },
  constants: { frozen: { dtype: 'float32', shape: [2, 3] } },
  feeds: { x: { dtype: 'float32', shape: [4, 3] }, rate: { dtype: 'float32', shape: [] } },
  step({ state, constants, feeds }) {
    const loss = (W: tf.Tensor, b: tf.Tensor) => {
      const z = tf.relu(tf.add(tf.matMul(feeds.x!, W), b));
      const y = tf.matMul(z, tf.sigmoid(constants.frozen!));
      return tf.mean(tf.squaredDifference(y, feeds.x!)) as tf.Scalar;
    };
    const { value, grads } = tf.valueAndGrads(loss)([state.W!, state.b!]);
    const next = (w: tf.Tensor, g: tf.Tensor) => tf.sub(w, tf.mul(g, feeds.rate!));
    return { state: { W: next(state.W!, grads[0]!), b: next(state.b!, grads[1]!) }, outputs: { loss: value } };
  },
};

describe('a graph', () => {
  it('has no nodes that no output needs', () => {
    expect(
      graphOf((v) => {
        tf.exp(v);
        return tf.abs(v);
      }),
    ).toEqual(['t0: float32 [2, 3] = Abs(x)', 'y: t0']);
  });

  it('computes equal things once', () => {
    expect(graphOf((v) => tf.add(tf.exp(v), tf.exp(v)))).toEqual([
      't0: float32 [2, 3] = Exp(x)',
      't1: float32 [2, 3] = Add(t0, t0)',
      'y: t1',
    ]);
  });

  it('leaves out what changes nothing', () => {
    const idle = (v: tf.Tensor) => tf.add(tf.mul(tf.reshape(v, [2, 3]), tf.ones([2, 3])), tf.zerosLike(v));
    expect(graphOf(idle)).toEqual(['y: x']);
    const turned = (v: tf.Tensor) => tf.transpose(tf.transpose(tf.cast(v, 'float32'), [1, 0]), [1, 0]);
    expect(graphOf(turned)).toEqual(['y: x']);
    expect(graphOf((v) => tf.reshape(tf.reshape(v, [3, 2]), [2, 3, 1]))).toEqual([
      't0: float32 [2, 3, 1] = Reshape(x, [2, 3, 1])',
      'y: t0',
    ]);
  });

  it('folds constants', () => {
    expect(graphOf((v) => tf.mul(v, tf.div(tf.mul(tf.fill([2, 3], 3), 2), tf.scalar(4))))).toEqual([
      't0: float32 [2, 3] = Mul(x, 1.5)',
      'y: t0',
    ]);
  });

  it('gives the same bytes each time', () => {
    const bytes = () => stepModel(recordStep(dense), { producer: 'test', version: '1' });
    expect(Buffer.compare(bytes(), bytes())).toBe(0);
  });

  it('of a training step is the one that was reviewed', async () => {
    const step = recordStep(dense);
    const text = showGraph([...step.next.map((port) => ({ ...port, name: `next/${port.name}` })), ...step.outputs]);
    await expect(text).toMatchFileSnapshot('../golden/engine-dense-step.txt');
  });
});

describe('a recording refuses', () => {
  const refusal = (f: (inputs: Tensors) => tf.Tensor, specs = x): RecordingError => {
    try {
      record('autoencoder', specs, (inputs) => ({ y: f(inputs) }));
    } catch (error) {
      expect(error).toBeInstanceOf(RecordingError);
      return error as RecordingError;
    }
    throw new Error('nothing was refused');
  };

  it('an op without an ONNX form, naming op, shapes and place', () => {
    const { message } = refusal(({ x: v }) => tf.unique(tf.reshape(v!, [6])).values);
    expect(message).toMatch(/^Program autoencoder: The op Unique\(x: float32 \[6\]\) has no ONNX form here\./);
    expect(message).toMatch(/at .*record\.test\.ts:\d+:\d+\)?$/);
  });

  it('the same inside a gradient', () => {
    const { message } = refusal(({ x: v }) => tf.grad((t) => tf.sum(tf.fft(tf.complex(t, t)) as tf.Tensor))(v!));
    expect(message).toMatch(/The op Complex\(real: float32 \[2,3\], imag: float32 \[2,3\]\)/);
    expect(message).toMatch(/record\.test\.ts/);
  });

  it('reading a value, saying why', () => {
    for (const read of [(v: tf.Tensor) => v.dataSync(), (v: tf.Tensor) => v.arraySync()]) {
      const { message } = refusal(({ x: v }) => {
        read(tf.sum(v!));
        return v!;
      });
      expect(message).toMatch(/^Program autoencoder: The value of a float32 \[\] tensor was read/);
      expect(message).toMatch(/tensors have no values; return the tensor as an output/);
      expect(message).toMatch(/record\.test\.ts/);
    }
  });

  it('types that ONNX does not have here', () => {
    const { message } = refusal(() => tf.fill([2], 'a'));
    expect(message).toMatch(/The op Fill\(\) has no ONNX form: it makes a string tensor\./);
  });
});

describe('around a recording', () => {
  it('values that were known before can be read and are constants', () => {
    const table = tf.tensor1d([1, 2, 3]);
    const text = graphOf((v) => tf.mul(v, tf.scalar(table.dataSync()[1]!)));
    expect(text[0]).toBe('t0: float32 [2, 3] = Mul(x, 2)');
    expect(graphOf((v) => tf.add(v, table))[0]).toBe('t0: float32 [2, 3] = Add(x, [1, 2, 3])');
    // the tensor has been in the recorder and still has its values
    expect([...table.dataSync()]).toEqual([1, 2, 3]);
    table.dispose();
  });

  it('leaves tfjs as it was, also after a refusal', async () => {
    await tf.setBackend('cpu');
    const before = tf.memory().numTensors;
    graphOf((v) => tf.relu(v));
    expect(() => graphOf((v) => tf.unique(v).values)).toThrow(RecordingError);
    expect(tf.getBackend()).toBe('cpu');
    expect(tf.memory().numTensors).toBe(before);
    expect([...tf.square(tf.tensor1d([3])).dataSync()]).toEqual([9]);
  });
});
