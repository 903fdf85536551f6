// What image formats need for the same pictures, alone and as 8 × 8 of them in one: bytes per picture against PSNR.
import sharp, { type Sharp } from 'sharp';

export interface PicturePoint {
  readonly format: string;
  /** of the format's own scale; absent for lossless ones */
  readonly setting?: number;
  readonly tiled: boolean;
  /** per picture */
  readonly bytes: number;
  /** dB, of the squared error's mean over all values of all pictures; Infinity for lossless ones */
  readonly psnr: number;
}

const across = 8;
/** Pictures that are measured alone: formats are slow, and means settle quickly. In tiles it is all that fill one. */
export const singleRows = 1000;
const settings = [1, 5, 20, 50];

const lossy = {
  JPEG: (image: Sharp, quality: number) => image.jpeg({ quality, mozjpeg: true }),
  WebP: (image: Sharp, quality: number) => image.webp({ quality, effort: 6 }),
  AVIF: (image: Sharp, quality: number) => image.avif({ quality, effort: 4, chromaSubsampling: '4:2:0' }),
} as const;
const lossless = {
  PNG: (image: Sharp) => image.png({ compressionLevel: 9 }),
  'WebP lossless': (image: Sharp) => image.webp({ lossless: true, effort: 6 }),
} as const;

/** @param rows [n, side · side] in [0, 1] */
export async function picturePoints(rows: Float32Array, side: number): Promise<PicturePoint[]> {
  const bytes = Uint8Array.from(rows, (value) => Math.round(255 * value));
  const size = side * side;
  const singles = Array.from({ length: bytes.length / size }, (_, i) => bytes.subarray(i * size, (i + 1) * size));
  const tiles = Array.from({ length: Math.floor(singles.length / across ** 2) }, (_, tile) =>
    tileOf(singles.slice(tile * across ** 2, (tile + 1) * across ** 2), side),
  );
  const points: PicturePoint[] = [];
  for (const tiled of [false, true]) {
    const images = tiled ? tiles : singles.slice(0, singleRows);
    const width = tiled ? across * side : side;
    const perImage = tiled ? across ** 2 : 1;
    for (const [format, encode] of Object.entries(lossy)) {
      for (const setting of settings) {
        const { file, psnr } = await measure(images, width, (image) => encode(image, setting));
        points.push({ format, setting, tiled, bytes: file / perImage, psnr });
      }
    }
    for (const [format, encode] of Object.entries(lossless)) {
      const { file, psnr } = await measure(images, width, encode);
      points.push({ format, tiled, bytes: file / perImage, psnr });
    }
  }
  return points;
}

async function measure(
  images: readonly Uint8Array[],
  width: number,
  encode: (image: Sharp) => Sharp,
): Promise<{ file: number; psnr: number }> {
  let [total, error, values] = [0, 0, 0];
  for (const pixels of images) {
    const image = sharp(pixels, { raw: { width, height: width, channels: 1 } }).toColourspace('b-w');
    const file = await encode(image).toBuffer();
    const back = await sharp(file).toColourspace('b-w').extractChannel(0).raw().toBuffer();
    total += file.length;
    values += pixels.length;
    for (let i = 0; i < pixels.length; i++) error += (((back[i] ?? 0) - (pixels[i] ?? 0)) / 255) ** 2;
  }
  return { file: total / images.length, psnr: error === 0 ? Infinity : -10 * Math.log10(error / values) };
}

function tileOf(images: readonly Uint8Array[], side: number): Uint8Array {
  const width = across * side;
  const tile = new Uint8Array(width * width);
  for (const [i, pixels] of images.entries()) {
    const corner = Math.floor(i / across) * side * width + (i % across) * side;
    for (let y = 0; y < side; y++) tile.set(pixels.subarray(y * side, (y + 1) * side), corner + y * width);
  }
  return tile;
}
