/**
 * `npm run bench:photos -- --train DIR[,DIR…] --test DIR`: trains the codec for pictures on folders of pictures, codes those of another with it,
 * and writes photos.md: real frames with all their framing beside JPEG, WebP, AVIF and JPEG XL. `--set emoji` takes a built-in set of
 * pictures in place of folders, laid on white.
 *
 *   --epochs 12   --maps 96   --layers 2   --crop 16   --crops 2048   --threads 1   --keep DIR: where the model is kept and found again, and where a
 *   training and measurements that were stopped go on   --limit n: of the pictures for testing   --out FILE
 */

import { createHash } from 'node:crypto';
import { readdirSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { measure, openPictureDecoder } from '../src/bundle/picture.ts';
import { qualitySteps } from '../src/codec/picture/picture-codec.ts';
import { pictureCodecFromBytes } from '../src/codec/picture/picture-codec-bytes.ts';
import { resolveJobSpec } from '../src/jobspec/resolve.ts';
import { builtInPictures } from './photos/built-in.ts';
import { bdRate, type Curve, loadPictures, otherCurves, type Point, rateAt } from './photos/rate-distortion.ts';
import { rememberIn } from './photos/remember.ts';
import { kept, train } from './photos/training.ts';

const { values: options } = parseArgs({
  options: {
    train: { type: 'string' },
    test: { type: 'string' },
    set: { type: 'string' },
    crop: { type: 'string', default: '16' },
    epochs: { type: 'string', default: '12' },
    maps: { type: 'string', default: '96' },
    layers: { type: 'string', default: '2' },
    crops: { type: 'string', default: '2048' },
    threads: { type: 'string', default: '1' },
    limit: { type: 'string' },
    keep: { type: 'string' },
    out: { type: 'string', default: path.join(import.meta.dirname, 'photos.md') },
  },
});
if (options.set === undefined && (options.train === undefined || options.test === undefined)) {
  throw new Error(
    '--train DIR and --test DIR are needed, such as the training and test pictures of BSDS500 and the Kodak set, or --set emoji',
  );
}
const given = options.set === undefined ? undefined : await builtInPictures(options.set);
const testName = options.set ?? path.basename(options.test as string);
const trainNames =
  options.set === undefined ? (options.train as string).split(',').map((folder) => path.basename(folder)) : ['train'];
const picturesIn = (folder: string): string[] =>
  readdirSync(folder)
    .filter((name) => /\.(png|jpe?g|webp)$/i.test(name))
    .toSorted()
    .map((name) => path.join(folder, name));

const { spec } = resolveJobSpec({
  name: 'photos',
  dataset: 'photos',
  model: {
    type: 'picture',
    ...{ maps: Number(options.maps), layers: Number(options.layers) },
    ...{ crop: Number(options.crop), crops: Number(options.crops) },
  },
  training: { epochs: Number(options.epochs) },
});

const model =
  (options.keep === undefined ? undefined : kept(options.keep)) ??
  (await train(given?.train ?? (await loadPictures((options.train as string).split(',').flatMap(picturesIn))), {
    spec,
    threads: Number(options.threads),
    keep: options.keep,
  }));

const test = (given?.test ?? (await loadPictures(picturesIn(options.test as string)))).slice(
  0,
  options.limit === undefined ? undefined : Number(options.limit),
);
const hash = createHash('sha256').update(model.decoder).update(model.codec).digest();
const profile = { hash, codec: pictureCodecFromBytes(model.codec) };
const { run, dispose } = openPictureDecoder(model.decoder, profile.codec);
const points: Point[] = [];
const resultFile = options.keep === undefined ? undefined : path.join(options.keep, 'results.json');
const testSet = `${testName} ${test.length}`;
const remember = rememberIn(resultFile, `${testSet} ${hash.toString('hex')}`);
for (const step of qualitySteps.filter((_, i) => i >= 2 && i <= 13)) {
  const point = await remember(`step ${step}`, async () => {
    const measured: Awaited<ReturnType<typeof measure>>[] = [];
    for (const raster of test) measured.push(await measure(profile, raster, { margin: model.facts.margin, run, step }));
    const mean = (pick: (m: (typeof measured)[number]) => number) =>
      measured.reduce((sum, m) => sum + pick(m), 0) / measured.length;
    return { bpp: mean(({ bpp }) => bpp), psnr: mean(({ psnr }) => psnr) };
  });
  console.log('step', step, point);
  points.push(point);
}
dispose();
const ours: Curve = { name: 'Hourglass', points };
const others = await otherCurves(test, rememberIn(resultFile, testSet));
const webp = others.find(({ name }) => name.startsWith('WebP')) as Curve;

const two = (value: number): string => `${value > 0 ? '+' : ''}${value.toFixed(1)} %`;
const ranges = [
  [27, 36],
  [27, 32],
  [32, 36],
] as const;
const rows = [ours, ...others].map((curve) => {
  const rates = ranges.map((range) => two(bdRate(webp, curve, range)));
  return `| ${curve.name} | ${rates.join(' | ')} | ${two(rateAt(webp, curve, 30.5))} |`;
});
const { facts } = model;
const minutes = (seconds: number): string => (seconds / 60).toFixed(1);
const title = options.set === undefined ? 'Photographs' : `Pictures of the built-in set ${options.set}`;
const more =
  options.set === undefined
    ? '\nThe same codec on pictures of one narrow kind: [emoji](photos-emoji.md). Noise and holes: [restoration.md](restoration.md).\n'
    : '';
const text = `# ${title}

Written by \`npm run bench:photos -- ${options.set === undefined ? '--train … --test …' : `--set ${options.set}`}\` on ${os.cpus()[0]?.model ?? 'an unknown processor'}, Node ${process.versions.node}. ${test.length} pictures of \`${testName}\`,
trained on \`${trainNames.join(', ')}\`: ${minutes(facts.processorSeconds)} minutes of processor time (${minutes(facts.seconds)} minutes with ${options.threads} thread(s) on a machine shared with others) for the codec and
${facts.epochs} epoch(s) of ${facts.crops} crops of a network with ${facts.model.maps} maps, ${facts.model.layers} layers and ${facts.macPerPixel} multiply-adds a pixel. One model for all rates.

Bits are those of whole files and frames, with all heads and checksums. PSNR is over the 8-bit values of RGB. Both are means over the pictures. BD-rate is the mean
difference of bits at equal PSNR, with monotone cubic interpolation (PCHIP) of the logarithm of bits over PSNR; negative: fewer bits than WebP at effort 6.

| | BD-rate to WebP, 27–36 dB | 27–32 dB | 32–36 dB | at 30.5 dB |
| --- | ---: | ---: | ---: | ---: |
${rows.join('\n')}

| | points: bits a pixel → dB |
| --- | --- |
${[ours, ...others].map(({ name, points }) => `| ${name} | ${points.map(({ bpp, psnr }) => `${bpp.toFixed(3)} → ${psnr.toFixed(2)}`).join(', ')} |`).join('\n')}
${more}`;
console.log(text);
writeFileSync(options.out, text);
