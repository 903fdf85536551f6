// Encoders of every architecture as ONNX files, with irregular weights and no training.
import type { NdArrays } from '../../src/base/ndarray.ts';
import { exportOnnx } from '../../src/engine/export.ts';
import { resolveJobSpec } from '../../src/jobspec/resolve.ts';
import { planJob } from '../../src/models/catalog.ts';
import { initialise } from '../../src/models/parameters.ts';
import { encoderOf } from '../../src/train/publish.ts';
import { digits } from '../train/digits.ts';

const dataset = digits({ train: 8, test: 8 });

export const architectures: Readonly<Record<string, object>> = {
  linear: { type: 'linear', code: 6 },
  dense: { type: 'dense', hidden: [20, 12], code: 6 },
  'dense, tanh': { type: 'dense', hidden: [20], code: 6, activation: 'tanh', codeActivation: 'sigmoid' },
  tied: { type: 'tied', hidden: [20], code: 6 },
  'trained for compression': { type: 'dense', hidden: [20], code: 6, compression: { lambda: 0.01 } },
  rbm: { type: 'rbm', code: 6 },
  'k-sparse': { type: 'k-sparse', code: 40, active: 5, halvings: 0 },
  variational: { type: 'variational', hidden: [20], code: 6 },
  'deep belief': { type: 'deep-belief', hidden: [20], code: 6 },
  convolutional: { type: 'convolutional', channels: [4, 8], code: 12 },
  'convolutional, batch norm': { type: 'convolutional', channels: [4, 8], code: 12, batchNorm: true, kernel: 5 },
  'convolutional, stride': {
    type: 'convolutional',
    channels: [4, 8],
    code: 12,
    pooling: 'stride',
    unpooling: 'transposed',
  },
  'convolutional, maps': { type: 'convolutional', channels: [4, 3], code: 'map' },
};

export const switching = { type: 'convolutional', channels: [4, 3], code: 'map', unpooling: 'switches' };

/** Eight digits of 28 × 28 that no model was trained on. */
export async function someDigits(): Promise<Float32Array> {
  const rows = new Float32Array(8 * 784);
  await dataset.split('test').readRange(0, 8, rows);
  return rows;
}

export function encoderFile(model: object): { readonly file: Uint8Array; readonly codeShape: readonly number[] } {
  const { spec } = resolveJobSpec({ name: 'x', dataset: 'digits', model }, { dataset: dataset.info });
  const { autoencoder, parameters } = planJob({ spec, data: dataset.info });
  const file = exportOnnx(encoderOf(autoencoder, stirred(initialise(parameters, 1))), {
    producer: 'hourglass',
    version: '0.0.0',
  });
  return { file, codeShape: autoencoder.codeShape };
}

/** Biases begin as zeros, variances as ones: they are moved, so that forgetting them shows. */
const stirred = (weights: NdArrays): NdArrays =>
  Object.fromEntries(
    Object.entries(weights).map(([name, array]) => [
      name,
      { ...array, data: Float32Array.from(array.data as Float32Array, (value, i) => value + 0.1 * Math.sin(i + 1)) },
    ]),
  );
