/**
 * Scenes of which each pixel's class is known: digits and clothes on a cloudy ground. A pixel is classified from the patch
 * around it. Scenes for training are made of training pictures, those for testing of test pictures.
 *
 *   ┌──────────┐
 *   │ 7   👕  4 │   classes: 0 ground, 1 digit, 2 clothes
 *   │  👟 ▢  1  │   ▢ patch of 15 × 15 around a pixel
 *   └──────────┘
 */

import { RandomStream } from '../../src/base/random.ts';
import type { Dataset, SplitName } from '../../src/data/dataset.ts';

export const side = 96;
export const patchSide = 15;
export const classCount = 3;
const reach = (patchSide - 1) / 2;
const picture = 28;
/** objects stand in a grid of cells, shaken */
const cells = 3;

export interface Scene {
  /** side × side, in [0, 1] */
  readonly pixels: Float32Array;
  /** class of each pixel */
  readonly classes: Uint8Array;
}

export interface Sources {
  readonly digits: Dataset;
  readonly clothes: Dataset;
}

/** What of a picture is object: its pixels brighter than this. */
const solid = 0.3;

/** Soft blobs and fine grain, around a level of its own. */
function ground(random: RandomStream): Float32Array {
  const coarse = 12;
  const knots = random.uniform(new Float32Array((coarse + 1) ** 2), 0.1, 0.7);
  const grain = random.normal(new Float32Array(side * side), 0, 0.06);
  return grain.map((noise, at) => {
    const [y, x] = [(Math.floor(at / side) * coarse) / side, ((at % side) * coarse) / side];
    const [y0, x0] = [Math.floor(y), Math.floor(x)];
    const knot = (dy: number, dx: number) => knots[(y0 + dy) * (coarse + 1) + x0 + dx] as number;
    const top = knot(0, 0) * (1 - (x % 1)) + knot(0, 1) * (x % 1);
    const bottom = knot(1, 0) * (1 - (x % 1)) + knot(1, 1) * (x % 1);
    return Math.min(1, Math.max(0, top * (1 - (y % 1)) + bottom * (y % 1) + noise));
  });
}

export async function makeScene(sources: Sources, split: SplitName, number: number): Promise<Scene> {
  const random = new RandomStream(number, `scene/${split}`);
  const pixels = ground(random);
  const classes = new Uint8Array(side * side);
  const cell = side / cells;
  for (let i = 0; i < cells * cells; i++) {
    const kind = random.below(classCount);
    if (kind === 0) continue;
    const source = (kind === 1 ? sources.digits : sources.clothes).split(split);
    const object = new Float32Array(picture * picture);
    await source.readRows([random.below(source.length)], object);
    const shake = cell - picture + 1;
    const [top, left] = [Math.floor(i / cells) * cell + random.below(shake), (i % cells) * cell + random.below(shake)];
    for (const [at, value] of object.entries()) {
      if (value < solid) continue;
      const to = (top + Math.floor(at / picture)) * side + left + (at % picture);
      pixels[to] = value;
      classes[to] = kind;
    }
  }
  return { pixels, classes };
}

/** The patch around a pixel; beyond the edge the scene is mirrored. */
export function patchAround({ pixels }: Scene, y: number, x: number, out: Float32Array): void {
  const mirror = (at: number) => (at < 0 ? -at : at >= side ? 2 * side - 2 - at : at);
  let to = 0;
  for (let dy = -reach; dy <= reach; dy++) {
    for (let dx = -reach; dx <= reach; dx++) out[to++] = pixels[mirror(y + dy) * side + mirror(x + dx)] as number;
  }
}

/** As many patches of each class from each scene, as idx files of bytes. */
async function patches(sources: Sources, split: SplitName, scenes: number): Promise<{ rows: Blob; labels: Blob }> {
  const perClass = 40;
  const size = patchSide * patchSide;
  const rows: Uint8Array[] = [];
  const labels: number[] = [];
  const patch = new Float32Array(size);
  for (let number = 0; number < scenes; number++) {
    const scene = await makeScene(sources, split, number);
    const random = new RandomStream(number, `patches/${split}`);
    const left = new Array<number>(classCount).fill(perClass);
    for (const at of random.permutation(side * side)) {
      const label = scene.classes[at] as number;
      if (left[label] === 0) continue;
      left[label] = (left[label] as number) - 1;
      patchAround(scene, Math.floor(at / side), at % side, patch);
      rows.push(Uint8Array.from(patch, (value) => Math.round(value * 255)));
      labels.push(label);
    }
  }
  return {
    rows: idx([rows.length, patchSide, patchSide], Buffer.concat(rows)),
    labels: idx([labels.length], Uint8Array.from(labels)),
  };
}

function idx(shape: readonly number[], data: Uint8Array): Blob {
  const header = Buffer.alloc(4 + 4 * shape.length);
  header.writeUInt32BE(0x0800 + shape.length, 0);
  for (const [i, dim] of shape.entries()) header.writeUInt32BE(dim, 4 + 4 * i);
  return new Blob([new Uint8Array(header), new Uint8Array(data)]);
}

/** The form of an upload. */
export async function patchForm(sources: Sources, name: string): Promise<FormData> {
  const [train, test] = [await patches(sources, 'train', 400), await patches(sources, 'test', 80)];
  const form = new FormData();
  form.set('name', name);
  form.set('rows', train.rows, 'rows.idx');
  form.set('labels', train.labels, 'labels.idx');
  form.set('test-rows', test.rows, 'test-rows.idx');
  form.set('test-labels', test.labels, 'test-labels.idx');
  return form;
}
