/**
 * Indian Pines: an aerial picture of fields, 145 × 145 pixels of 200 bands of light, 10,249 of them with one of 16 classes. A pixel is
 * classified from the patch around it, after its bands have been reduced to their principal components.
 *
 *   cube [145, 145, 200] ─► components [145, 145, 20] ─► patch around a pixel, in its 8 turned and mirrored forms ─► row
 */

import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { RandomStream } from '../../src/base/random.ts';
import { symmetricEigen } from '../../src/report/eigen.ts';
import { npy } from './npy.ts';

/** as `npm run bench:data-sets` stores them: NumPy arrays in Fortran's order, uint16 and uint8 */
export const fieldFiles = { cube: 'cube.npy', classes: 'classes.npy' } as const;

export const side = 145;
export const bands = 200;
const area = side * side;

/** Class 0 is what nobody has looked at. */
export const classNames = [
  'unknown',
  'alfalfa',
  'corn, no tillage',
  'corn, minimal tillage',
  'corn',
  'grass, pasture',
  'grass, trees',
  'grass, mowed pasture',
  'hay, in windrows',
  'oats',
  'soybeans, no tillage',
  'soybeans, minimal tillage',
  'soybeans, clean',
  'wheat',
  'woods',
  'buildings, grass, trees, drives',
  'stone and steel towers',
] as const;

export interface Fields {
  /** [area, bands], each band with mean 0 and variance 1 over the picture */
  readonly spectra: Float32Array;
  /** of each pixel, a place in `classNames` */
  readonly classes: Uint8Array;
}

/** Throws where the data has not been fetched. */
export function readFields(folder: string): Fields {
  const cube = values(path.join(folder, fieldFiles.cube));
  const classes = values(path.join(folder, fieldFiles.classes));
  // Fortran's order: the first index moves fastest.
  const at = (pixel: number): number => Math.floor(pixel / side) + (pixel % side) * side;
  const spectra = new Float32Array(area * bands);
  for (let band = 0; band < bands; band++) {
    const plane = Float64Array.from({ length: area }, (_, i) => cube.readUInt16LE(2 * (band * area + i)));
    const mean = plane.reduce((sum, value) => sum + value, 0) / area;
    const deviation = Math.sqrt(plane.reduce((sum, value) => sum + (value - mean) ** 2, 0) / area) || 1;
    for (let i = 0; i < area; i++) spectra[i * bands + band] = ((plane[at(i)] as number) - mean) / deviation;
  }
  return { spectra, classes: Uint8Array.from({ length: area }, (_, i) => classes[at(i)] as number) };
}

/** What follows the header of a NumPy file of version 1; its bytes are pinned, so nothing else is checked. */
function values(file: string): Buffer {
  if (!existsSync(file)) throw new Error(`${file} is not there. Run: npm run bench:data-sets`);
  const bytes = readFileSync(file);
  return bytes.subarray(10 + bytes.readUInt16LE(8));
}

/** [area, count]: the first principal components of all pixels' spectra, labelled or not, each with variance 1. */
export function principalComponents({ spectra }: Fields, count: number): Float32Array {
  const covariance = new Float64Array(bands * bands);
  for (let pixel = 0; pixel < area; pixel++) {
    const row = spectra.subarray(pixel * bands, (pixel + 1) * bands);
    for (let i = 0; i < bands; i++) {
      const value = (row[i] as number) / area;
      for (let j = 0; j <= i; j++) {
        covariance[i * bands + j] = (covariance[i * bands + j] as number) + value * (row[j] as number);
      }
    }
  }
  const { values: variances, vectors } = symmetricEigen(covariance, bands);
  const found = new Float32Array(area * count);
  for (let k = 0; k < count; k++) {
    const axis = vectors.subarray(k * bands, (k + 1) * bands);
    const scale = 1 / Math.sqrt(variances[k] as number);
    for (let pixel = 0; pixel < area; pixel++) {
      let sum = 0;
      for (let j = 0; j < bands; j++) sum += (spectra[pixel * bands + j] as number) * (axis[j] as number);
      found[pixel * count + k] = sum * scale;
    }
  }
  return found;
}

