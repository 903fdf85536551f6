/** The plan of a job whose model translates. */

import type { SequenceToSequenceModel } from '../jobspec/pair-model.ts';
import type { Plan, PlanContext } from './plan.ts';
import { sequenceToSequence } from './sequence-to-sequence.ts';

export function planPairs({ spec, data, slots }: PlanContext, model: SequenceToSequenceModel): Plan {
  const built = sequenceToSequence(model, data, slots);
  const { epochs, batchSize, optimizer } = spec.training;
  const none = (): never => {
    throw new Error(`a model of type ${model.type} has no autoencoder of dense rows`);
  };
  const { parameters, objective, cost } = built;
  return {
    // What is served are the translator's own functions; this says what sources and codes look like.
    autoencoder: {
      inputShape: [data.pairs?.sourceLength ?? 1],
      codeShape: [model.units],
      ...{ parameters, statistics: {}, noise: {}, outputActivation: 'linear', encode: none, decode: none },
    },
    parameters,
    phases: [
      {
        ...{ name: 'train', begin: [], frozen: {}, statistics: {}, trainable: parameters, objective },
        ...{ epochs, batchSize, optimizer, report: 'pairs', cost },
      },
    ],
    denoises: false,
    generates: false,
    translates: built,
  };
}
