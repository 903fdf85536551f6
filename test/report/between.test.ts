import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import type { JobSpec } from '../../src/jobspec/job.ts';
import { newPictures } from '../../src/report/between.ts';
import type { Reconstruction } from '../../src/report/reconstruction.ts';

const shape = [8, 8, 3];
const size = 8 * 8 * 3;
/** Red, green and blue pictures as test rows; a code is the first pixel, and decodes to a picture of its colour. */
const rows = Float32Array.from({ length: 4 * size }, (_, i) => (i % 3 === Math.floor(i / size) % 3 ? 1 : 0));
const model: Reconstruction = {
  reconstruct: async (given) => given,
  encode: async (given, count) =>
    Float32Array.from({ length: count * 3 }, (_, i) => given[Math.floor(i / 3) * size + (i % 3)]!),
  decode: async (codes, count) =>
    Float32Array.from({ length: count * size }, (_, i) => codes[Math.floor(i / size) * 3 + (i % 3)]!),
  dispose() {},
};
const pictures = (type: string, more: object = {}) => {
  const spec = { model: { type, ...more }, training: { seed: 3 } } as unknown as JobSpec;
  return newPictures({ spec, model, shape, codeShape: [3], range: [0, 1], rows });
};

/** The colours of the pictures in a line; each is 56 pixels wide, with 4 between. */
async function colours(png: Uint8Array | undefined, line: number): Promise<number[][]> {
  const { data, info } = await sharp(png).raw().toBuffer({ resolveWithObject: true });
  return Array.from({ length: (info.width + 4) / 60 }, (_, column) => {
    const at = 4 * ((line * 60 + 20) * info.width + column * 60 + 20);
    return [...data.subarray(at, at + 3)];
  });
}

describe('pictures of a report that no data set holds', () => {
  it('go from one test row to another in equal steps of the code', async () => {
    const { interpolations, samples } = await pictures('dense');
    expect(samples).toBeUndefined();
    const line = await colours(interpolations, 0);
    expect(line).toHaveLength(10);
    for (const [step, [red, green, blue]] of line.entries()) {
      expect(red).toBeCloseTo((255 * (9 - step)) / 9, -0.5);
      expect(green).toBeCloseTo((255 * step) / 9, -0.5);
      expect(blue).toBe(0);
    }
    expect((await colours(interpolations, 1)).at(0)).toEqual([0, 0, 255]);
  });

  it('are drawn from the prior, the same ones again, where the model has one', async () => {
    const { samples } = await pictures('variational');
    expect(samples).toEqual((await pictures('variational')).samples);
    const drawn = (await Promise.all([0, 1, 2, 3].map((line) => colours(samples, line)))).flat();
    expect(drawn).toHaveLength(40);
    // Half of the values of N(0, I) are below 0, which is black.
    const black = drawn.flat().filter((value) => value === 0).length;
    expect(black / 120).toBeGreaterThan(0.3);
    expect(black / 120).toBeLessThan(0.7);
  });

  it('are left out where codes hold places of largest values', async () => {
    expect(await pictures('convolutional', { unpooling: 'switches' })).toEqual({});
  });
});
