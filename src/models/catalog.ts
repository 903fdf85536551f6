/** From a job's specification to the autoencoder and the schedule that trains it: one case per `model.type`. */

import { denseAutoencoder } from './dense.ts';
import type { Phase } from './objective.ts';
import type { Plan, PlanContext } from './plan.ts';
import { type ReconstructionOptions, reconstruction } from './reconstruction.ts';

export function planJob(context: PlanContext): Plan {
  const { model } = context.spec;
  switch (model.type) {
    case 'dense':
    case 'denoising':
      return planDense(context, model);
    default:
      return model satisfies never;
  }
}

function planDense({ spec, data }: PlanContext, model: PlanContext['spec']['model']): Plan {
  const autoencoder = denseAutoencoder(model, data.shape);
  const options: ReconstructionOptions = {
    loss: { loss: model.loss, outputActivation: model.outputActivation },
    range: data.range,
    ...(model.type === 'denoising' && { corruption: model.corruption }),
  };
  const { epochs, batchSize, optimizer } = spec.training;
  const train: Phase = {
    name: 'train',
    objective: reconstruction(autoencoder, options),
    trainable: autoencoder.parameters,
    frozen: {},
    epochs,
    batchSize,
    optimizer,
  };
  return {
    autoencoder,
    parameters: autoencoder.parameters,
    phases: [train],
    denoises: options.corruption !== undefined,
  };
}
