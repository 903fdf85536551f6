import { describe, expect, it } from 'vitest';
import { classNames, drawPixels, patchAround, side } from '../../bench/recipes/fields.ts';
import { RandomStream } from '../../src/base/random.ts';

const area = side * side;

describe('patches of the picture of fields', () => {
  const components = 2;
  const image = new RandomStream(1, 'image').normal(new Float32Array(area * components));
  const patchOf = (patch: number, pixel: number, form = 0): Float32Array => {
    const out = new Float32Array(patch * patch * components);
    patchAround(image, { patch, components }, pixel, out, form);
    return out;
  };

  it.each([5, 6])('come in eight forms with the same pixels in other places, of side %i', (patch) => {
    const forms = Array.from({ length: 8 }, (_, form) => patchOf(patch, 40 * side + 60, form));
    const sorted = forms.map((form) => form.toSorted());
    for (const form of sorted) expect(form).toEqual(sorted[0]);
    expect(new Set(forms.map((form) => form.join())).size).toBe(8);
  });

  it('have the pixel in the middle, and mirror the picture beyond its edge', () => {
    const pixel = 40 * side + 60;
    expect(patchOf(5, pixel).slice(24, 26)).toEqual(image.slice(pixel * components, pixel * components + 2));
    const corner = patchOf(3, 0);
    const inside = (side + 1) * components;
    expect(corner.slice(0, 2)).toEqual(image.slice(inside, inside + 2));
    expect(corner.slice(16, 18)).toEqual(corner.slice(0, 2));
  });
});

it('pixels to train on are a share of each class and at least three, and none of them is tested on', () => {
  const classes = Uint8Array.from({ length: area }, (_, i) => (i < 5 ? 1 : i % classNames.length));
  const { train, test } = drawPixels(classes, 0.1, 1);
  expect(new Set([...train, ...test]).size).toBe(train.length + test.length);
  expect(train.length + test.length).toBe(classes.filter((label) => label > 0).length);
  for (let label = 1; label < classNames.length; label++) {
    const all = classes.filter((own) => own === label).length;
    expect(train.filter((pixel) => classes[pixel] === label)).toHaveLength(Math.max(3, Math.ceil(all / 10)));
  }
  expect(drawPixels(classes, 0.1, 1)).toEqual({ train, test });
  expect(drawPixels(classes, 0.1, 2).train).not.toEqual(train);
});
