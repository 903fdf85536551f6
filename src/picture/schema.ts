/** How pictures become a model's rows, as data sets, manifests and bundles state it. docs/pictures.md has the formulas. */

import { type Static, Type } from 'typebox';

export const Fit = Type.Enum(['crop', 'pad', 'squeeze'], {
  description:
    'what becomes of pictures of another size (default crop): crop takes the largest part of the middle with the row’s proportions, pad adds margins, squeeze changes the proportions',
});
export type Fit = Static<typeof Fit>;

export const Transparency = Type.String({
  pattern: '^(auto|white|black|#[0-9a-f]{6})$',
  description:
    'what is behind transparent pixels: white, black, a colour such as #ffffe0, or auto, which is white when the visible part is dark and black when it is light. Rows of four channels keep their alpha',
});
export type Transparency = Static<typeof Transparency>;

export const Preprocessing = Type.Object(
  {
    name: Type.Literal('picture'),
    version: Type.Enum([1, 2], {
      description:
        '2: grey by Rec. 601 on gamma-coded values, resampled with a triangle filter. 1, of models without this member: grey in linear light, Lanczos filter',
    }),
    fit: Fit,
    transparency: Transparency,
  },
  { description: 'how pictures become rows of this shape, on every device and on the server: docs/pictures.md' },
);
export type Preprocessing = Static<typeof Preprocessing>;
