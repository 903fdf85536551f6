/** Whether a model can work at all: checks that need several of its fields, or the data set. */

import { HourglassError } from '../base/errors.ts';
import { sizeOf } from '../base/ndarray.ts';
import { type DatasetFacts, isUnitRange } from './derived.ts';
import type { ModelOf, ModelSpec } from './model.ts';
import type { Compression, Contraction, Corruption } from './model-members.ts';
import { isPairModel, type SequenceToSequenceModel } from './pair-model.ts';
import { checkPairModel, refusePairs } from './pair-rules.ts';
import { isRecommender, type RecommenderModel } from './recommender.ts';
import { checkRecommender, refuseRatings } from './recommender-rules.ts';
import { isSequenceModel, type SequenceModel } from './sequence-model.ts';
import { checkSequenceModel, refuseSeries } from './sequence-rules.ts';
import { isTextModel, type TextModel } from './text-model.ts';
import { checkTextModel, refuseDocuments } from './text-rules.ts';

export const invalid = (field: string, message: string, expected: unknown, found: unknown): HourglassError =>
  new HourglassError('invalid-spec', message, { field, expected, found });

/** Throws `invalid-spec`; what is odd but allowed goes to `warnings`. */
export function checkModel(model: ModelSpec, dataset: DatasetFacts | undefined, warnings: string[]): void {
  if (dataset) checkPictures(model, dataset);
  if (model.type === 'restoration') return checkRestoration(model);
  if (model.type === 'picture') return;
  if (isRecommender(model)) return checkRecommender(model, dataset);
  if (isTextModel(model)) return checkTextModel(model, dataset);
  if (isSequenceModel(model)) return checkSequenceModel(model, dataset);
  if (isPairModel(model)) return checkPairModel(model, dataset);
  refuseRatings(model.type, dataset);
  refuseDocuments(model.type, dataset);
  refuseSeries(model.type, dataset);
  refusePairs(model.type, dataset);
  checkRange(model, dataset);
  if (model.head) checkHead(dataset);
  if (model.head?.corruption) checkCorruption(model.head.corruption, dataset, '/model/head/corruption');
  if ('corruption' in model && model.corruption) checkCorruption(model.corruption, dataset, '/model/corruption');
  if ('active' in model && model.active !== undefined && model.active > model.code) {
    throw invalid(
      '/model/active',
      `"model.active" is ${model.active}, but there are ${model.code} code units. Keep at most as many as there are.`,
      model.code,
      model.active,
    );
  }
  if (model.type === 'k-sparse' && model.compression && model.alpha > 1) {
    throw invalid(
      '/model/alpha',
      `"model.alpha" is ${model.alpha}, so codes hold more units than decoding uses, which "model.compression" would pay for. Use alpha 1, or leave compression out.`,
      1,
      model.alpha,
    );
  }
  if ('sparsity' in model && model.sparsity) checkSparsity(model);
  if ('contraction' in model && model.contraction) checkContraction(model, model.contraction);
  if ('compression' in model && model.compression) checkCompression(model, model.compression);
  if (model.type === 'convolutional') checkConvolutional(model, dataset);
  if (model.type === 'variational' && model.samples > 1 && model.beta !== 1) {
    throw invalid(
      '/model/beta',
      `"model.beta" is ${model.beta}, but the importance-weighted bound (samples ${model.samples}) has no separate KL term to weigh. Use beta 1 or samples 1.`,
      1,
      model.beta,
    );
  }
  warnOfCopying(model, dataset, warnings);
}

/** Codecs and restoration need pictures; everything else needs rows of one shape. */
function checkPictures(model: ModelSpec, { sizes, shape }: DatasetFacts): void {
  if (model.type !== 'picture' && model.type !== 'restoration') {
    if (sizes === undefined) return;
    throw invalid(
      '/model/type',
      `The pictures of the data set keep their own sizes, which only models of type "picture" and "restoration" are trained on, not "${model.type}". Upload them with "resize" instead of "keepSizes".`,
      ['picture', 'restoration'],
      model.type,
    );
  }
  const [height = 0, width = 0, channels = 0] = shape;
  if (shape.length === 3 && [1, 3, 4].includes(channels) && Math.min(height, width) >= 8) return;
  throw invalid(
    '/dataset',
    `A model of type "${model.type}" is trained on pictures of at least 8 × 8 pixels, but a row of the data set has shape [${shape.join(', ')}]. Upload a zip or tar of pictures, with "keepSizes" where they differ.`,
    '[height, width, channels]',
    shape,
  );
}

