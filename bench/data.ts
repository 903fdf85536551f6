/**
 * `npm run bench:data [-- --gigabytes 4]`: feeds of training. What drawing noise costs beside the step it is for, and the
 * memory of the training process on a data set that is larger than what it may take. Writes data.md.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { float32 } from '../src/base/ndarray.ts';
import { RandomStream } from '../src/base/random.ts';
import { drawHoles } from '../src/data/corruption.ts';
import { createDatasetStore } from '../src/data/store.ts';
import { createOnnxEngine } from '../src/engine/onnx/engine.ts';
import { FolderDatasets } from '../src/store/folder/datasets.ts';
import { descendants } from './faults/fleet.ts';
import { Instance } from './recipes/instance.ts';
import { batch, batches, images, initialParameters, net, optimizerFeed, pixels } from './train/nets.ts';
import { median } from './train/table.ts';

const { values: options } = parseArgs({ options: { gigabytes: { type: 'string', default: '4' } } });
const rounds = 15;

const draws: Readonly<Record<string, (random: RandomStream, out: Float32Array) => Float32Array>> = {
  'uniform (salt and pepper)': (random, out) => random.uniform(out),
  'normal (Gaussian)': (random, out) => random.normal(out),
  'Bernoulli (masking)': (random, out) => random.bernoulli(out, 0.5),
  'hole (inpainting)': (random, out) => drawHoles(random, out, [28, 28, 1], 10),
};

/** Milliseconds per step of 128 rows of 784: the smallest net of train.md, and each kind of noise, in turn. */
async function noiseTable(): Promise<string[]> {
  const { program, ...rest } = net('mlp');
  const executable = await createOnnxEngine({ threads: 1 }).compile(program);
  await executable.setState({ ...(await executable.getState()), ...initialParameters({ program, ...rest }) });
  const x = float32([batches, batch, pixels], images());
  const out = new Float32Array(x.data.length);
  const samples: Record<string, number[]> = { step: [] };
  const timed = async (name: string, work: () => unknown): Promise<void> => {
    const began = performance.now();
    await work();
    samples[name] = [...(samples[name] ?? []), (performance.now() - began) / batches];
  };
  for (let round = 0; round < rounds; round++) {
    await timed('step', () => executable.run({ x, optimizer: optimizerFeed(round * batches, batches) }));
    for (const [name, draw] of Object.entries(draws)) {
      await timed(name, () => draw(new RandomStream(1, `noise/${round}`), out));
    }
  }
  await executable.dispose();
  const step = median(samples.step as number[]);
  const rows = Object.keys(draws).map((name) => {
    const ms = median(samples[name] as number[]);
    return `| ${name} | ${ms.toFixed(3)} | ${((100 * ms) / (ms + step)).toFixed(1)} % |`;
  });
  return [`| step of the net, one thread | ${step.toFixed(3)} | |`, ...rows];
}

/** An .npy file of float32 rows that was never in memory as a whole. */
async function* npy(rows: number): AsyncGenerator<Uint8Array> {
  const header = `{'descr': '<f4', 'fortran_order': False, 'shape': (${rows}, ${pixels}), }`;
  const padded = header.padEnd(128 - 10 - 1).concat('\n');
  yield Buffer.concat([Buffer.from([0x93, 78, 85, 77, 80, 89, 1, 0, padded.length, 0]), Buffer.from(padded, 'latin1')]);
  const pictures = images();
  const perBlock = pictures.length / pixels;
  for (let row = 0; row < rows; row += perBlock) {
    const brightness = 0.5 + 0.5 * new RandomStream(row, 'brightness').below(1000) * 0.001;
    const block = pictures.map((value) => value * brightness);
    yield new Uint8Array(block.buffer, 0, Math.min(perBlock, rows - row) * pixels * 4);
  }
}

/** Largest resident memory so far of a process, in MB; undefined when it is gone. */
function peakMegabytes(pid: number): { command: string; megabytes: number } | undefined {
  try {
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
    const kilobytes = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return kilobytes === undefined ? undefined : { command, megabytes: Number(kilobytes) / 1000 };
  } catch {
    return undefined;
  }
}

async function largeSet(gigabytes: number): Promise<string[]> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'hourglass-large-'));
  const rows = Math.ceil((gigabytes * 1e9) / (pixels * 4));
  try {
    const limits = { uploadBytes: Number.MAX_SAFE_INTEGER, expandedBytes: Number.MAX_SAFE_INTEGER };
    const store = createDatasetStore({ files: new FolderDatasets(path.join(folder, 'datasets')), limits });
    const parts = [{ role: 'rows', fileName: 'rows.npy', content: npy(rows) }] as const;
    const info = await store.create('large', { parts, options: { testFraction: 0.01 } });
    const instance = await Instance.start(folder, 2);
    let peak = 0;
    const sampling = setInterval(async () => {
      for (const pid of await descendants(instance.pid)) {
        const found = peakMegabytes(pid);
        if (found?.command.includes('worker/child.js')) peak = Math.max(peak, found.megabytes);
      }
    }, 200);
    try {
      const request = {
        name: 'large',
        dataset: 'large',
        model: { type: 'denoising', corruption: { type: 'gaussian', sigma: 0.5 } },
        training: { epochs: 1, batchSize: 128 },
      };
      const began = performance.now();
      await instance.train(request, ({ progress }) => process.stdout.write(`\r${progress?.percent.toFixed(0)} % `));
      const seconds = (performance.now() - began) / 1000;
      const trained = info.rows.train;
      return [
        `A set of ${((rows * pixels * 4) / 1e9).toFixed(2)} GB (${rows.toLocaleString('en')} rows of ${pixels} float32), one epoch over its ${trained.toLocaleString('en')} training`,
        `rows in seeded random order through the normal job path, ${seconds.toFixed(0)} s: at its peak the training process had`,
        `**${peak.toFixed(0)} MB** resident (limit: 1,000 MB).`,
      ];
    } finally {
      clearInterval(sampling);
      await instance.stop();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const noise = await noiseTable();
console.log(noise.join('\n'));
const large = await largeSet(Number(options.gigabytes));
const lines = [
  '# Feeding a training',
  '',
  `Written by \`npm run bench:data\`. ${os.cpus()[0]?.model}, ${os.availableParallelism()} cores, Node ${process.versions.node}.`,
  '',
  '## Noise',
  '',
  `Milliseconds per step of 128 rows of 784 numbers, medians of ${rounds} interleaved rounds, beside the step of the smallest`,
  'net of [train.md](train.md) (784-128-32-128-784): of wider nets noise is a smaller share.',
  '',
  '| | ms | share of both |',
  '| --- | ---: | ---: |',
  ...noise,
  '',
  '## A data set larger than memory',
  '',
  ...large,
  '',
];
console.log(large.join('\n'));
writeFileSync(path.join(import.meta.dirname, 'data.md'), lines.join('\n'));
