/** Turns trained weights into the files that are served: each function of the model as an ONNX file of its own. */

import type { NdArrays, Shape } from '../base/ndarray.ts';
import type { BatchFunction } from '../engine/engine.ts';
import { exportOnnx, type Metadata } from '../engine/export.ts';
import { type Autoencoder, codeOf, reconstructionOf } from '../models/autoencoder.ts';
import { parameter } from '../models/layers.ts';

const rows = (shape: Shape) => ({ dtype: 'float32', shape }) as const;

/** x [batch, …input] → z [batch, …code] */
export const encoderOf = (model: Autoencoder, weights: NdArrays): BatchFunction => ({
  name: 'encoder',
  inputs: { x: rows(model.inputShape) },
  weights,
  call: (inputs, p) => ({ z: codeOf(model, p, parameter(inputs, 'x')) }),
});

/** z [batch, …code] → x [batch, …input] */
export const decoderOf = (model: Autoencoder, weights: NdArrays): BatchFunction => ({
  name: 'decoder',
  inputs: { z: rows(model.codeShape) },
  weights,
  call: (inputs, p) => ({ x: reconstructionOf(model, p, parameter(inputs, 'z')) }),
});

export function modelFiles(model: Autoencoder, weights: NdArrays, metadata: Metadata): Record<string, Uint8Array> {
  return {
    'encoder.onnx': exportOnnx(encoderOf(model, weights), metadata),
    'decoder.onnx': exportOnnx(decoderOf(model, weights), metadata),
  };
}
