/**
 * `npm run bench:restoration -- --task denoise|inpaint --train DIR --test DIR[:COUNT][,DIR…]`: trains a model that restores pictures on a folder of
 * pictures, restores damaged ones of others with it and with what Python has (BM3D, biharmonic inpainting), on the very same files, and
 * writes restoration.md.
 *
 *   --python PYTHON: with bm3d, scikit-image and pillow, for sets of at most --most pictures   --keep DIR: where the model is kept and found again
 *   --peers FILE: where the peers' figures of a set are kept and found again, for they take longer than ours
 *   --epochs, --crops, --crop, --maps, --blocks, --stride, --batch, --rate: default as below   --threads 1   --out FILE
 */

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { openRestorer } from '../src/bundle/restorer.ts';
import type { Raster } from '../src/codec/picture/transform.ts';
import { damagePicture } from '../src/data/damage.ts';
import { encodePng } from '../src/data/image.ts';
import { picturesInMemory } from '../src/data/pictures.ts';
import { createOnnxEngine } from '../src/engine/onnx/engine.ts';
import type { ModelOf } from '../src/jobspec/model.ts';
import { resolveJobSpec } from '../src/jobspec/resolve.ts';
import { type RestorerShape, restorePicture } from '../src/picture/restore.ts';
import { decibels } from '../src/report/restoration-report.ts';
import { trainRestoration } from '../src/train/picture/restoration-job.ts';
import { loadPictures } from './photos/rate-distortion.ts';

const { values: options } = parseArgs({
  options: {
    task: { type: 'string', default: 'denoise' },
    train: { type: 'string' },
    test: { type: 'string' },
    python: { type: 'string' },
    keep: { type: 'string' },
    peers: { type: 'string' },
    most: { type: 'string', default: '10' },
    epochs: { type: 'string' },
    crops: { type: 'string' },
    crop: { type: 'string' },
    maps: { type: 'string' },
    blocks: { type: 'string' },
    stride: { type: 'string' },
    batch: { type: 'string' },
    rate: { type: 'string' },
    threads: { type: 'string', default: '1' },
    out: { type: 'string', default: path.join(import.meta.dirname, 'restoration.md') },
  },
});
const tasks = {
  denoise: {
    corruption: { type: 'gaussian', sigma: 25 / 255 },
    ...{ stride: 2, maps: 48, blocks: 5, crop: 64, crops: 4096, epochs: 7, batch: 8, rate: 0.0015 },
  },
  inpaint: {
    corruption: { type: 'hole', size: 32 },
    ...{ stride: 4, maps: 64, blocks: 5, crop: 96, crops: 4096, epochs: 4, batch: 8, rate: 0.0015 },
  },
} as const;
if (options.train === undefined || options.test === undefined || !Object.hasOwn(tasks, options.task)) {
  throw new Error('--train DIR, --test DIR and --task denoise or inpaint are needed');
}
const task = options.task as keyof typeof tasks;
const number = (name: 'epochs' | 'crops' | 'crop' | 'maps' | 'blocks' | 'stride' | 'batch' | 'rate'): number =>
  Number(options[name] ?? tasks[task][name]);
const picturesIn = (folder: string): string[] =>
  readdirSync(folder)
    .filter((name) => /\.(png|jpe?g|webp)$/i.test(name))
    .toSorted()
    .map((name) => path.join(folder, name));

const { spec } = resolveJobSpec({
  name: task,
  dataset: 'photos',
  model: {
    type: 'restoration',
    corruption: tasks[task].corruption,
    ...{ stride: number('stride'), maps: number('maps'), blocks: number('blocks') },
    ...{ crop: number('crop'), crops: number('crops') },
  },
  training: {
    epochs: number('epochs'),
    batchSize: number('batch'),
    optimizer: {
      type: 'adam',
      learningRate: number('rate'),
      schedule: { type: 'cosine', warmupEpochs: 0.2, final: 0.01 },
    },
  },
});
const model = spec.model as ModelOf<'restoration'>;

