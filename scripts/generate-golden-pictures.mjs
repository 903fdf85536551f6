// Draws the golden pictures of test/picture/golden: the same bytes each time, checked in so that all decoders see the same files.
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';

const folder = path.resolve(
  import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname),
  '../test/picture/golden',
);
mkdirSync(folder, { recursive: true });

/** A small generator, so that noise is the same each time. */
function noiseFrom(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Pixels from a function of the place; `at` gives the channels, 0 to 255. */
function raster(width, height, channels, at) {
  const data = new Uint8Array(width * height * channels);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) data.set(at(x, y).map(Math.round), (y * width + x) * channels);
  }
  return sharp(data, { raw: { width, height, channels } });
}

/** Smooth colours with an edge: hues across, brightness down, a dark disk. */
const scene = (width, height) => (x, y) => {
  const [u, v] = [x / Math.max(1, width - 1), y / Math.max(1, height - 1)];
  if (Math.hypot(u - 0.6, v - 0.4) < 0.2) return [30, 20 + 60 * u, 90];
  return [255 * u, 255 * (1 - v), 255 * Math.abs(u - v)];
};
const withAlpha = (colour, alpha) => (x, y) => [...colour(x, y), alpha(x, y)];
const noise = noiseFrom(7);

/** Ink: a ring of the colour, transparent elsewhere, with a soft edge. */
const ring = (side, colour) => (x, y) => {
  const away = Math.abs(Math.hypot(x - side / 2 + 0.5, y - side / 2 + 0.5) - side / 3.2);
  return [...colour, 255 * Math.min(1, Math.max(0, side / 10 - away))];
};

const files = {
  'colour-28.png': raster(28, 28, 3, scene(28, 28)).png(),
  'primaries-28.png': raster(
    28,
    28,
    3,
    (x) =>
      [
        [255, 0, 0],
        [0, 255, 0],
        [0, 0, 255],
        [128, 128, 128],
      ][x >> 3],
  ).png(),
  'gray-28.png': raster(28, 28, 1, (x, y) => [(9 * x + 5 * y) % 256])
    .toColourspace('b-w')
    .png(),
  'wide-97x41.png': raster(97, 41, 3, scene(97, 41)).png(),
  'tall-41x97.jpg': raster(41, 97, 3, scene(41, 97)).jpeg({ quality: 90, chromaSubsampling: '4:4:4' }),
  'subsampled-120x90.jpg': raster(120, 90, 3, scene(120, 90)).jpeg({ quality: 80 }),
  'rotated-60x40.jpg': raster(60, 40, 3, scene(60, 40))
    .withMetadata({ orientation: 6 })
    .jpeg({ quality: 90, chromaSubsampling: '4:4:4' }),
  'mirrored-60x40.jpg': raster(60, 40, 3, scene(60, 40))
    .withMetadata({ orientation: 5 })
    .jpeg({ quality: 90, chromaSubsampling: '4:4:4' }),
  'gray-50x31.jpg': raster(50, 31, 1, (x, y) => [2 * x + 4 * y])
    .toColourspace('b-w')
    .jpeg({ quality: 90 }),
  'deep-gray-33x28.png': sharp(
    Uint16Array.from({ length: 33 * 28 }, (_, i) => (i * 71) % 65536),
    { raw: { width: 33, height: 28, channels: 1 } },
  )
    .toColourspace('grey16')
    .png(),
  'deep-colour-33x28.png': sharp(
    Uint16Array.from({ length: 33 * 28 * 3 }, (_, i) => (i * 23) % 65536),
    { raw: { width: 33, height: 28, channels: 3 } },
  )
    .toColourspace('rgb16')
    .png(),
  'palette-45x45.png': raster(45, 45, 3, (x, y) => [85 * (x % 4), 85 * (y % 4), 128]).png({ palette: true }),
  'dark-ink-64.png': raster(64, 64, 4, ring(64, [20, 10, 60])).png(),
  'light-ink-64.png': raster(64, 64, 4, ring(64, [240, 250, 200])).png(),
  'clear-30x20.png': raster(30, 20, 4, () => [90, 90, 90, 0]).png(),
  'glass-37x53.webp': raster(
    37,
    53,
    4,
    withAlpha(scene(37, 53), (x) => 40 + 5 * x),
  ).webp({ lossless: true }),
  'photo-80x60.webp': raster(80, 60, 3, scene(80, 60)).webp({ quality: 80 }),
  'tiny-1x1.png': raster(1, 1, 3, () => [200, 100, 50]).png(),
  'tiny-3x2.png': raster(3, 2, 3, (x, y) => [120 * x, 200 * y, 77]).png(),
  'strip-200x2.png': raster(200, 2, 3, scene(200, 2)).png(),
  'noise-131x73.png': raster(131, 73, 3, () => [255 * noise(), 255 * noise(), 255 * noise()]).png(),
  'large-2000x1500.jpg': raster(2000, 1500, 3, scene(2000, 1500)).jpeg({ quality: 60 }),
};
for (const [name, picture] of Object.entries(files)) writeFileSync(path.join(folder, name), await picture.toBuffer());
