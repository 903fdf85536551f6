/** Autoencoders to serve: sigmoid layers with fixed random weights, written by the exporter. */

import * as tf from '@tensorflow/tfjs-core';
import type { NdArrays } from '../../src/base/ndarray.ts';
import { exportOnnx } from '../../src/engine/export.ts';

/** `widths` are of the encoder; the decoder mirrors them. */
export function denseAutoencoder(widths: readonly number[]): { encoder: Uint8Array; decoder: Uint8Array } {
  return { encoder: stack('encoder', 'x', 'z', widths), decoder: stack('decoder', 'z', 'x', widths.toReversed()) };
}

function stack(name: string, input: string, output: string, widths: readonly number[]): Uint8Array {
  const weights: Record<string, NdArrays[string]> = {};
  for (const [i, width] of widths.slice(1).entries()) {
    const before = widths[i] ?? 0;
    const data = Float32Array.from({ length: before * width }, (_, j) => Math.sin(j * 12.9898) / Math.sqrt(before));
    weights[`W${i}`] = { dtype: 'float32', shape: [before, width], data };
  }
  return exportOnnx(
    {
      name,
      inputs: { [input]: { dtype: 'float32', shape: [widths[0] ?? 0] } },
      weights,
      call(inputs, given) {
        const layers = Object.keys(weights).map((key) => given[key] as tf.Tensor2D);
        const out = layers.reduce((h, W) => tf.sigmoid(tf.matMul(h, W)), inputs[input] as tf.Tensor2D);
        return { [output]: out };
      },
    },
    { producer: 'hourglass', version: '0.0.0', properties: {} },
  );
}