interface Facts {
  readonly shape: RestorerShape;
  readonly model: ModelOf<'restoration'>;
  readonly epochs: number;
  readonly batchSize: number;
  readonly seconds: number;
  readonly processorSeconds: number;
  readonly macPerPixel: number;
}

async function train(): Promise<{ restorer: Uint8Array; facts: Facts }> {
  const rasters = await loadPictures(options.train!.split(',').flatMap(picturesIn));
  console.log(`${rasters.length} pictures to train on`);
  const engine = createOnnxEngine({ threads: Number(options.threads) });
  const [began, used] = [performance.now(), process.cpuUsage()];
  const info = {
    ...{ name: 'photos', hash: '', shape: [1, 1, 3], range: [0, 1] as const, scaling: { divisor: 255 as const } },
    ...{ rows: { train: rasters.length, test: 0 }, warnings: [], builtIn: false },
  };
  const trained = await trainRestoration({
    ...{ spec, model, engine, dataset: { info }, pictures: picturesInMemory(rasters, 3), log: console.log },
    onEpoch: ({ epoch, metrics }) => console.log(epoch + 1, metrics, Math.round((performance.now() - began) / 1000)),
  });
  await engine.dispose();
  const { user, system } = process.cpuUsage(used);
  const facts = {
    ...{ shape: trained.shape, model, epochs: spec.training.epochs, batchSize: spec.training.batchSize },
    seconds: (performance.now() - began) / 1000,
    processorSeconds: (user + system) / 1e6,
    macPerPixel: trained.metrics['restorer.macPerPixel'] ?? 0,
  };
  return { restorer: trained.restorer, facts };
}

async function keptOrTrained() {
  const folder = options.keep;
  if (folder && existsSync(path.join(folder, 'facts.json'))) {
    const read = (name: string) => readFileSync(path.join(folder, name));
    return { restorer: read('restorer.onnx'), facts: JSON.parse(read('facts.json').toString()) as Facts };
  }
  const made = await train();
  if (folder) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(path.join(folder, 'restorer.onnx'), made.restorer);
    writeFileSync(path.join(folder, 'facts.json'), JSON.stringify(made.facts));
  }
  return made;
}

const { restorer, facts } = await keptOrTrained();
const open = openRestorer(restorer, Number(options.threads));

/** dB of each way to restore, mean over the pictures. */
type Scores = Readonly<Record<string, number>>;

const peers = {
  denoise: ['BM3D'],
  inpaint: ['mean colour around the hole', 'biharmonic'],
} as const;

/** Sums over the pictures, by task, set and number of pictures. */
const peerSums: Record<string, Record<string, number>> = options.peers && existsSync(options.peers)
  ? JSON.parse(readFileSync(options.peers, 'utf8'))
  : {};

