/** The report of a codec for pictures: bits and PSNR of whole frames beside JPEG and WebP on pictures that no training saw, and parts of them. */

import { compressPicture, type WholePicture } from '../data/image.ts';
import { type CodecPoint, type CodecReport, partsFile } from '../figures/picture-models.ts';
import { pictureGrid } from './grid.ts';
import { pictureModelHtml } from './html.ts';
import { decibels } from './restoration-report.ts';

/** A picture as it came back, and what it took. */
export interface CodedPicture {
  readonly bytes: number;
  readonly raster: WholePicture;
}

export interface PictureReportOptions {
  readonly name: string;
  readonly pictures: readonly WholePicture[];
  /** numbers of the qualities to show, from coarse to fine */
  readonly qualities: readonly number[];
  readonly encode: (raster: WholePicture, quality: number) => Promise<CodedPicture>;
  readonly tick: () => void;
}

const others = { jpeg: [25, 50, 75, 90], webp: [20, 50, 75, 90] } as const;
const cropSide = 128;

/** `report.json`, `report.html` and `pictures.png`. */
export async function pictureReport(options: PictureReportOptions): Promise<Record<string, Uint8Array>> {
  const { name, pictures, qualities, encode, tick } = options;
  const curves: Record<string, CodecPoint[]> = { [name]: [], 'JPEG (mozjpeg)': [], WebP: [] };
  for (const quality of qualities) {
    tick();
    curves[name]?.push(await point(pictures, quality, (raster) => encode(raster, quality)));
  }
  for (const [format, list] of Object.entries(others) as ['jpeg' | 'webp', readonly number[]][]) {
    for (const quality of list) {
      tick();
      const made = await point(pictures, quality, (raster) => compressPicture(raster, format, quality));
      curves[format === 'webp' ? 'WebP' : 'JPEG (mozjpeg)']?.push(made);
    }
  }
  const middle = qualities[qualities.length >> 1] ?? 0;
  const parts = await crops(pictures.slice(0, 6), (raster) => encode(raster, middle));
  const report: CodecReport = { schema: 1, kind: 'picture', model: name, pictures: pictures.length, curves };
  return {
    'report.json': Buffer.from(`${JSON.stringify(report, null, 2)}\n`),
    'report.html': Buffer.from(pictureModelHtml(report, parts)),
    [partsFile]: parts,
  };
}

async function point(
  pictures: readonly WholePicture[],
  quality: number,
  code: (raster: WholePicture) => Promise<CodedPicture>,
): Promise<CodecPoint> {
  let [bpp, psnr] = [0, 0];
  for (const raster of pictures) {
    const coded = await code(raster);
    bpp += (8 * coded.bytes) / (raster.width * raster.height) / pictures.length;
    psnr += decibels(raster, coded.raster) / pictures.length;
  }
  return { quality, bpp: Math.round(bpp * 1e4) / 1e4, psnr: Math.round(psnr * 100) / 100 };
}

/** Three lines: the picture, the frame's, and WebP in at least as many bytes. */
async function crops(
  pictures: readonly WholePicture[],
  encode: (raster: WholePicture) => Promise<CodedPicture>,
): Promise<Uint8Array> {
  const lines: number[][] = [[], [], []];
  const [first] = pictures;
  const side = Math.min(cropSide, ...pictures.map(({ width, height }) => Math.min(width, height)));
  for (const raster of pictures) {
    const ours = await encode(raster);
    let webp = await compressPicture(raster, 'webp', 5);
    for (let quality = 10; quality <= 95 && webp.bytes < ours.bytes; quality += 5)
      webp = await compressPicture(raster, 'webp', quality);
    for (const [i, { width, height, channels, data }] of [raster, ours.raster, webp.raster].entries()) {
      const [top, left] = [(height - side) >> 1, (width - side) >> 1];
      for (let y = 0; y < side; y++) {
        for (let x = 0; x < side; x++) {
          for (let c = 0; c < (first?.channels ?? 3); c++) {
            lines[i]?.push(data[((top + y) * width + left + x) * channels + c] as number);
          }
        }
      }
    }
  }
  const shape = [side, side, first?.channels ?? 3];
  return pictureGrid(
    lines.map((line) => Float32Array.from(line)),
    pictures.length,
    shape,
    [0, 255],
  );
}
