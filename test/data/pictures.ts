// Small pictures in every format, through sharp.
import sharp from 'sharp';

export interface Drawn {
  readonly width?: number;
  readonly height?: number;
  readonly channels?: 1 | 3 | 4;
  /** value of every channel, or the channels of one color */
  readonly color?: number | readonly number[];
  readonly format?: 'png' | 'jpeg' | 'webp' | 'gif' | 'tiff';
}

export async function picture({
  width = 4,
  height = 3,
  channels = 1,
  color = 100,
  format = 'png',
}: Drawn = {}): Promise<Uint8Array> {
  const values = typeof color === 'number' ? Array<number>(channels).fill(color) : color;
  const pixels = Uint8Array.from({ length: width * height * channels }, (_, i) => values[i % channels]!);
  let image = sharp(pixels, { raw: { width, height, channels } });
  if (channels === 1) image = image.toColourspace('b-w');
  return image
    .toFormat(format, format === 'webp' ? { lossless: true } : format === 'jpeg' ? { quality: 100 } : {})
    .toBuffer();
}