function checkRestoration({ crop, stride, corruption }: ModelOf<'restoration'>): void {
  if (crop % stride !== 0) {
    throw invalid(
      '/model/crop',
      `"model.crop" is ${crop}, but the network sees squares of ${stride} × ${stride} pixels. Use a multiple of ${stride}.`,
      `a multiple of ${stride}`,
      crop,
    );
  }
  if (corruption.type === 'hole' && corruption.size > crop - 2) {
    throw invalid(
      '/model/corruption/size',
      `The hole's side is ${corruption.size}, but crops are ${crop} × ${crop} pixels. Use larger crops: what is around a hole tells what was in it.`,
      `at most ${crop - 2}`,
      corruption.size,
    );
  }
}

/** Cross-entropy, Bernoulli likelihoods and binary units are about values in [0,1]. */
function checkRange(model: ModelSpec, dataset: DatasetFacts | undefined): void {
  const needs: [boolean, string, string, string][] = [
    ['loss' in model && model.loss === 'bce', 'loss', 'bce', '"mse", "sse" or "half-sse"'],
    ['likelihood' in model && model.likelihood === 'bernoulli', 'likelihood', 'bernoulli', '"gaussian"'],
    ['visibleUnits' in model && model.visibleUnits === 'binary', 'visibleUnits', 'binary', '"gaussian"'],
  ];
  for (const [used, member, value, instead] of needs) {
    if (!used || isUnitRange(dataset)) continue;
    const [low, high] = dataset?.range ?? [0, 1];
    throw invalid(
      `/model/${member}`,
      `"model.${member}" is "${value}", which needs data in [0, 1], but the data set's values are in [${low}, ${high}]. ` +
        `Use ${instead}, or scale the data.`,
      instead,
      value,
    );
  }
  if (model.type === 'linear' && model.loss === 'bce') {
    throw invalid(
      '/model/loss',
      '"model.loss" is "bce", but linear outputs are no probabilities. Use "mse", "sse" or "half-sse".',
      ['mse', 'sse', 'half-sse'],
      'bce',
    );
  }
  if ('outputActivation' in model && model.loss === 'bce' && model.outputActivation !== 'sigmoid') {
    throw invalid(
      '/model/outputActivation',
      `"model.outputActivation" is "${model.outputActivation}", but the loss "bce" needs "sigmoid". ` +
        'Leave it out, or choose another loss.',
      ['sigmoid'],
      model.outputActivation,
    );
  }
}

export const classesOf = ({ classes = 0 }: DatasetFacts): string =>
  classes === 0 ? 'the data set has no labels' : 'all rows of the data set have the same class';

function checkHead(dataset: DatasetFacts | undefined): void {
  if (dataset && (dataset.classes ?? 0) < 2) {
    throw invalid(
      '/model/head',
      `"model.head" is a classifier, but ${classesOf(dataset)}. Use a data set with at least 2 classes, or leave the head out.`,
      'a data set with at least 2 classes',
      dataset.classes ?? 0,
    );
  }
}

function checkCorruption(corruption: Corruption, dataset: DatasetFacts | undefined, field: string): void {
  if (corruption.type !== 'hole' || !dataset) return;
  const [height = 0, width = 0] = dataset.shape;
  if (dataset.shape.length !== 3) {
    throw invalid(
      `${field}/type`,
      `A "hole" is cut into pictures (height, width, channels), but a row of the data set has shape [${dataset.shape.join(', ')}]. Use "masking".`,
      '[height, width, channels]',
      dataset.shape,
    );
  }
  if (corruption.size > Math.min(height, width)) {
    throw invalid(
      `${field}/size`,
      `The hole's side is ${corruption.size}, but the pictures are ${height} × ${width}.`,
      Math.min(height, width),
      corruption.size,
    );
  }
}

function checkSparsity(model: Extract<ModelSpec, { sparsity?: unknown }>): void {
  if (model.codeActivation === 'sigmoid') return;
  throw invalid(
    '/model/codeActivation',
    `"model.sparsity" compares mean activations with a target in (0, 1), but "model.codeActivation" is "${model.codeActivation}". Use "sigmoid".`,
    'sigmoid',
    model.codeActivation,
  );
}

const maxExactCode = 64;

function checkContraction(model: Extract<ModelSpec, { contraction?: unknown }>, { method }: Contraction): void {
  const oneLayer = model.hidden.length === 0;
  if (model.active !== undefined) {
    throw invalid(
      '/model/contraction',
      '"model.contraction" needs a smooth encoder, but "model.active" switches units on and off. Use one of the two.',
      'one of contraction and active',
      model.active,
    );
  }
  if (method === 'closed-form' && !oneLayer) {
    throw invalid(
      '/model/contraction/method',
      '"closed-form" is the Jacobian of a single layer, but the encoder has several. Use "exact" or "estimate".',
      ['exact', 'estimate'],
      method,
    );
  }
  if (method === 'exact' && model.code > maxExactCode) {
    throw invalid(
      '/model/contraction/method',
      `"exact" pulls every code unit back through the encoder: at most ${maxExactCode} units, here there are ${model.code}. Use "estimate"${oneLayer ? ' or "closed-form"' : ''}.`,
      maxExactCode,
      model.code,
    );
  }
}

