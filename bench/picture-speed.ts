/**
 * `npm run bench:picture-speed -- --model DIR --test DIR`: what encoding a photograph costs a device and the server. DIR is a model kept by
 * bench:photos; pictures are put together to 12 and 50 megapixels from those for testing. Writes picture-speed.md.
 */

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import { openPictureDecoder } from '../src/bundle/picture.ts';
import { bandOf, qualitySteps } from '../src/codec/picture/picture-codec.ts';
import { pictureCodecFromBytes } from '../src/codec/picture/picture-codec-bytes.ts';
import { encodePicture, type PictureProfile } from '../src/codec/picture/picture-frame.ts';
import { tilesOf } from '../src/codec/picture/picture-header.ts';
import { quantiseTile } from '../src/codec/picture/quantise.ts';
import { reconstruct } from '../src/codec/picture/reconstruct.ts';
import { decodeTile, encodeTile } from '../src/codec/picture/tile-coder.ts';
import { analyse, type Raster } from '../src/codec/picture/transform.ts';
import { chromiumPath, startBrowser } from '../test/helpers/browser.ts';
import type { Asked, encodeInPage } from './photos/encode-in-page.ts';
import { loadPictures } from './photos/rate-distortion.ts';

const { values: options } = parseArgs({
  options: { model: { type: 'string' }, test: { type: 'string' }, large: { type: 'boolean', default: false } },
});
if (!options.model || !options.test) throw new Error('--model DIR and --test DIR are needed');
const read = (name: string) => new Uint8Array(readFileSync(path.join(options.model as string, name)));
const decoder = read('decoder.onnx');
const codecBytes = read('codec.bin');
const hash = createHash('sha256').update(decoder).update(codecBytes).digest();
const profile: PictureProfile = { hash, codec: pictureCodecFromBytes(codecBytes) };
const facts = JSON.parse(Buffer.from(read('facts.json')).toString()) as { margin: number };
const files = readdirSync(options.test)
  .filter((name) => /\.(png|jpe?g|webp)$/i.test(name))
  .toSorted()
  .map((name) => path.join(options.test as string, name));

/** Pictures side by side and below each other, cut to a size. */
function mosaic(pictures: readonly Raster[], width: number, height: number): Raster {
  const data = new Uint8Array(3 * width * height);
  const side = Math.min(...pictures.flatMap((picture) => [picture.width, picture.height]));
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const number = Math.floor(y / side) * Math.ceil(width / side) + Math.floor(x / side);
      const picture = pictures[number % pictures.length] as Raster;
      const from = 3 * ((y % side) * picture.width + (x % side));
      data.set(picture.data.subarray(from, from + 3), 3 * (y * width + x));
    }
  }
  return { width, height, channels: 3, data };
}
const step = qualitySteps[8] as number;
const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] as number;

if (options.large) {
  // A process of its own, so that its peak is that of one picture of 50 megapixels.
  const raster = mosaic(await loadPictures(files.slice(0, 6)), 8160, 6128);
  const began = performance.now();
  const { frame } = encodePicture(profile, raster, { step });
  const encoded = performance.now();
  const { run, dispose } = openPictureDecoder(decoder, profile.codec);
  await reconstruct(profile, frame, { margin: facts.margin, run, maxPixels: 2 ** 26 });
  dispose();
  const [encode, decode] = [encoded - began, performance.now() - encoded];
  console.log(JSON.stringify({ encode, decode, bytes: frame.length, peak: process.resourceUsage().maxRSS * 1024 }));
  process.exit();
}

const pictures = await loadPictures(files);
const small = pictures[0] as Raster;
const rounds = (count: number, work: () => unknown): number => {
  const seconds = Array.from({ length: count }, () => {
    const began = performance.now();
    work();
    return (performance.now() - began) / 1000;
  });
  return median(seconds);
};
const plain = rounds(5, () => encodePicture(profile, small, { step }));

