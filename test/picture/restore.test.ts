// Pictures are restored in windows: no seam shows, whatever their size, and what is not missing stays as it was.
import { describe, expect, it } from 'vitest';
import { openRestorer } from '../../src/bundle/restorer.ts';
import { exportPictureOnnx } from '../../src/engine/export.ts';
import { initialise } from '../../src/models/parameters.ts';
import { RestorationNetwork, restorationFunction } from '../../src/models/restoration.ts';
import { type RunRestorer, restorePicture } from '../../src/picture/restore.ts';
import { picture } from '../codec/picture/pictures.ts';

/** Adds up the squares around each square, `reach` away at most, in whole numbers, so that no order of adding can show. */
const sums =
  (reach: number, values: number): RunRestorer =>
  async ({ x, height, width }) => {
    const size = x.length / (height * width);
    const out = new Float32Array(height * width * values);
    for (let row = 0; row < height; row++) {
      for (let column = 0; column < width; column++) {
        for (let i = Math.max(0, row - reach); i <= Math.min(height - 1, row + reach); i++) {
          for (let j = Math.max(0, column - reach); j <= Math.min(width - 1, column + reach); j++) {
            for (let v = 0; v < values; v++) {
              const value = Math.round(255 * (x[(i * width + j) * size + v] as number));
              const at = (row * width + column) * values + v;
              out[at] = (out[at] as number) + value;
            }
          }
        }
      }
    }
    const places = (2 * reach + 1) ** 2;
    return out.map((sum) => sum / places / 255);
  };

describe('a picture in windows', () => {
  it.each([
    [1, 300, 140],
    [2, 301, 263],
    [4, 1030, 37],
  ])('of squares of %i pixels has the values of one window, at %i × %i', async (stride, width, height) => {
    const raster = picture(3, width, height, 1);
    const shape = { channels: 1, stride, margin: 2, hasMask: false };
    let windows = 0;
    const run: RunRestorer = (window) => {
      windows++;
      return sums(2, stride ** 2)(window);
    };
    const found = await restorePicture(shape, raster, run);
    expect(windows).toBeGreaterThan(1);
    // A margin as large as the picture: every window is the whole picture.
    const whole = await restorePicture({ ...shape, margin: 2000 }, raster, run);
    expect(found.data.every((value, i) => value === whole.data[i])).toBe(true);
    const short = await restorePicture({ ...shape, margin: 1 }, raster, run);
    expect(short.data.every((value, i) => value === whole.data[i])).toBe(false);
  });

  it('shows no seam of a real network', async () => {
    const network = new RestorationNetwork({
      ...{ channels: 3, stride: 2, maps: 8, blocks: 2, corruption: { type: 'gaussian', sigma: 0.1 } },
    });
    const drawn = Object.fromEntries(
      Object.entries(network.parameters).map(([name, { shape }]) => [
        name,
        { shape, init: { type: 'normal', deviation: 0.1 } as const },
      ]),
    );
    const file = exportPictureOnnx(restorationFunction(network, initialise(drawn, 1)), { producer: 'x', version: '0' });
    const { run, dispose } = openRestorer(file);
    const raster = picture(4, 530, 270, 3);
    const shape = { channels: 3, stride: 2, margin: network.margin, hasMask: false };
    const [found, whole] = [
      await restorePicture(shape, raster, run),
      await restorePicture({ ...shape, margin: 2000 }, raster, run),
    ];
    dispose();
    const differences = found.data.map((value, i) => Math.abs(value - (whole.data[i] as number)));
    expect(differences.reduce((most, difference) => Math.max(most, difference), 0)).toBeLessThan(2);
    expect(differences.filter((difference) => difference > 0).length).toBeLessThan(50);
    expect(whole.data).not.toEqual(raster.data);
  });

  it('changes holes alone, and runs only where there are some', async () => {
    const raster = picture(5, 600, 300, 3);
    const holes = new Uint8Array(600 * 300);
    for (let y = 20; y < 30; y++) holes.fill(1, y * 600 + 40, y * 600 + 50);
    let windows = 0;
    const run: RunRestorer = async ({ x, height, width }) => {
      windows++;
      expect(x.filter((value, i) => i % 16 >= 12 && value === 0)).toHaveLength(100);
      return new Float32Array(height * width * 12).fill(1);
    };
    const { data } = await restorePicture({ channels: 3, stride: 2, margin: 4, hasMask: true }, raster, run, holes);
    expect(windows).toBe(1);
    const wanted = raster.data.map((value, i) => (holes[Math.floor(i / 3)] ? 255 : value));
    expect(Buffer.compare(data, Uint8Array.from(wanted))).toBe(0);
  });
});
