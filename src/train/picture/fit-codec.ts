/** The codec of a kind of pictures, fitted to a bounded sample of them. */

import { type Analysed, fitBand } from '../../codec/picture/fit-bands.ts';
import { fitTransform, type Transform } from '../../codec/picture/fit-transform.ts';
import { lappings } from '../../codec/picture/lapping.ts';
import { type Band, type PictureCodec, stepValue } from '../../codec/picture/picture-codec.ts';
import { defaultTrade, dequantise, quantiseTile } from '../../codec/picture/quantise.ts';
import { encodeTile } from '../../codec/picture/tile-coder.ts';
import { analyse, blocksOf, coefficientScale, type Raster } from '../../codec/picture/transform.ts';
import type { Pictures } from '../../data/dataset.ts';

/** Pixels of a side of what is taken of a picture, and of all together. */
const sampleSide = 256;
const samplePixels = 1.2e6;

/** Numbers of the steps that bands are fitted at: three quarters of an octave apart, from 3 to 128. */
const bandSteps = [14, 20, 26, 32, 38, 44, 50, 56] as const;

/** At which step the lapping is chosen. */
const choiceStep = 38;

/** Throws what `tick` throws, which is called between the bands. */
export async function fitCodec(pictures: Pictures, tick: () => void = () => {}): Promise<PictureCodec> {
  const rasters = await sample(pictures);
  let best: { transform: Transform; samples: Analysed[]; band: Band; cost: number } | undefined;
  for (const lapping of lappings()) {
    tick();
    await new Promise(setImmediate);
    const transform = fitTransform(rasters, pictures.channels, lapping);
    const samples = rasters.map((raster): Analysed => {
      const shape = { width: blocksOf(raster.width), height: blocksOf(raster.height) };
      return { ...shape, coefficients: analyse(transform, raster, { row: 0, column: 0, ...shape }) };
    });
    const band = fitBand(transform, samples, { step: choiceStep, trade: defaultTrade });
    const cost = costOf({ ...transform, bands: [band] }, band, samples);
    if (!best || cost < best.cost) best = { transform, samples, band, cost };
  }
  const { transform, samples, band } = best as NonNullable<typeof best>;
  const bands = [];
  for (const step of bandSteps) {
    tick();
    await new Promise(setImmediate);
    bands.push(step === choiceStep ? band : fitBand(transform, samples, { step, trade: defaultTrade }));
  }
  return { ...transform, bands };
}

/** Squared error in squared steps, and what the bytes are worth beside it. */
function costOf(codec: PictureCodec, band: Band, samples: readonly Analysed[]): number {
  const unit = stepValue(band.step) * coefficientScale;
  let cost = 0;
  for (const { coefficients, ...shape } of samples) {
    const tile = quantiseTile(codec, band, coefficients, shape, { step: band.step });
    cost += 8 * defaultTrade * encodeTile(codec, band, tile).length;
    for (const [i, value] of dequantise(codec, band, tile.symbols).entries()) {
      cost += (value - (coefficients[i] as number) / unit) ** 2;
    }
  }
  return cost;
}

/** The middles of pictures that lie evenly over all of them. */
async function sample(pictures: Pictures): Promise<Raster[]> {
  const areaOf = (index: number) => {
    const size = pictures.size(index);
    const [height, width] = [Math.min(size.height, sampleSide), Math.min(size.width, sampleSide)];
    return { top: (size.height - height) >> 1, left: (size.width - width) >> 1, height, width };
  };
  const first = areaOf(0);
  const count = Math.max(1, Math.min(pictures.length, Math.round(samplePixels / (first.height * first.width))));
  const rasters: Raster[] = [];
  let pixels = 0;
  for (let i = 0; i < count && pixels < 2 * samplePixels; i++) {
    const index = Math.floor((i * pictures.length) / count);
    const area = areaOf(index);
    rasters.push(await pictures.read(index, area));
    pixels += area.height * area.width;
  }
  return rasters;
}
