/**
 * What models of documents have in common: a row x holds counts of words, the decoder gives one distribution over all words, and
 * the loss is −Σ xᵢ ln pᵢ, in nats of a document.
 */

import type { JobSpec } from '../jobspec/job.ts';
import type { TextModel } from '../jobspec/text-model.ts';
import type { Autoencoder } from './autoencoder.ts';
import type { Objective, Phase } from './objective.ts';
import { countOf } from './parameters.ts';
import { type Plan, type PlanContext, planOf, type TextCode } from './plan.ts';
import { semanticHashing } from './semantic-hashing.ts';
import { topics } from './topics.ts';

export function planDocuments(context: PlanContext, model: TextModel): Plan {
  const [words = 0] = context.data.shape;
  const { autoencoder, objective } = model.type === 'topics' ? topics(model, words) : semanticHashing(model, words);
  return { ...planOf(context, autoencoder, [phaseOf(context.spec, autoencoder, objective)]), text: codeOf(model) };
}

const codeOf = ({ type }: TextModel): TextCode => (type === 'topics' ? 'topics' : 'bits');

function phaseOf({ training }: JobSpec, { parameters, statistics }: Autoencoder, objective: Objective): Phase {
  const { epochs, batchSize, optimizer } = training;
  return {
    ...{ name: 'train', begin: [], frozen: {}, trainable: parameters, statistics, objective },
    ...{ epochs, batchSize, optimizer, report: 'document', cost: countOf(parameters) },
  };
}
