// The formulas of docs/pictures.md on pictures so small that each number can be computed by hand.
import { describe, expect, it } from 'vitest';
import { currentPreprocessing, firstPreprocessing, type Preprocessing } from '../../src/picture/preprocessing.ts';
import { type Raster, rowOfRaster, rowSteps } from '../../src/picture/row.ts';

const gray = (height: number, width: number) => ({ height, width, channels: 1 });
const raster = (width: number, channels: number, ...values: number[]): Raster => ({
  width,
  height: values.length / width / channels,
  channels,
  data: Uint8Array.from(values),
});
const made = (picture: Raster, height: number, width: number, how: Partial<Preprocessing> = {}): number[] => [
  ...rowOfRaster(picture, gray(height, width), { ...currentPreprocessing, ...how }),
];

describe('grey', () => {
  it('is Rec. 601 on gamma-coded values, as Pillow’s convert("L") computes it', () => {
    const colours = raster(4, 3, 255, 0, 0, 0, 255, 0, 0, 0, 255, 12, 200, 99);
    expect(made(colours, 1, 4)).toEqual([76, 150, 29, 132]);
  });

  it('of version 1 is the luminance of linear light, as the first releases made it', () => {
    const colours = raster(4, 3, 255, 0, 0, 0, 255, 0, 0, 0, 255, 128, 128, 128);
    expect(made(colours, 1, 4, firstPreprocessing)).toEqual([127, 220, 76, 128]);
  });

  it('leaves grey pictures of the right size as they are, in each number of channels', () => {
    const values = Array.from({ length: 256 }, (_, i) => i);
    for (const preprocessing of [currentPreprocessing, firstPreprocessing]) {
      expect(made(raster(16, 1, ...values), 16, 16, preprocessing)).toEqual(values);
      expect(made(raster(16, 3, ...values.flatMap((v) => [v, v, v])), 16, 16, preprocessing)).toEqual(values);
      expect(made(raster(16, 4, ...values.flatMap((v) => [v, v, v, 255])), 16, 16, preprocessing)).toEqual(values);
    }
  });
});

describe('transparency', () => {
  const dark = raster(2, 4, 0, 0, 0, 255, 90, 90, 90, 0);
  const light = raster(2, 2, 255, 255, 40, 0);

  it('lies on white under dark content, on black under light content', () => {
    expect(made(dark, 1, 2)).toEqual([0, 255]);
    expect(made(light, 1, 2)).toEqual([255, 0]);
    expect(made(raster(2, 4, 90, 90, 90, 0, 7, 7, 7, 0), 1, 2)).toEqual([0, 0]);
  });

  it('can be forced', () => {
    expect(made(dark, 1, 2, { transparency: 'black' })).toEqual([0, 0]);
    expect(made(light, 1, 2, { transparency: 'white' })).toEqual([255, 255]);
    expect(made(light, 1, 2, { transparency: '#ff0000' })).toEqual([255, 76]);
  });

  it('mixes by alpha, and is kept where four channels are wanted', () => {
    expect(made(raster(1, 4, 200, 200, 200, 51), 1, 1)).toEqual([40]);
    const four = rowOfRaster(raster(1, 4, 200, 100, 7, 51), { height: 1, width: 1, channels: 4 });
    expect([...four]).toEqual([200, 100, 7, 51]);
  });
});

describe('size', () => {
  const ramp = raster(6, 1, 0, 50, 100, 150, 200, 250);

  it('is changed by a triangle filter as wide as the reduction', () => {
    expect(made(ramp, 1, 3, { fit: 'squeeze' })).toEqual([36, 125, 214]);
    expect(made(ramp, 1, 2, { fit: 'squeeze' })).toEqual([63, 188]);
    expect(made(raster(2, 1, 0, 100), 1, 4, { fit: 'squeeze' })).toEqual([0, 25, 75, 100]);
  });

  it('crops the middle, squeezes, or adds margins', () => {
    const wide = raster(4, 1, 10, 20, 30, 40, 10, 20, 30, 40);
    expect(made(wide, 2, 2)).toEqual([20, 30, 20, 30]);
    expect(made(wide, 2, 2, { fit: 'pad' })).toEqual([17, 33, 0, 0]);
    expect(made(raster(1, 1, 200), 1, 3, { fit: 'pad' })).toEqual([255, 200, 255]);
  });

  it('of large pictures is changed in steps, with the same result', () => {
    const width = 1024;
    const picture = {
      ...{ width, height: 512, channels: 1 },
      data: Uint8Array.from({ length: width * 512 }, (_, i) => (i * 7) % 256),
    };
    let count = 0;
    const steps = rowSteps(picture, gray(28, 28));
    let step = steps.next();
    for (; !step.done; step = steps.next()) count++;
    expect(count).toBe(4);
    expect(step.value).toEqual({ pixels: rowOfRaster(picture, gray(28, 28)) });
  });

  it('of large transparent pictures is changed in steps too, the look for a background among them', () => {
    const [width, height] = [1024, 512];
    const picture = { width, height, data: new Uint8Array(width * height * 4) };
    picture.data.fill(200, 0, width * 4 * 100); // light, and nothing below it
    let count = 0;
    const steps = rowSteps(picture, gray(28, 28));
    let step = steps.next();
    for (; !step.done; step = steps.next()) count++;
    expect(count).toBe(3 + 4);
    expect(step.value).toEqual({ pixels: rowOfRaster(picture, gray(28, 28)), background: [0, 0, 0] });
  });
});