export interface Drawn {
  readonly train: readonly number[];
  readonly test: readonly number[];
}

/** A share of the labelled pixels of each class, at least 3, drawn by the seed; all others are for testing. */
export function drawPixels(classes: Uint8Array, share: number, seed: number, of?: readonly number[]): Drawn {
  const among = of ?? Array.from(classes.keys()).filter((pixel) => classes[pixel] !== 0);
  const train: number[] = [];
  const test: number[] = [];
  for (let label = 1; label < classNames.length; label++) {
    const pixels = among.filter((pixel) => classes[pixel] === label);
    const order = new RandomStream(seed, `fields/${label}`).permutation(pixels.length);
    const count = Math.max(3, Math.ceil(share * pixels.length));
    for (const [i, place] of order.entries()) (i < count ? train : test).push(pixels[place] as number);
  }
  return { train, test };
}

export interface Patches {
  readonly patch: number;
  readonly components: number;
}

/** The patch around a pixel, [patch, patch, components]; beyond the edge the picture is mirrored. `turned` is one of 8 forms. */
export function patchAround(
  image: Float32Array,
  { patch, components }: Patches,
  pixel: number,
  out: Float32Array,
  turned = 0,
): void {
  const reach = patch >> 1;
  const mirror = (at: number) => (at < 0 ? -at : at >= side ? 2 * side - 2 - at : at);
  const [y, x] = [Math.floor(pixel / side), pixel % side];
  let to = 0;
  for (let i = 0; i < patch; i++) {
    for (let j = 0; j < patch; j++) {
      let [dy, dx] = [i - reach, j - reach];
      if (turned & 1) dy = (patch % 2 === 0 ? -1 : 0) - dy;
      if (turned & 2) dx = (patch % 2 === 0 ? -1 : 0) - dx;
      if (turned & 4) [dy, dx] = [dx, dy];
      const from = (mirror(y + dy) * side + mirror(x + dx)) * components;
      out.set(image.subarray(from, from + components), to);
      to += components;
    }
  }
}

const forms = 8;
const seed = 1;
/** of the labelled pixels, for training */
const trainShare = 0.1;

/** The pixels of a data set: of the development set all are among those for training of the real one. */
export function pixelsOf(set: 'indian-pines' | 'indian-pines-development', classes: Uint8Array): Drawn {
  const drawn = drawPixels(classes, trainShare, seed);
  return set === 'indian-pines' ? drawn : drawPixels(classes, 0.75, seed + 1, drawn.train);
}

/** The form of an upload: patches of training pixels in all their turned and mirrored forms, in random order; test pixels as they are. */
export function fieldForm(name: string, fields: Fields, { train, test }: Drawn, patches: Patches): FormData {
  const image = principalComponents(fields, patches.components);
  const size = patches.patch ** 2 * patches.components;
  const write = (rows: readonly (readonly [pixel: number, turned: number])[]): { rows: Blob; labels: Blob } => {
    const values = new Float32Array(rows.length * size);
    for (const [i, [pixel, turned]] of rows.entries()) {
      patchAround(image, patches, pixel, values.subarray(i * size, (i + 1) * size), turned);
    }
    const labels = rows.map(([pixel]) => `"${classNames[fields.classes[pixel] as number]}"`);
    const shape = [rows.length, patches.patch, patches.patch, patches.components];
    return { rows: npy(shape, values), labels: new Blob([`${labels.join('\n')}\n`]) };
  };
  const turned = train.flatMap((pixel) => Array.from({ length: forms }, (_, form) => [pixel, form] as const));
  const order = new RandomStream(seed, 'fields/order').permutation(turned.length);
  const training = write(Array.from(order, (i) => turned[i] as readonly [number, number]));
  const testing = write(test.map((pixel) => [pixel, 0] as const));
  const form = new FormData();
  form.set('name', name);
  form.set('options', JSON.stringify({ header: false }));
  form.set('rows', training.rows, 'rows.npy');
  form.set('labels', training.labels, 'labels.csv');
  form.set('test-rows', testing.rows, 'test-rows.npy');
  form.set('test-labels', testing.labels, 'test-labels.csv');
  return form;
}
