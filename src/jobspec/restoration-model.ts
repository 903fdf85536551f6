/** What a job may ask of a model that restores pictures of any size: takes noise away or fills holes. Pure data. */

import { type Static, Type } from 'typebox';
import { withDefault } from './default.ts';
import { Corruption } from './model-members.ts';

export const RestorationModel = Type.Object(
  {
    type: Type.Literal('restoration'),
    corruption: withDefault(Corruption, { type: 'gaussian', sigma: 25 / 255 }),
    stride: Type.Enum([1, 2, 4, 8], {
      default: 2,
      description:
        'the network sees squares of so many pixels a side as one place: more is faster and sees farther, less is finer',
    }),
    maps: Type.Integer({
      minimum: 8,
      maximum: 512,
      default: 48,
      description: 'feature maps; the cost grows with their square',
    }),
    blocks: Type.Integer({
      minimum: 1,
      maximum: 32,
      default: 5,
      description: 'residual blocks of two 3 × 3 convolutions each',
    }),
    crop: Type.Integer({
      minimum: 16,
      maximum: 512,
      default: 64,
      description: 'pixels of the side of a training crop, a multiple of the stride',
    }),
    crops: Type.Integer({ minimum: 1, maximum: 1_000_000, default: 4096, description: 'random crops in an epoch' }),
  },
  {
    additionalProperties: false,
    description: 'takes noise away from pictures of any size, or fills holes in them',
  },
);
export type RestorationModel = Static<typeof RestorationModel>;
