/** What a job may ask of a codec for pictures of any size. Pure data. */

import { type Static, Type } from 'typebox';

export const PictureModel = Type.Object(
  {
    type: Type.Literal('picture'),
    maps: Type.Integer({
      minimum: 8,
      maximum: 512,
      default: 96,
      description: "feature maps of the decoder's network; its cost grows with their square",
    }),
    layers: Type.Integer({
      minimum: 1,
      maximum: 8,
      default: 2,
      description: "3 × 3 convolutions of the decoder's network",
    }),
    crop: Type.Integer({
      minimum: 2,
      maximum: 64,
      default: 16,
      description: 'blocks of 8 × 8 pixels of the side of a training crop',
    }),
    crops: Type.Integer({ minimum: 1, maximum: 1_000_000, default: 2048, description: 'random crops in an epoch' }),
  },
  {
    additionalProperties: false,
    description:
      'a codec for pictures of any size: devices encode with a linear transform, the server decodes with a network',
  },
);
export type PictureModel = Static<typeof PictureModel>;
