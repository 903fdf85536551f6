/** From a job's specification to the autoencoder and the schedule that trains it: one case per `model.type`. */

import * as tf from '@tensorflow/tfjs-core';
import { sizeOf } from '../base/ndarray.ts';
import type { ModelOf } from '../jobspec/model.ts';
import type { Autoencoder } from './autoencoder.ts';
import { rateModel, trainedQuantiser } from './compression.ts';
import { contractionPenalty } from './contractive.ts';
import { convolutionalAutoencoder } from './convolutional.ts';
import { greedyPhases } from './deep.ts';
import { beliefPhases } from './deep-belief.ts';
import { type DenseOptions, denseAutoencoder } from './dense.ts';
import { planDocuments } from './documents.ts';
import { encodedUnits, stages } from './k-sparse.ts';
import { parameter } from './layers.ts';
import { linearAutoencoder } from './linear.ts';
import type { Objective, Phase, WeightChange } from './objective.ts';
import { planPairs } from './pair-plan.ts';
import { countOf, type Parameters } from './parameters.ts';
import { type Plan, type PlanContext, planOf } from './plan.ts';
import { planRatings } from './rating-plan.ts';
import { contrastiveDivergence, meanActivation } from './rbm.ts';
import { type Penalty, reconstruction, statisticsFor } from './reconstruction.ts';
import { planSequence } from './sequence.ts';
import { sparsityPenalty } from './sparse.ts';
import { variationalAutoencoder, variationalObjective } from './variational.ts';

export function planJob(context: PlanContext): Plan {
  const { model } = context.spec;
  const { shape } = context.data;
  switch (model.type) {
    case 'linear':
      return planReconstruction(context, linearAutoencoder(model, shape), { ...model, outputActivation: 'linear' });
    case 'dense':
    case 'tied':
    case 'sparse':
    case 'denoising':
    case 'contractive':
    case 'deep':
    case 'stacked-denoising':
      return planReconstruction(context, denseAutoencoder(model, shape), model);
    case 'k-sparse':
      return planKSparse(context, model);
    case 'convolutional':
      return planReconstruction(context, convolutionalAutoencoder(model, shape), model);
    case 'variational':
      return planVariational(context, model);
    case 'rbm':
      return planRbm(context, model);
    case 'deep-belief':
      return planDeepBelief(context, model);
    case 'picture':
    case 'restoration':
      throw new Error('models for pictures of any size are trained by train/picture');
    case 'topics':
    case 'semantic-hashing':
      return planDocuments(context, model);
    case 'sequence':
      return planSequence(context, model);
    case 'sequence-to-sequence':
      return planPairs(context, model);
    case 'ease':
    case 'autorec':
    case 'mult-vae':
      return planRatings(context, model);
    default:
      return model satisfies never;
  }
}

/** What jobs for reconstruction have in common; types that cannot be combined with a part just do not have it. */
type Reconstructing = Pick<ModelOf<'dense'>, 'loss' | 'outputActivation' | 'corruption' | 'sparsity' | 'compression'> &
  Partial<Pick<ModelOf<'deep'>, 'contraction' | 'pretraining' | 'hidden' | 'activation' | 'codeActivation'>>;

/** All autoencoders trained to reconstruct: layer by layer first where the job asks for it, then as a whole. */
function planReconstruction(context: PlanContext, model: Autoencoder, options: Reconstructing): Plan {
  const { corruption, pretraining, compression } = options;
  const { range } = context.data;
  const { batchSize } = context.spec.training;
  const rate = compression && rateModel({ compression, ...model, loss: options.loss, range });
  const whole = { loss: options, corruption, range, rate, penalties: penaltiesOf(options, model) };
  const pretrain =
    pretraining && model.levels
      ? greedyPhases({ ...pretraining, levels: model.levels.levels, corruption, range, batchSize })
      : [];
  const train = mainPhase(context, {
    name: pretrain.length > 0 ? 'fine-tune' : 'train',
    begin: pretrain.length > 0 ? (model.levels?.unroll ?? []) : [],
    objective: reconstruction(model, whole),
    trainable: { ...model.parameters, ...rate?.parameters },
    statistics: statisticsFor(model, whole),
    cost: model.cost,
  });
  return planOf(context, model, [...pretrain, train], {
    denoises: corruption !== undefined,
    ...(compression && { quantiser: (weights) => trainedQuantiser(weights, compression) }),
  });
}

/** Phases of fewer and fewer active units, the last of which is published, with α times as many in its codes. */
function planKSparse(context: PlanContext, model: ModelOf<'k-sparse'>): Plan {
  const { shape } = context.data;
  const { epochs } = context.spec.training;
  const phases = stages(model.active, model.code, model.halvings, epochs).map(({ active, epochs }, i, all): Phase => {
    const { phases } = planReconstruction(context, denseAutoencoder({ ...model, active }, shape), model);
    const { report, ...phase } = phases[0] as Phase;
    const isLast = i === all.length - 1;
    return {
      ...phase,
      name: isLast ? 'train' : `train with ${active} active`,
      epochs,
      ...(isLast && report && { report }),
    };
  });
  const { active, alpha, corruption } = model;
  const published = denseAutoencoder(
    { ...model, active: encodedUnits(model), ...(alpha > 1 && { decoded: active }) },
    shape,
  );
  return planOf(context, published, phases, { denoises: corruption !== undefined });
}

