/** How a job trains: epochs, batches, optimizer and its schedule, held-out rows, seed. Pure data, no tfjs. */

import { type Static, Type } from 'typebox';
import { withDefault } from './default.ts';

const closed = { additionalProperties: false } as const;
const learningRate = (value: number) => Type.Number({ exclusiveMinimum: 0, maximum: 100, default: value });

/** The factor on the learning rate over the epochs of a phase; warm-up rises linearly from 0. */
export const LearningRateSchedule = Type.Union([
  Type.Object({ type: Type.Literal('constant') }, closed),
  Type.Object(
    {
      type: Type.Literal('cosine'),
      warmupEpochs: Type.Number({ minimum: 0, maximum: 100_000, default: 0 }),
      final: Type.Number({ minimum: 0, maximum: 1, default: 0, description: 'factor at the end' }),
    },
    closed,
  ),
  Type.Object(
    {
      type: Type.Literal('linear'),
      warmupEpochs: Type.Number({ minimum: 0, maximum: 100_000, default: 0 }),
      final: Type.Number({ minimum: 0, maximum: 1, default: 0, description: 'factor at the end' }),
    },
    closed,
  ),
  Type.Object(
    {
      type: Type.Literal('step'),
      everyEpochs: Type.Integer({ minimum: 1, maximum: 100_000, default: 10 }),
      factor: Type.Number({ exclusiveMinimum: 0, maximum: 1, default: 0.5 }),
    },
    closed,
  ),
]);
export type LearningRateSchedule = Static<typeof LearningRateSchedule>;

const schedule = withDefault(LearningRateSchedule, { type: 'constant' });
const weightDecay = Type.Number({
  minimum: 0,
  maximum: 1,
  default: 0,
  description: 'decoupled: each step takes learningRate · weightDecay · w off every weight matrix',
});

export const OptimizerSpec = Type.Union([
  Type.Object(
    {
      type: Type.Literal('adam'),
      learningRate: learningRate(0.001),
      beta1: Type.Number({ minimum: 0, exclusiveMaximum: 1, default: 0.9 }),
      beta2: Type.Number({ minimum: 0, exclusiveMaximum: 1, default: 0.999 }),
      epsilon: Type.Number({ exclusiveMinimum: 0, maximum: 1, default: 1e-7 }),
      weightDecay,
      schedule,
    },
    closed,
  ),
  Type.Object(
    {
      type: Type.Literal('sgd'),
      learningRate: learningRate(0.1),
      momentum: Type.Number({ minimum: 0, exclusiveMaximum: 1, default: 0 }),
      initialMomentum: Type.Optional(
        Type.Number({ minimum: 0, exclusiveMaximum: 1, description: 'during the first epochs' }),
      ),
      initialMomentumEpochs: Type.Integer({ minimum: 0, maximum: 100_000, default: 5 }),
      weightDecay,
      schedule,
    },
    closed,
  ),
]);
export type OptimizerSpec = Static<typeof OptimizerSpec>;

export const EarlyStopping = Type.Object(
  {
    patience: Type.Integer({
      minimum: 1,
      maximum: 100_000,
      default: 5,
      description: 'stop after so many epochs without a lower held-out loss; the best weights are kept',
    }),
    minDelta: Type.Number({ minimum: 0, maximum: 1e6, default: 0, description: 'what counts as lower' }),
  },
  closed,
);
export type EarlyStopping = Static<typeof EarlyStopping>;

export const Device = Type.Enum(['cpu', 'gpu', 'any'], {
  default: 'any',
  description: 'what it is trained on; each has a queue of its own, and a worker takes from those that it can serve',
});
export type Device = Static<typeof Device>;

export const TrainingSpec = Type.Object(
  {
    device: Device,
    epochs: Type.Integer({ minimum: 1, maximum: 100_000, default: 5 }),
    maxSamples: Type.Optional(Type.Integer({ minimum: 1, description: 'train on the first n rows only' })),
    batchSize: Type.Integer({ minimum: 1, maximum: 65_536, default: 128 }),
    optimizer: withDefault(OptimizerSpec, { type: 'adam' }),
    validation: Type.Object(
      {
        fraction: Type.Number({
          minimum: 0,
          maximum: 0.5,
          default: 0.05,
          description: 'share of the training rows, taken from their end, that is held out and never trained on',
        }),
      },
      { ...closed, default: {} },
    ),
    earlyStopping: Type.Optional(EarlyStopping),
    evaluation: Type.Object(
      {
        linearProbe: Type.Boolean({
          default: false,
          description: 'test error of a softmax layer trained on the codes of the training rows',
        }),
        neighbours: Type.Integer({
          minimum: 0,
          maximum: 100,
          default: 0,
          description: 'test error of the vote of so many nearest codes; 0 leaves it out',
        }),
        codes: Type.Enum(['none', 'npy', 'csv'], {
          default: 'none',
          description: 'publishes the codes of training and test rows for other tools, labels beside them',
        }),
        importanceSamples: Type.Integer({
          minimum: 0,
          maximum: 5000,
          default: 0,
          description:
            'variational models: test −ln p(x) in nats, estimated with so many samples a row; 0 leaves it out',
        }),
      },
      { ...closed, default: {}, description: 'what is measured on the test rows beside the loss' },
    ),
    seed: Type.Integer({ minimum: 0, maximum: 0xffff_ffff, default: 1 }),
  },
  closed,
);
export type TrainingSpec = Static<typeof TrainingSpec>;
