/** How a job trains: epochs, batches, optimizer and its schedule, seed. Pure data, no tfjs. */

import { type Static, Type } from 'typebox';

const closed = { additionalProperties: false } as const;
const learningRate = (value: number) => Type.Number({ exclusiveMinimum: 0, maximum: 100, default: value });

export const OptimizerSpec = Type.Union([
  Type.Object(
    {
      type: Type.Literal('adam'),
      learningRate: learningRate(0.001),
      beta1: Type.Number({ minimum: 0, exclusiveMaximum: 1, default: 0.9 }),
      beta2: Type.Number({ minimum: 0, exclusiveMaximum: 1, default: 0.999 }),
      epsilon: Type.Number({ exclusiveMinimum: 0, maximum: 1, default: 1e-7 }),
    },
    closed,
  ),
  Type.Object(
    {
      type: Type.Literal('sgd'),
      learningRate: learningRate(0.1),
      momentum: Type.Number({ minimum: 0, exclusiveMaximum: 1, default: 0 }),
    },
    closed,
  ),
]);
export type OptimizerSpec = Static<typeof OptimizerSpec>;

export const TrainingSpec = Type.Object(
  {
    epochs: Type.Integer({ minimum: 1, maximum: 100_000, default: 5 }),
    maxSamples: Type.Optional(Type.Integer({ minimum: 1, description: 'train on the first n rows only' })),
    batchSize: Type.Integer({ minimum: 1, maximum: 65_536, default: 128 }),
    optimizer: OptimizerSpec,
    seed: Type.Integer({ minimum: 0, maximum: 0xffff_ffff, default: 1 }),
  },
  closed,
);
export type TrainingSpec = Static<typeof TrainingSpec>;
