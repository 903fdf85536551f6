// Small autoencoders as ONNX files, written by the engine's own exporter.
import * as tf from '@tensorflow/tfjs-core';
import type { NdArray } from '../../src/base/ndarray.ts';
import { exportOnnx } from '../../src/engine/export.ts';

export interface ModelFiles {
  readonly 'encoder.onnx': Uint8Array;
  readonly 'decoder.onnx': Uint8Array;
}

const metadata = { producer: 'hourglass', version: '0.0.0', properties: {} };

function matrix(rows: number, columns: number, value: (row: number, column: number) => number): NdArray<'float32'> {
  const data = Float32Array.from({ length: rows * columns }, (_, i) => value(Math.floor(i / columns), i % columns));
  return { dtype: 'float32', shape: [rows, columns], data };
}

/** One dense layer, input → output, of rows of `W.shape[0]` values. */
function layer(name: string, input: string, output: string, W: NdArray<'float32'>, squash: boolean): Uint8Array {
  return exportOnnx(
    {
      name,
      inputs: { [input]: { dtype: 'float32', shape: [W.shape[0] ?? 0] } },
      weights: { W },
      call(inputs, weights) {
        const y = tf.matMul(inputs[input] as tf.Tensor2D, weights.W as tf.Tensor2D);
        return { [output]: squash ? tf.sigmoid(y) : y };
      },
    },
    metadata,
  );
}

/**
 * z = the first `code` values of x, times `factor`; x̂ = z again, then zeros. Answers tell which model gave them.
 * A factor of NaN or Infinity makes a model that answers nonsense.
 */
export function scaling(input: number, code: number, factor: number): ModelFiles {
  const eye = (row: number, column: number) => (row === column ? 1 : 0);
  return {
    'encoder.onnx': layer(
      'encoder',
      'x',
      'z',
      matrix(input, code, (r, c) => factor * eye(r, c)),
      false,
    ),
    'decoder.onnx': layer('decoder', 'z', 'x', matrix(code, input, eye), false),
  };
}

/** Two targets of each source: its own numbers with a probability of ½, and none with ¼. */
export const spelling = (length: number): Uint8Array =>
  exportOnnx(
    {
      name: 'translator',
      inputs: { x: { dtype: 'float32', shape: [length] } },
      weights: {},
      call({ x }) {
        const source = tf.reshape(x as tf.Tensor, [-1, 1, length]);
        const [own, none] = [1, 0].map((factor) => tf.mul(source, factor)) as [tf.Tensor, tf.Tensor];
        const logs = (probability: number) =>
          tf.add(tf.mul(tf.slice(source, [0, 0, 0], [-1, -1, 1]), 0), Math.log(probability));
        return { y: tf.concat([tf.concat([own, logs(0.5)], 2), tf.concat([none, logs(0.25)], 2)], 1) };
      },
    },
    metadata,
  );

/** As `scaling` by 1, of rows in which NaN stands for what was not observed: it counts as 0. */
export function fillingGaps(input: number, code: number): ModelFiles {
  const encoder = exportOnnx(
    {
      name: 'encoder',
      inputs: { x: { dtype: 'float32', shape: [input] } },
      weights: { W: matrix(input, code, (row, column) => (row === column ? 1 : 0)) },
      call({ x }, { W }) {
        const there = tf.where(tf.isNaN(x as tf.Tensor), tf.zerosLike(x as tf.Tensor), x as tf.Tensor);
        return { z: tf.matMul(there as tf.Tensor2D, W as tf.Tensor2D) };
      },
    },
    metadata,
  );
  return { ...scaling(input, code, 1), 'encoder.onnx': encoder };
}

/**
 * What a version with a head has besides: p = softmax of the first `classes` values of x; the score of a row is the sum of its
 * values, calibrated on held-out rows whose scores were 0, 1, … 100.
 */
export function headed(input: number, classes: number): Readonly<Record<string, Uint8Array>> {
  const rows = { x: { dtype: 'float32', shape: [input] } } as const;
  const W = matrix(input, classes, (row, column) => (row === column ? 1 : 0));
  const classifier = {
    name: 'classifier',
    inputs: rows,
    weights: { W },
    call: (inputs: Readonly<Record<string, tf.Tensor>>, weights: Readonly<Record<string, tf.Tensor>>) => ({
      probabilities: tf.softmax(tf.matMul(inputs.x as tf.Tensor2D, weights.W as tf.Tensor2D)),
    }),
  };
  const outliers = {
    name: 'outliers',
    inputs: rows,
    weights: {},
    call: (inputs: Readonly<Record<string, tf.Tensor>>) => ({ score: tf.sum(inputs.x as tf.Tensor2D, 1) }),
  };
  const calibration = { rows: 101, quantiles: Array.from({ length: 101 }, (_, i) => i) };
  return {
    'classifier.onnx': exportOnnx(classifier, metadata),
    'outliers.onnx': exportOnnx(outliers, metadata),
    'outliers.json': Buffer.from(JSON.stringify(calibration)),
  };
}

/** A recommender that scores each item as its mirror image was rated. */
export function reversing(items: number): Uint8Array {
  return exportOnnx(
    {
      name: 'recommender',
      inputs: { x: { dtype: 'float32', shape: [items] } },
      weights: { W: matrix(items, items, (row, column) => (row + column === items - 1 ? 1 : 0)) },
      call: (inputs, weights) => ({ scores: tf.matMul(inputs.x as tf.Tensor2D, weights.W as tf.Tensor2D) }),
    },
    metadata,
  );
}

/** Dense sigmoid layers with irregular weights, whose answers use every bit. */
export function irregular(input: number, code: number): ModelFiles {
  const weight = (row: number, column: number) => Math.sin(1 + row * 12.9898 + column * 78.233) / Math.sqrt(input);
  return {
    'encoder.onnx': layer('encoder', 'x', 'z', matrix(input, code, weight), true),
    'decoder.onnx': layer('decoder', 'z', 'x', matrix(code, input, weight), true),
  };
}

/** Pictures of side × side through the `code` lowest of their cosine coefficients (DCT-II) and back: a good linear code. */
export function cosines(side: number, code: number): ModelFiles {
  const wave = (k: number, i: number) =>
    Math.sqrt((k === 0 ? 1 : 2) / side) * Math.cos((Math.PI * k * (2 * i + 1)) / (2 * side));
  const frequencies = Array.from({ length: side * side }, (_, k) => [Math.floor(k / side), k % side] as const)
    .sort(([a, b], [c, d]) => a + b - c - d || a - c)
    .slice(0, code);
  const basis = (pixel: number, unit: number) => {
    const [down = 0, across = 0] = frequencies[unit] ?? [];
    return wave(down, Math.floor(pixel / side)) * wave(across, pixel % side);
  };
  return {
    'encoder.onnx': layer('encoder', 'x', 'z', matrix(side * side, code, basis), false),
    'decoder.onnx': layer(
      'decoder',
      'z',
      'x',
      matrix(code, side * side, (unit, pixel) => basis(pixel, unit)),
      false,
    ),
  };
}