const band = bandOf(profile.codec, step);
const tiles = tilesOf(small, 6).map((tile) => ({
  ...tile,
  quantised: quantiseTile(profile.codec, band, analyse(profile.codec, small, tile), tile, { step }),
}));
const symbols = tiles.reduce((sum, { quantised }) => sum + quantised.symbols.length, 0);
const coded = tiles.reduce((sum, { quantised }) => sum + quantised.symbols.filter((symbol) => symbol !== 0).length, 0);
const encodeSeconds = rounds(7, () => tiles.map(({ quantised }) => encodeTile(profile.codec, band, quantised)));
const payloads = tiles.map(({ quantised }) => encodeTile(profile.codec, band, quantised));
const decodeSeconds = rounds(7, () =>
  tiles.map(({ width, height, quantised }, i) => {
    const out = new Int16Array(quantised.symbols.length);
    return decodeTile(profile.codec, band, payloads[i] as Uint8Array, { width, height, symbols: out });
  }),
);

/** What the script that the page gets defines. */
interface Bundled {
  readonly bench: { readonly encodeInPage: typeof encodeInPage };
}

async function inChromium(): Promise<{ seconds: number; smallSeconds: number; version: string } | undefined> {
  if (!chromiumPath) return undefined;
  const bundled = await build({
    entryPoints: [path.join(import.meta.dirname, 'photos/encode-in-page.ts')],
    ...{ bundle: true, write: false, format: 'iife', globalName: 'bench', platform: 'browser', target: 'es2022' },
  });
  const browser = await startBrowser();
  try {
    const page = await browser.context.newPage();
    await page.addScriptTag({ content: bundled.outputFiles[0]?.text ?? '' });
    const given: Asked = {
      ...{ codec: Buffer.from(codecBytes).toString('base64'), hash: [...hash], step },
      ...{ data: Buffer.from(small.data).toString('base64'), width: small.width, height: small.height },
    };
    const made = await page.evaluate((asked) => (globalThis as unknown as Bundled).bench.encodeInPage(asked), given);
    const version = browser.context.browser()?.version() ?? '';
    return { seconds: median(made.large), smallSeconds: median(made.small), version };
  } finally {
    await browser.close();
  }
}
console.log({ plain, encodeSeconds, decodeSeconds, symbols });
const chromium = await inChromium();
console.log(chromium);
const args = ['--import', 'tsx', import.meta.filename, '--model', options.model, '--test', options.test, '--large'];
const large = JSON.parse(execFileSync(process.execPath, args, { maxBuffer: 2 ** 20 }).toString());

const megapixels = ((small.width * small.height) / 1e6).toFixed(2);
const text = `# What encoding a photograph costs

Written by \`npm run bench:picture-speed -- --model … --test …\` on ${os.cpus()[0]?.model.trim() ?? 'an unknown processor'}, ${os.availableParallelism()} cores (load ${os.loadavg()[0]?.toFixed(1)}), Node ${process.versions.node}${chromium ? `, Chromium ${chromium.version}` : '; no Chromium'}.
Quality 8, with the search for cheap symbols; medians. Everything on one thread, encoding in plain JavaScript. Pictures of 12 and 50 megapixels are put together from those of \`${path.basename(options.test)}\`.

| | | to reach |
| --- | ---: | ---: |
| ${megapixels} MP, Node | ${Math.round(1000 * plain)} ms | 300 ms |
${chromium ? `| ${megapixels} MP, Chromium | ${Math.round(1000 * chromium.smallSeconds)} ms | 300 ms |\n| 12 MP, Chromium | ${chromium.seconds.toFixed(2)} s | 2 s |\n` : ''}| 50 MP, Node, encoded | ${(large.encode / 1000).toFixed(1)} s, ${(large.bytes / 1e6).toFixed(1)} MB | |
| 50 MP, Node, decoded with the network | ${(large.decode / 1000).toFixed(1)} s | |
| 50 MP, encoded and decoded, most memory of the process | ${Math.round(large.peak / 2 ** 20)} MiB | 1024 MiB |
| entropy coding, symbols a second (${((100 * coded) / symbols).toFixed(1)} % are not zero) | ${(symbols / encodeSeconds / 1e6).toFixed(1)} M | 10 M |
| entropy decoding, symbols a second | ${(symbols / decodeSeconds / 1e6).toFixed(1)} M | 10 M |
`;
console.log(text);
writeFileSync(path.join(import.meta.dirname, 'picture-speed.md'), text);
