/** Rate–distortion curves of still-picture codecs, and how two compare: Bjøntegaard's delta rate with monotone cubic interpolation. */

import sharp, { type Sharp } from 'sharp';
import { psnrOf } from '../../src/bundle/picture.ts';
import type { Raster } from '../../src/codec/picture/transform.ts';
import type { Remember } from './remember.ts';

export interface Point {
  /** bits a pixel, mean over the pictures */
  readonly bpp: number;
  /** dB over all values of RGB, mean over the pictures */
  readonly psnr: number;
}

export interface Curve {
  readonly name: string;
  readonly points: readonly Point[];
}

/** Slopes of Fritsch & Carlson 1980, as in PCHIP. */
function slopes(x: readonly number[], y: readonly number[]): number[] {
  const n = x.length;
  const h = Array.from({ length: n - 1 }, (_, i) => x[i + 1]! - x[i]!);
  const d = h.map((step, i) => (y[i + 1]! - y[i]!) / step);
  const end = (h0: number, h1: number, d0: number, d1: number): number => {
    const slope = ((2 * h0 + h1) * d0 - h0 * d1) / (h0 + h1);
    if (slope * d0 <= 0) return 0;
    return d0 * d1 <= 0 && Math.abs(slope) > 3 * Math.abs(d0) ? 3 * d0 : slope;
  };
  return x.map((_, i) => {
    if (i === 0) return end(h[0]!, h[1] ?? h[0]!, d[0]!, d[1] ?? d[0]!);
    if (i === n - 1) return end(h[n - 2]!, h[n - 3] ?? h[n - 2]!, d[n - 2]!, d[n - 3] ?? d[n - 2]!);
    if (d[i - 1]! * d[i]! <= 0) return 0;
    const [w1, w2] = [2 * h[i]! + h[i - 1]!, h[i]! + 2 * h[i - 1]!];
    return (w1 + w2) / (w1 / d[i - 1]! + w2 / d[i]!);
  });
}

/** ln of bits a pixel at a PSNR. */
function interpolator(points: readonly Point[]): (psnr: number) => number {
  const sorted = points.toSorted((a, b) => a.psnr - b.psnr);
  const x = sorted.map(({ psnr }) => psnr);
  const y = sorted.map(({ bpp }) => Math.log(bpp));
  const m = slopes(x, y);
  return (psnr) => {
    let i = 0;
    while (i < x.length - 2 && psnr > x[i + 1]!) i++;
    const h = x[i + 1]! - x[i]!;
    const t = (psnr - x[i]!) / h;
    return (
      (2 * t ** 3 - 3 * t ** 2 + 1) * y[i]! +
      (t ** 3 - 2 * t ** 2 + t) * h * m[i]! +
      (-2 * t ** 3 + 3 * t ** 2) * y[i + 1]! +
      (t ** 3 - t ** 2) * h * m[i + 1]!
    );
  };
}

/** Mean difference of bits at equal PSNR in percent, over the PSNRs that both curves reach; negative: `tested` takes fewer. */
export function bdRate(anchor: Curve, tested: Curve, range?: readonly [number, number]): number {
  const reach = ({ points }: Curve) => points.map(({ psnr }) => psnr);
  const low = Math.max(Math.min(...reach(anchor)), Math.min(...reach(tested)), range?.[0] ?? 0);
  const high = Math.min(Math.max(...reach(anchor)), Math.max(...reach(tested)), range?.[1] ?? 99);
  const [a, b] = [interpolator(anchor.points), interpolator(tested.points)];
  const places = 1000;
  let sum = 0;
  for (let i = 0; i < places; i++) {
    const psnr = low + ((high - low) * (i + 0.5)) / places;
    sum += b(psnr) - a(psnr);
  }
  return 100 * (Math.exp(sum / places) - 1);
}

/** Bits a pixel at a PSNR beside the anchor's, in percent. */
export const rateAt = (anchor: Curve, tested: Curve, psnr: number): number =>
  100 * (Math.exp(interpolator(tested.points)(psnr) - interpolator(anchor.points)(psnr)) - 1);

type Encode = (picture: Sharp, quality: number) => Sharp;

const codecs: readonly { readonly name: string; readonly qualities: readonly number[]; readonly encode: Encode }[] = [
  {
    name: 'JPEG, plain',
    qualities: [15, 25, 40, 60, 75, 85, 92],
    encode: (p, quality) => p.jpeg({ quality, optimiseCoding: false }),
  },
  {
    name: 'JPEG, optimised',
    qualities: [15, 25, 40, 60, 75, 85, 92],
    encode: (p, quality) => p.jpeg({ quality, optimiseCoding: true }),
  },
  {
    name: 'mozjpeg',
    qualities: [15, 25, 40, 60, 75, 85, 92],
    encode: (p, quality) => p.jpeg({ quality, mozjpeg: true }),
  },
  {
    name: 'WebP, effort 6',
    qualities: [5, 15, 30, 50, 70, 82, 90, 95],
    encode: (p, quality) => p.webp({ quality, effort: 6 }),
  },
  {
    name: 'AVIF, effort 4',
    qualities: [20, 30, 40, 50, 60, 70, 80],
    encode: (p, quality) => p.avif({ quality, effort: 4 }),
  },
  { name: 'JPEG XL', qualities: [30, 45, 60, 75, 85, 92], encode: (p, quality) => p.jxl({ quality }) },
];

/** Curves of the codecs that this build of sharp has. `remember`: see remember.ts */
export async function otherCurves(pictures: readonly Raster[], remember: Remember): Promise<Curve[]> {
  const curves: Curve[] = [];
  for (const { name, qualities, encode } of codecs) {
    try {
      const points = await remember(name, async () => {
        const measured: Point[] = [];
        for (const quality of qualities) {
          measured.push(await measureAll(pictures, (picture) => encode(picture, quality)));
        }
        return measured;
      });
      curves.push({ name, points });
    } catch (error) {
      console.log(
        `${name}: not in this build of sharp (${error instanceof Error ? error.message.split('\n')[0] : error})`,
      );
    }
  }
  return curves;
}

async function measureAll(pictures: readonly Raster[], encode: (picture: Sharp) => Sharp): Promise<Point> {
  let [bpp, psnr] = [0, 0];
  for (const { width, height, channels, data } of pictures) {
    const file = await encode(sharp(data, { raw: { width, height, channels: channels as 3 } })).toBuffer();
    const { data: back, info } = await sharp(file)
      .removeAlpha()
      .toColourspace('srgb')
      .raw()
      .toBuffer({ resolveWithObject: true });
    bpp += (8 * file.length) / (width * height);
    psnr += psnrOf({ width, height, channels, data }, { width, height, channels: info.channels, data: back });
  }
  return { bpp: bpp / pictures.length, psnr: psnr / pictures.length };
}

/** RGB of every picture of a folder, by name. */
export async function loadPictures(files: readonly string[]): Promise<Raster[]> {
  const rasters: Raster[] = [];
  for (const file of files) {
    const { data, info } = await sharp(file)
      .removeAlpha()
      .toColourspace('srgb')
      .raw()
      .toBuffer({ resolveWithObject: true });
    rasters.push({ width: info.width, height: info.height, channels: info.channels, data });
  }
  return rasters;
}
