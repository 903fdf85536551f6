/** The plan of a job whose model recommends. */

import type { RecommenderModel } from '../jobspec/recommender.ts';
import { autorec } from './autorec.ts';
import { ease } from './ease.ts';
import { multVae } from './mult-vae.ts';
import type { Plan, PlanContext } from './plan.ts';
import { type RatingModel, ratingPhase } from './recommender.ts';

export function planRatings({ spec, data }: PlanContext, model: RecommenderModel): Plan {
  const built = buildModel(data, model);
  const { shape } = data;
  const none = (): never => {
    throw new Error(`a model of type ${model.type} has no autoencoder of dense rows`);
  };
  return {
    // What is served are the recommender's own functions; this says what rows and codes look like.
    autoencoder: {
      inputShape: shape,
      codeShape: [built.codeSize],
      parameters: built.parameters,
      ...{ statistics: {}, noise: {}, outputActivation: 'linear', encode: none, decode: none },
    },
    parameters: built.parameters,
    phases: ratingPhase(spec, built),
    denoises: false,
    generates: false,
    recommends: built,
  };
}

function buildModel(data: PlanContext['data'], model: RecommenderModel): RatingModel {
  switch (model.type) {
    case 'ease':
      return ease({ model, data });
    case 'autorec':
      return autorec({ model, data });
    case 'mult-vae':
      return multVae({ model, data });
    default:
      return model satisfies never;
  }
}
