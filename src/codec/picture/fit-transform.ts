/** The transform of a kind of pictures: principal colours, lapping, then an 8 × 8 DCT of each, coded in the order of falling variance. */

import { eigenvectors, NormalEquations } from './least-squares.ts';
import {
  blockSide,
  coefficientsOf,
  type PictureChannels,
  type PictureCodec,
  type Prediction,
  pixelOffset,
  stepUnits,
} from './picture-codec.ts';
import { analyse, blocksOf, coefficientScale, type LinearTransform, type Raster } from './transform.ts';

export type Transform = Pick<PictureCodec, 'channels' | 'colours' | 'lapping' | 'order' | 'parents' | 'predictions'>;

/** Axes of the colours of all pictures, as rows. */
function colourAxes(rasters: readonly Raster[], channels: number): Float64Array {
  const moments = new Float64Array(channels * channels);
  const mean = new Float64Array(channels);
  let count = 0;
  for (const { data, channels: stride } of rasters) {
    for (let i = 0; i + channels <= data.length; i += 7 * stride) {
      for (let a = 0; a < channels; a++) {
        const x = (data[i + a] as number) - pixelOffset;
        mean[a] = (mean[a] as number) + x;
        for (let b = 0; b < channels; b++) {
          moments[a * channels + b] =
            (moments[a * channels + b] as number) + x * ((data[i + b] as number) - pixelOffset);
        }
      }
      count++;
    }
  }
  const covariance = moments.map((sum, i) => {
    const [a, b] = [Math.floor(i / channels), i % channels];
    return sum / count - ((mean[a] as number) / count) * ((mean[b] as number) / count);
  });
  return eigenvectors(covariance, channels);
}

interface Basis {
  readonly u: number;
  readonly v: number;
  readonly c: number;
}

const isMean = ({ u, v }: Basis): boolean => u === 0 && v === 0;

/** Throws RangeError without pictures. */
export function fitTransform(rasters: readonly Raster[], channels: PictureChannels, lapping: Int16Array): Transform {
  if (rasters.length === 0) throw new RangeError('a transform is fitted to at least one picture');
  const size = coefficientsOf({ channels });
  const bases: Basis[] = Array.from({ length: size }, (_, i) => ({
    v: Math.floor(i / (blockSide * channels)),
    u: Math.floor(i / channels) % blockSide,
    c: i % channels,
  }));
  const linear = {
    channels,
    colours: Int16Array.from(colourAxes(rasters, channels), (weight) => Math.round(weight * coefficientScale)),
    lapping,
    order: Uint8Array.from(bases, (_, i) => i),
  };
  const variances = variancesOf(linear, rasters);
  const order = bases
    .map((basis, i) => ({ basis, variance: variances[i] as number, i }))
    // mean values first: the network looks at how they change from block to block
    .sort((a, b) => Number(isMean(b.basis)) - Number(isMean(a.basis)) || b.variance - a.variance || a.i - b.i);
  const ordered = { ...linear, order: Uint8Array.from(order, ({ i }) => i) };
  const ofPlaces = order.map(({ basis }) => basis);
  return { ...ordered, parents: parentsOf(ofPlaces), predictions: fitPredictions(ordered, rasters, ofPlaces) };
}

/** The next lower frequency in either direction, and the same frequency of a colour, as far as they are coded earlier. */
function parentsOf(bases: readonly Basis[]): Int16Array {
  const places = new Map(bases.map(({ u, v, c }, i) => [`${u} ${v} ${c}`, i]));
  const parents = new Int16Array(bases.length * 3).fill(-1);
  for (const [i, { u, v, c }] of bases.entries()) {
    const candidates = [
      `${u - 1} ${v} ${c}`,
      `${u} ${v - 1} ${c}`,
      ...[0, 1, 2, 3].filter((d) => d !== c).map((d) => `${u} ${v} ${d}`),
    ];
    const earlier = candidates.map((key) => places.get(key) ?? Number.POSITIVE_INFINITY).filter((place) => place < i);
    for (const [j, place] of earlier.slice(0, 3).entries()) parents[3 * i + j] = place;
  }
  return parents;
}

const wholeOf = (raster: Raster) => ({
  row: 0,
  column: 0,
  height: blocksOf(raster.height),
  width: blocksOf(raster.width),
});

function variancesOf(transform: LinearTransform, rasters: readonly Raster[]): Float64Array {
  const size = coefficientsOf(transform);
  const sums = new Float64Array(size);
  for (const raster of rasters) {
    const coefficients = analyse(transform, raster, wholeOf(raster));
    for (let i = 0; i < coefficients.length; i++) {
      const value = (coefficients[i] as number) / coefficientScale;
      sums[i % size] = (sums[i % size] as number) + value * value;
    }
  }
  return sums;
}

/** Mean values (DC) are predicted from the blocks around: weights by least squares, in units of 1/256. */
function fitPredictions(transform: LinearTransform, rasters: readonly Raster[], bases: readonly Basis[]): Prediction[] {
  const size = coefficientsOf(transform);
  const means = bases.flatMap((basis, i) => (isMean(basis) ? [i] : []));
  const equations = means.map(() => new NormalEquations(4));
  const inputs = new Float64Array(4);
  const unit = (stepUnits(24) * coefficientScale) / 16;
  for (const raster of rasters) {
    const area = wholeOf(raster);
    const coefficients = analyse(transform, raster, area);
    const line = area.width * size;
    for (let row = 1; row < area.height; row++) {
      for (let column = 1; column + 1 < area.width; column++) {
        for (const [n, k] of means.entries()) {
          const at = row * line + column * size + k;
          const value = (i: number): number => (coefficients[i] as number) / unit;
          inputs[0] = value(at - size);
          inputs[1] = value(at - line);
          inputs[2] = value(at - line - size);
          inputs[3] = value(at - line + size);
          (equations[n] as NormalEquations).add(inputs, value(at), 1);
        }
      }
    }
  }
  return means.map((coefficient, n) => {
    const equation = equations[n] as NormalEquations;
    const fitted = equation.observations > 16 ? equation.solve(1e-3) : Float64Array.of(0.5, 0.5, 0, 0);
    const weights = Array.from(fitted, (w) => Math.max(-512, Math.min(512, Math.round(256 * w))));
    return { coefficient, weights: weights as unknown as Prediction['weights'] };
  });
}
