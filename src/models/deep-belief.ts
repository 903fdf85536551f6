/**
 * Deep autoencoder from a stack of restricted Boltzmann machines: each is trained on what the ones below make of the data,
 * then the stack is unrolled into an autoencoder and fine-tuned with backpropagation.
 *
 *   RBM 1          RBM 2               unrolled, fine-tuned
 *   x ⇄ h₁         x ═► h₁ ⇄ h₂         x ─ W₁ ─► h₁ ─ W₂ ─► z ─ W₂ᵀ ─► ĥ₁ ─ W₁ᵀ ─► x̂        ═► frozen
 *
 * Hinton & Salakhutdinov 2006, "Reducing the dimensionality of data with neural networks".
 */

import * as tf from '@tensorflow/tfjs-core';
import { sizeOf } from '../base/ndarray.ts';
import type { ModelOf } from '../jobspec/model.ts';
import type { RbmPretraining } from '../jobspec/model-members.ts';
import type { OptimizerSpec } from '../jobspec/training.ts';
import type { Level } from './autoencoder.ts';
import { codesBelow, encoderParameters } from './deep.ts';
import { parameter } from './layers.ts';
import type { Phase } from './objective.ts';
import { contrastiveDivergence, type Units } from './rbm.ts';

export interface BeliefOptions {
  readonly levels: readonly Level[];
  readonly model: Pick<ModelOf<'deep-belief'>, 'visibleUnits' | 'hiddenUnits' | 'codeUnits' | 'code' | 'hidden'>;
  readonly pretraining: RbmPretraining;
  readonly batchSize: number;
}

/** One phase for each machine, from the input upwards. The levels are those of the unrolled autoencoder. */
export function beliefPhases({ levels, model, pretraining, batchSize }: BeliefOptions): Phase[] {
  const sizes = [sizeOf(levels[0]?.inputShape ?? []), ...model.hidden, model.code];
  const units: Units[] = [model.visibleUnits, ...model.hidden.map(() => model.hiddenUnits), model.codeUnits];
  return levels.map((level, i) => {
    const below = levels.slice(0, i);
    const [visible, hidden] = [sizes[i] ?? 0, sizes[i + 1] ?? 0];
    const [visibleUnits, hiddenUnits] = [units[i] ?? 'binary', units[i + 1] ?? 'binary'];
    const unbounded = visibleUnits !== 'binary' || hiddenUnits !== 'binary';
    return {
      name: `pretrain ${i + 1}/${levels.length}`,
      begin: [],
      objective: contrastiveDivergence({
        names: { weight: `encoder/${i}/weight`, hiddenBias: `encoder/${i}/bias`, visibleBias: `pretrain/${i}/bias` },
        visible,
        hidden,
        visibleUnits,
        hiddenUnits,
        steps: pretraining.steps,
        sampleVisible: pretraining.sampleVisible,
        weightCost: pretraining.weightCost,
        input: (p, feeds) => tf.reshape(codesBelow(below, p, parameter(feeds, 'x')), [-1, visible]),
      }),
      trainable: level.parameters,
      statistics: {},
      frozen: encoderParameters(below),
      epochs: pretraining.epochs,
      batchSize,
      optimizer: rbmOptimizer(
        unbounded ? pretraining.gaussianLearningRate : pretraining.learningRate,
        pretraining.epochs,
      ),
    };
  });
}

/** Momentum .5 at first, .9 after five epochs (Hinton & Salakhutdinov 2006), or after half of them where they are fewer than ten. */
const rbmOptimizer = (learningRate: number, epochs: number): OptimizerSpec => ({
  type: 'sgd',
  learningRate,
  momentum: 0.9,
  initialMomentum: 0.5,
  initialMomentumEpochs: Math.min(5, Math.floor(epochs / 2)),
  weightDecay: 0,
  schedule: { type: 'constant' },
});
