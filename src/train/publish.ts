/** Turns trained weights into the files that are served: each function of the model as an ONNX file of its own. */

import type { NdArrays, Shape } from '../base/ndarray.ts';
import type { BatchFunction } from '../engine/engine.ts';
import { exportOnnx, type Metadata } from '../engine/export.ts';
import { type Autoencoder, codeOf, reconstructionOf } from '../models/autoencoder.ts';
import { type Classifier, probabilities } from '../models/classifier.ts';
import { parameter } from '../models/layers.ts';
import { outlierScore } from '../models/outlier.ts';
import type { Plan } from '../models/plan.ts';
import type { Recommender } from '../models/recommender.ts';
import type { Translator } from '../models/sequence-to-sequence.ts';
import type { OutlierFit } from './outliers.ts';

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

/** x [batch, …input] → probabilities [batch, classes] */
export const classifierOf = (model: Autoencoder, classifier: Classifier, weights: NdArrays): BatchFunction => ({
  name: 'classifier',
  inputs: { x: rows(model.inputShape) },
  weights,
  call: (inputs, p) => ({ probabilities: probabilities(classifier, p, parameter(inputs, 'x')) }),
});

/** x [batch, …input] → score [batch] */
export const outlierScoreOf = (model: Autoencoder, weights: NdArrays): BatchFunction => ({
  name: 'outliers',
  inputs: { x: rows(model.inputShape) },
  weights,
  call: (inputs, p) => ({ score: outlierScore(model, p, parameter(inputs, 'x')) }),
});

/** `outliers.onnx`, the score, and `outliers.json`, its calibration. */
export const outlierFiles = (model: Autoencoder, weights: NdArrays, fit: OutlierFit, metadata: Metadata) => ({
  'outliers.onnx': exportOnnx(outlierScoreOf(model, { ...weights, ...fit.weights }), metadata),
  'outliers.json': Buffer.from(`${JSON.stringify(fit.calibration)}\n`),
});

/** `recommender.onnx`, ratings → scores, and `encoder.onnx`, ratings → code, where there is one. */
export const recommenderFiles = (model: Recommender, weights: NdArrays, metadata: Metadata) => ({
  'recommender.onnx': exportOnnx(model.recommender(weights), metadata),
  ...(model.encoder && { 'encoder.onnx': exportOnnx(model.encoder(weights), metadata) }),
});

/** `translator.onnx`, source → targets, and `encoder.onnx`, source → what was read of it. */
export const translatorFiles = (model: Translator, weights: NdArrays, metadata: Metadata) => ({
  'translator.onnx': exportOnnx(model.translator(weights), metadata),
  'encoder.onnx': exportOnnx(model.encoder(weights), metadata),
});

export function modelFiles(
  { autoencoder: model, classifier }: Plan,
  weights: NdArrays,
  metadata: Metadata,
): Record<string, Uint8Array> {
  return {
    ...(classifier && { 'classifier.onnx': exportOnnx(classifierOf(model, classifier, weights), metadata) }),
    'encoder.onnx': exportOnnx(encoderOf(model, weights), metadata),
    'decoder.onnx': exportOnnx(decoderOf(model, weights), metadata),
  };
}
