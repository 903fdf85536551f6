/** The preprocessing of new models and of old ones. Portable: the schema is imported as a type only. */

import type { Fit, Preprocessing, Transparency } from './schema.ts';

export type { Fit, Preprocessing, Transparency };

/** Of new data sets and models. */
export const currentPreprocessing: Preprocessing = { name: 'picture', version: 2, fit: 'crop', transparency: 'auto' };

/** Of data sets and models from before preprocessing was recorded. */
export const firstPreprocessing: Preprocessing = {
  name: 'picture',
  version: 1,
  fit: 'squeeze',
  transparency: 'black',
};

/** Highest version that this release knows. */
export const newestVersion = 2;

export interface PictureShape {
  readonly height: number;
  readonly width: number;
  /** 1 gray, 3 red green blue, 4 with alpha */
  readonly channels: number;
}

/** Undefined when rows of this shape are not pictures: [height, width] or [height, width, 1, 3 or 4]. */
export function pictureShapeOf(shape: readonly number[]): PictureShape | undefined {
  const [height = 0, width = 0, channels = 1] = shape;
  const fits = (shape.length === 2 || shape.length === 3) && [1, 3, 4].includes(channels);
  return fits ? { height, width, channels } : undefined;
}
