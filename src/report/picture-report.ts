/** The report of a codec for pictures: bits and PSNR of whole frames beside JPEG and WebP on pictures that no training saw, and parts of them. */

import { compressPicture, type WholePicture } from '../data/image.ts';
import { text } from './escape.ts';
import { pictureGrid } from './grid.ts';
import { card, dataUrl, reportPage } from './html.ts';
import { ratePlot } from './plot.ts';
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

interface Point {
  readonly quality: number;
  readonly bpp: number;
  readonly psnr: number;
}

const others = { jpeg: [25, 50, 75, 90], webp: [20, 50, 75, 90] } as const;
const cropSide = 128;

/** `report.json`, `report.html` and `pictures.png`. */
export async function pictureReport(options: PictureReportOptions): Promise<Record<string, Uint8Array>> {
  const { name, pictures, qualities, encode, tick } = options;
  const curves: Record<string, Point[]> = { [name]: [], 'JPEG (mozjpeg)': [], WebP: [] };
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
  const figures = { schema: 1, kind: 'picture', model: name, pictures: pictures.length, curves };
  return {
    'report.json': Buffer.from(`${JSON.stringify(figures, null, 2)}\n`),
    'report.html': Buffer.from(page(name, curves, pictures.length, parts)),
    'pictures.png': parts,
  };
}

async function point(
  pictures: readonly WholePicture[],
  quality: number,
  code: (raster: WholePicture) => Promise<CodedPicture>,
): Promise<Point> {
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

/** Bits a pixel that a codec takes for a PSNR, between its points; undefined where it does not reach so far. */
export function bitsAt(points: readonly Point[], psnr: number): number | undefined {
  const sorted = [...points].sort((a, b) => a.psnr - b.psnr);
  const above = sorted.findIndex((one) => one.psnr >= psnr);
  const [from, to] = [sorted[above - 1], sorted[above]];
  if (!from || !to) return undefined;
  const share = (psnr - from.psnr) / (to.psnr - from.psnr);
  return Math.exp(Math.log(from.bpp) + share * (Math.log(to.bpp) - Math.log(from.bpp)));
}

function verdict(own: readonly Point[], webp: readonly Point[]): string {
  const middle = own[own.length >> 1];
  const other = middle && bitsAt(webp, middle.psnr);
  if (!middle || other === undefined) return '';
  const percent = Math.round(100 * (middle.bpp / other - 1));
  return `<p class="verdict"><b>${Math.abs(percent)} % ${percent <= 0 ? 'fewer' : 'more'} bytes than WebP at ${middle.psnr.toFixed(1)} dB.</b>${middle.bpp.toFixed(2)} bits a pixel; WebP needs ${other.toFixed(2)}.</p>`;
}

function page(
  name: string,
  curves: Readonly<Record<string, readonly Point[]>>,
  count: number,
  parts: Uint8Array,
): string {
  const rows = Object.entries(curves).flatMap(([codec, points]) =>
    points.map(
      ({ quality, bpp, psnr }) =>
        `<tr><td>${text(codec)}</td><td data-head="quality">${quality}</td><td data-head="bits a pixel">${bpp.toFixed(3)}</td><td data-head="PSNR, dB">${psnr.toFixed(2)}</td></tr>`,
    ),
  );
  const plot = ratePlot(
    Object.entries(curves).map(([codec, points], i) => ({
      name: codec,
      colour: i === 0 ? 1 : 5 + i,
      isDashed: i > 0,
      points: points.map(({ bpp, psnr }) => [bpp, psnr] as const),
    })),
    {
      xLabel: 'bits a pixel',
      yLabel: 'PSNR, dB',
      label: `PSNR against bits a pixel: ${Object.keys(curves).join(', ')}`,
    },
  );
  return reportPage(
    name,
    `<h1>${text(name)}</h1><p class="soft">A codec for pictures of any size. Figures are means over ${count} pictures that it was not trained on; bytes are those of whole frames and files.</p>
${verdict(curves[name] ?? [], curves.WebP ?? [])}
${card('Bytes and quality', `${plot}<details><summary>Each quality</summary><div class="wide"><table><thead><tr><th>codec</th><th>quality</th><th>bits a pixel</th><th>PSNR, dB</th></tr></thead><tbody>${rows.join('')}</tbody></table></div></details>`)}
${card('Parts of pictures', `<p class="soft">From the top: as they are; through a frame of this model; through WebP in at least as many bytes.</p><p><img src="${dataUrl(parts)}" alt="parts of pictures in three versions"></p>`)}`,
  );
}