function checkCompression(model: Extract<ModelSpec, { compression?: unknown }>, { lambda, bytes }: Compression): void {
  if ((lambda === undefined) === (bytes === undefined)) {
    throw invalid(
      '/model/compression',
      `"model.compression" has ${lambda === undefined ? 'neither' : 'both'} "lambda" ${lambda === undefined ? 'nor' : 'and'} "bytes". Give one of the two.`,
      'one of lambda and bytes',
      model.compression,
    );
  }
  const clashes: [boolean, string, string][] = [
    [
      'active' in model && model.active !== undefined,
      'active',
      'switches units off, which noise would switch on again',
    ],
    [
      'contraction' in model && model.contraction !== undefined,
      'contraction',
      'shrinks the code, and its steps with it',
    ],
    [
      'unpooling' in model && model.unpooling === 'switches',
      'unpooling',
      'as "switches" puts places into the code, which bear no noise',
    ],
  ];
  for (const [clash, member, why] of clashes) {
    if (!clash) continue;
    throw invalid(
      '/model/compression',
      `"model.compression" quantises the code in training, but "model.${member}" ${why}. Use one of the two.`,
      `one of compression and ${member}`,
      member,
    );
  }
}

function checkConvolutional(model: ModelOf<'convolutional'>, dataset: DatasetFacts | undefined): void {
  const { unpooling, kernel, channels, code, pooling } = model;
  if (unpooling === 'switches') {
    if (kernel % 2 === 0) {
      throw invalid(
        '/model/kernel',
        `"model.kernel" is ${kernel}: an even filter shifts the picture by half a pixel, so recorded places no longer fit. Use an odd kernel with "switches".`,
        'an odd integer',
        kernel,
      );
    }
    if (code !== 'map') {
      throw invalid(
        '/model/code',
        '"switches" are part of the code, which needs "code": "map"; a dense code has no place for them.',
        'map',
        code,
      );
    }
    if (pooling !== 'max') {
      throw invalid(
        '/model/pooling',
        '"switches" record where the largest value was: use "pooling": "max".',
        'max',
        pooling,
      );
    }
  }
  if (!dataset) return;
  const [height = 0, width = 0, depth] = dataset.shape;
  if (dataset.shape.length !== 3 || depth === undefined) {
    throw invalid(
      '/model/type',
      `A convolutional model needs pictures (height, width, channels), but a row of the data set has shape [${dataset.shape.join(', ')}]. Use "dense".`,
      '[height, width, channels]',
      dataset.shape,
    );
  }
  const factor = 2 ** channels.length;
  if (height % factor !== 0 || width % factor !== 0) {
    throw invalid(
      '/model/channels',
      `${channels.length} levels halve a picture ${channels.length} times, so height and width must be multiples of ${factor} for the decoder to return to them; they are ${height} × ${width}. ${adviceForSize(height, width, depth)}`,
      `multiples of ${factor}`,
      [height, width],
    );
  }
}

function adviceForSize(height: number, width: number, depth: number): string {
  if ([1, 3, 4].includes(height) && ![1, 3, 4].includes(depth)) {
    return 'The channels seem to come first: upload rows of [height, width, channels], in NumPy x.transpose(0, 2, 3, 1).';
  }
  let levels = 0;
  while (height % 2 ** (levels + 1) === 0 && width % 2 ** (levels + 1) === 0) levels++;
  if (levels > 0) return `Use at most ${levels} ${levels === 1 ? 'level' : 'levels'}.`;
  return 'No number of levels fits an odd size: upload the pictures with "resize" to even sides, such as multiples of 4, or use "dense".';
}

function warnOfCopying(
  model: Exclude<
    ModelSpec,
    { type: 'picture' | 'restoration' } | RecommenderModel | TextModel | SequenceModel | SequenceToSequenceModel
  >,
  dataset: DatasetFacts | undefined,
  warnings: string[],
): void {
  if (!dataset || model.code === 'map') return;
  const size = sizeOf(dataset.shape);
  const held = (['sparsity', 'contraction', 'corruption', 'active'] as const).some(
    (member) => (model as Readonly<Record<string, unknown>>)[member] !== undefined,
  );
  if (model.code < size || held || model.type === 'variational' || model.type === 'rbm') return;
  warnings.push(
    `The code (${model.code}) is not smaller than a row (${size} values), and nothing keeps it sparse: the model may learn to copy.`,
  );
}