/** `set`: a folder, with `:5` five pictures evenly over it. */
async function score(set: string): Promise<{ set: string; pictures: number; scores: Scores; seconds: number }> {
  const [folder = '', limit] = set.split(':');
  const files = picturesIn(folder);
  // Evenly over the folder.
  const count = Math.min(limit === undefined ? files.length : Number(limit), files.length);
  const python = count <= Number(options.most) ? options.python : undefined;
  const chosen = Array.from({ length: count }, (_, i) => files[Math.floor((i * files.length) / count)] as string);
  const pictures = await loadPictures(chosen);
  const sums: Record<string, number> = { damaged: 0, Hourglass: 0 };
  const shared = mkdtempSync(path.join(os.tmpdir(), 'hourglass-restoration-'));
  const png = (name: string, { data, ...size }: Raster) =>
    encodePng(Uint8Array.from(data), size).then((file) => writeFileSync(path.join(shared, name), file));
  let seconds = 0;
  const key = [task, folder, count].join(' ');
  const isKnown = peerSums[key] !== undefined;
  try {
    for (const [i, picture] of pictures.entries()) {
      const name = path.basename(chosen[i] as string);
      const { raster, holes } = damagePicture(picture, model.corruption, name);
      const began = performance.now();
      const restored = await restorePicture(facts.shape, raster, open.run, holes);
      seconds += (performance.now() - began) / 1000 / pictures.length;
      sums.damaged! += decibels(picture, raster, holes);
      sums.Hourglass! += decibels(picture, restored, holes);
      if (python === undefined || isKnown) continue;
      await png(`${i}.clean.png`, picture);
      await png(`${i}.damaged.png`, raster);
      if (holes) await png(`${i}.holes.png`, { ...picture, channels: 1, data: holes.map((hole) => 255 * hole) });
    }
    if (python !== undefined && !isKnown) {
      const script = path.join(import.meta.dirname, 'python/restoration.py');
      const lines = execFileSync(python, [script, task, shared, String(pictures.length)], {
        maxBuffer: 2 ** 26,
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      peerSums[key] = JSON.parse(lines.toString()) as Record<string, number>;
      if (options.peers) writeFileSync(options.peers, JSON.stringify(peerSums));
    }
    Object.assign(sums, peerSums[key]);
  } finally {
    rmSync(shared, { recursive: true });
  }
  const scores = Object.fromEntries(Object.entries(sums).map(([name, sum]) => [name, sum / pictures.length]));
  console.log(folder, scores);
  return { set: `${path.basename(path.dirname(folder))}/${path.basename(folder)}`, pictures: count, scores, seconds };
}

const results = [];
for (const folder of options.test.split(',')) results.push(await score(folder));
open.dispose();

const { stride, maps, blocks, crop, crops } = facts.model;
const what =
  task === 'denoise'
    ? '## Noise: σ = 25 of 255, colour\n\nNoisy pictures are files of 8 bits, so values are cut at 0 and 255. PSNR is over all values of RGB, mean over the pictures.'
    : '## Holes: 32 × 32 pixels\n\nHoles cover about a tenth of each picture. PSNR is over the values of RGB in the holes, mean over the pictures.';
const names = ['damaged', ...peers[task], 'Hourglass'];
const cell = (value: number | undefined): string => (value === undefined ? '–' : value.toFixed(2));
const section = `${what}

Trained on \`${options.train
  .split(',')
  .map((folder) => path.basename(folder))
  .join(
    ', ',
  )}\` for ${Math.round(facts.seconds / 60)} minutes (${Math.round(facts.processorSeconds / 60)} minutes of processor time, ${options.threads} thread of ${os.cpus()[0]?.model ?? 'an unknown processor'}, machine shared with others): ${facts.epochs} epochs of ${crops} crops of ${crop} × ${crop} pixels in
batches of ${facts.batchSize}; stride ${stride}, ${maps} maps, ${blocks} blocks, ${facts.macPerPixel} multiply-adds a pixel. Restoring takes ${results.map(({ seconds, set }) => `${seconds.toFixed(2)} s a picture of \`${set}\``).join(', ')}.

| dB | pictures | ${names.join(' | ')} |
| --- | ---: | ${names.map(() => '---:').join(' | ')} |
${results.map(({ set, pictures, scores }) => `| \`${set}\` | ${pictures} | ${names.map((name) => cell(scores[name])).join(' | ')} |`).join('\n')}
`;
const head = `# Restoring photographs

Written by \`npm run bench:restoration -- --task … --train … --test …\`, each section by its own run. Every way to restore gets the very same damaged files. Settings were
chosen on BSDS500 \`val\`; neither Kodak nor the test pictures were looked at before.
`;
const before = existsSync(options.out)
  ? readFileSync(options.out, 'utf8')
      .split(/^(?=## )/m)
      .slice(1)
  : [];
const title = section.split('\n')[0];
const others = before.filter((part) => !part.startsWith(`${title}\n`)).map((part) => part.trim());
const sections = [...others, section.trim()].toSorted((a, b) => b.localeCompare(a));
writeFileSync(options.out, `${head}\n${sections.join('\n\n')}\n`);
console.log(section);