function penaltiesOf(options: Reconstructing, { codeShape }: Autoencoder): Penalty[] {
  const { sparsity, contraction, hidden = [], activation = 'linear', codeActivation = 'linear' } = options;
  const activations = [...hidden.map(() => activation), codeActivation];
  return [
    ...(sparsity ? [sparsityPenalty(sparsity, sizeOf(codeShape))] : []),
    ...(contraction ? [contractionPenalty(contraction, activations, codeShape)] : []),
  ];
}

interface MainPhase {
  readonly name: string;
  readonly begin?: readonly WeightChange[];
  readonly objective: Objective;
  readonly trainable: Parameters;
  readonly statistics?: Parameters;
  readonly cost?: number | undefined;
}

/** The phase that `training` speaks of. */
function mainPhase({ spec }: PlanContext, { cost, ...phase }: MainPhase): Phase {
  const { epochs, batchSize, optimizer } = spec.training;
  return {
    begin: [],
    statistics: {},
    frozen: {},
    ...phase,
    ...(cost !== undefined && { cost }),
    epochs,
    batchSize,
    optimizer,
    report: 'reconstruction',
  };
}

function planVariational(context: PlanContext, model: ModelOf<'variational'>): Plan {
  const autoencoder = variationalAutoencoder(model, context.data.shape);
  const train = mainPhase(context, {
    name: 'train',
    objective: variationalObjective(autoencoder, model),
    trainable: autoencoder.parameters,
    cost: model.samples * countOf(autoencoder.parameters),
  });
  return planOf(context, autoencoder, [{ ...train, report: 'bound' }], {
    generates: true,
    likelihoodPhase: (samples) => ({
      ...train,
      name: 'likelihood',
      objective: variationalObjective(autoencoder, { ...model, samples, beta: 1 }),
    }),
  });
}

/** As an autoencoder a machine of binary units is a tied layer of sigmoid units. */
function planRbm(context: PlanContext, model: ModelOf<'rbm'>): Plan {
  const { code, visibleUnits, codeUnits, contrastive } = model;
  const inputs = sizeOf(context.data.shape);
  const autoencoder = denseAutoencoder(
    unrolled({ code, hidden: [], hiddenUnits: 'binary', codeUnits, tied: true, ...outputOf(visibleUnits) }),
    context.data.shape,
  );
  const objective = contrastiveDivergence({
    ...contrastive,
    names: { weight: 'encoder/0/weight', hiddenBias: 'encoder/0/bias', visibleBias: 'decoder/0/bias' },
    visible: inputs,
    hidden: code,
    visibleUnits,
    hiddenUnits: codeUnits,
    input: (_, feeds) => tf.reshape(parameter(feeds, 'x'), [-1, inputs]),
  });
  const train = mainPhase(context, { name: 'train', objective, trainable: autoencoder.parameters });
  return planOf(context, autoencoder, [train]);
}

function planDeepBelief(context: PlanContext, model: ModelOf<'deep-belief'>): Plan {
  const { loss, outputActivation, pretraining } = model;
  const autoencoder = denseAutoencoder(unrolled({ ...model, tied: false }), context.data.shape);
  const { levels = [], unroll = [] } = autoencoder.levels ?? {};
  const pretrain = beliefPhases({ levels, model, pretraining, batchSize: context.spec.training.batchSize });
  const fineTune = mainPhase(context, {
    name: 'fine-tune',
    begin: unroll,
    objective: reconstruction(autoencoder, {
      loss: { loss, outputActivation },
      range: context.data.range,
      penalties: [],
    }),
    trainable: autoencoder.parameters,
  });
  return planOf(context, autoencoder, [...pretrain, fineTune]);
}

const outputOf = (visibleUnits: 'binary' | 'gaussian') =>
  visibleUnits === 'binary'
    ? ({ loss: 'bce', outputActivation: 'sigmoid' } as const)
    : ({ loss: 'mse', outputActivation: 'linear' } as const);

type Machines = Pick<
  ModelOf<'deep-belief'>,
  'code' | 'hidden' | 'hiddenUnits' | 'codeUnits' | 'loss' | 'outputActivation'
> & {
  readonly tied: boolean;
};

/** Weights begin as small normal numbers: Hinton & Salakhutdinov 2006. */
const unrolled = ({ hiddenUnits, codeUnits, ...model }: Machines): DenseOptions => ({
  ...model,
  activation: meanActivation[hiddenUnits],
  codeActivation: meanActivation[codeUnits],
  init: { type: 'normal', deviation: 0.1 },
});
