// What image formats need for the same pictures, alone and as 8 × 8 of them in one: bytes per picture against PSNR.
import sharp, { type Sharp } from 'sharp';

export interface Point {
  readonly name: string;
  /** per picture */
  readonly bytes: number;
  readonly psnr: number;
}

const across = 8;

const formats = {
  JPEG: (image: Sharp, quality: number) => image.jpeg({ quality }),
  WebP: (image: Sharp, quality: number) => image.webp({ quality, effort: 6 }),
  AVIF: (image: Sharp, quality: number) => image.avif({ quality, effort: 4 }),
} as const;

/** @param rows [n, side · side] in [0, 1] */
export async function picturePoints(rows: Float32Array, side: number, quality: number): Promise<Point[]> {
  const bytes = Uint8Array.from(rows, (value) => Math.round(255 * value));
  const size = side * side;
  const singles = Array.from({ length: bytes.length / size }, (_, i) => bytes.subarray(i * size, (i + 1) * size));
  const tiles = Array.from({ length: Math.floor(singles.length / across ** 2) }, (_, tile) =>
    tileOf(singles.slice(tile * across ** 2, (tile + 1) * across ** 2), side),
  );
  const points: Point[] = [];
  for (const [name, encode] of Object.entries(formats)) {
    for (const [how, images, width, count] of [
      ['alone', singles, side, 1],
      ['64 in a tile', tiles, across * side, across ** 2],
    ] as const) {
      const codec = (image: Sharp): Sharp => encode(image, quality);
      points.push({ name: `${name} ${quality}, ${how}`, ...(await measure(images, width, count, codec)) });
    }
  }
  const png = (image: Sharp): Sharp => image.png({ compressionLevel: 9 });
  points.push({ name: 'PNG, alone', ...(await measure(singles, side, 1, png)) });
  return points;
}

async function measure(
  images: readonly Uint8Array[],
  width: number,
  count: number,
  encode: (image: Sharp) => Sharp,
): Promise<{ bytes: number; psnr: number }> {
  let [total, error, values] = [0, 0, 0];
  for (const pixels of images) {
    const file = await encode(
      sharp(pixels, { raw: { width, height: width, channels: 1 } }).toColourspace('b-w'),
    ).toBuffer();
    const back = await sharp(file).toColourspace('b-w').extractChannel(0).raw().toBuffer();
    total += file.length;
    values += pixels.length;
    for (let i = 0; i < pixels.length; i++) error += (((back[i] ?? 0) - (pixels[i] ?? 0)) / 255) ** 2;
  }
  return { bytes: total / images.length / count, psnr: error === 0 ? Infinity : -10 * Math.log10(error / values) };
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
