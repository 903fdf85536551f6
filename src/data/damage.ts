/** Whole pictures as a model that restores them meets them: with noise, 8 bits a value as in a file, or with holes. */

import { RandomStream } from '../base/random.ts';
import type { Raster } from '../codec/picture/transform.ts';
import type { Corruption } from '../jobspec/model.ts';
import { corrupt, drawNoise } from './corruption.ts';

export interface DamagedPicture {
  readonly raster: Raster;
  /** of each pixel, 1 where it is missing */
  readonly holes?: Uint8Array;
}

/** Holes lie a third of their side or more apart, about one to nine times their area. */
const perHole = 10;

/** The same picture and `name` give the same damage. Pictures too small for a hole get the largest that fits. */
export function damagePicture(picture: Raster, corruption: Corruption, name: string): DamagedPicture {
  const { width, height, channels, data } = picture;
  if (corruption.type === 'hole') return withHoles(picture, corruption.size, name);
  const values = Float32Array.from(data, (value) => value / 255);
  const noise = drawNoise(corruption, new RandomStream(0, `damage/${name}`), new Float32Array(values.length));
  const found = corrupt(values, noise, corruption, [0, 1]);
  return { raster: { width, height, channels, data: Uint8Array.from(found, (value) => Math.round(255 * value)) } };
}

function withHoles({ width, height, channels, data }: Raster, wanted: number, name: string): DamagedPicture {
  const random = new RandomStream(0, `damage/${name}`);
  const side = Math.min(wanted, width, height);
  const holes = new Uint8Array(width * height);
  const out = Uint8Array.from(data);
  const count = Math.max(1, Math.floor((width * height) / (perHole * side * side)));
  const gap = Math.ceil(side / 3);
  const made: [top: number, left: number][] = [];
  for (let tries = 0; tries < 20 * count && made.length < count; tries++) {
    const [top, left] = [random.below(height - side + 1), random.below(width - side + 1)];
    if (made.some(([y, x]) => Math.abs(y - top) < side + gap && Math.abs(x - left) < side + gap)) continue;
    made.push([top, left]);
    for (let y = top; y < top + side; y++) {
      holes.fill(1, y * width + left, y * width + left + side);
      out.fill(128, (y * width + left) * channels, (y * width + left + side) * channels);
    }
  }
  return { raster: { width, height, channels, data: out }, holes };
}
