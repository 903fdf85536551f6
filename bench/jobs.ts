/**
 * `BENCH_PYTHON=… npm run bench:jobs [-- --epochs 5 --rounds 3 --threads 2]`: seconds of a whole job, from its submission to the published
 * version, beside the same training as scripts with Keras `fit` and with PyTorch and a DataLoader. Writes jobs.md.
 */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { createDatasetStore } from '../src/data/store.ts';
import { openStores } from '../src/store/open.ts';
import { missing, type PeerName, peers, type Ran, runPeer } from './jobs/peers.ts';
import { followToEnd, parts, type Timeline } from './jobs/timeline.ts';
import { watchTraining } from './jobs/training-process.ts';
import { Instance } from './recipes/instance.ts';

const { values } = parseArgs({
  options: {
    epochs: { type: 'string', default: '5' },
    rounds: { type: 'string', default: '3' },
    threads: { type: 'string', default: String(Math.min(2, os.availableParallelism())) },
  },
});
const [epochs, rounds, threads] = [Number(values.epochs), Number(values.rounds), Number(values.threads)];
const python = process.env.BENCH_PYTHON ?? 'python3';
const net = { hidden: [1000, 500, 250], code: 30 };
const [batch, heldOut] = [128, 3000];
const root = mkdtempSync(path.join(os.tmpdir(), 'hourglass-jobs-'));
const dataDir = path.join(root, 'data');

/** The rows of MNIST as float32, as the peers read them. */
async function writeRows(): Promise<{ train: string; test: string }> {
  const { datasets } = await openStores({ dataDir });
  const dataset = await createDatasetStore({ files: datasets }).open('mnist');
  const files = { train: path.join(root, 'train.f32'), test: path.join(root, 'test.f32') };
  for (const name of ['train', 'test'] as const) {
    const split = dataset.split(name);
    const rows = new Float32Array(split.length * split.rowSize);
    await split.readRange(0, split.length, rows);
    writeFileSync(files[name], new Uint8Array(rows.buffer));
  }
  await dataset.close();
  return files;
}

async function runJob(instance: Instance, round: number): Promise<Ran & { parts: Timeline['parts'] }> {
  const watched = watchTraining(instance.pid);
  const model = { type: 'dense', ...net, activation: 'relu', outputActivation: 'sigmoid', loss: 'bce' } as const;
  const optimizer = { type: 'adam', learningRate: 1e-3 } as const;
  const training = { epochs, batchSize: batch, seed: 1, optimizer, validation: { fraction: heldOut / 60_000 } };
  const timeline = await followToEnd(instance.url, { name: `job-${round}`, dataset: 'mnist', model, training });
  return { ...timeline, ...watched.stop() };
}

const median = (all: readonly number[]): number =>
  all.toSorted((a, b) => a - b)[Math.floor(all.length / 2)] ?? Number.NaN;

try {
  mkdirSync(dataDir);
  const files = await writeRows();
  const there: PeerName[] = [];
  const notes: string[] = [];
  for (const name of Object.keys(peers) as PeerName[]) {
    const why = await missing(python, name);
    if (why === undefined) there.push(name);
    else notes.push(why);
  }
  const instance = await Instance.start(dataDir, threads);
  const results = new Map<string, Ran[]>();
  const timelines: Timeline['parts'][] = [];
  try {
    const contenders = ['Hourglass', ...there] as const;
    for (let round = 0; round < rounds; round++) {
      for (const name of round % 2 ? contenders.toReversed() : contenders) {
        const folder = path.join(root, `${name}-${round}`);
        mkdirSync(folder);
        const task = { ...files, heldOut, epochs, batch, ...net, threads, folder };
        const ran: Ran & { parts?: Timeline['parts'] } =
          name === 'Hourglass' ? await runJob(instance, round) : await runPeer(python, name, task);
        if (ran.parts) timelines.push(ran.parts);
        results.set(name, [...(results.get(name) ?? []), ran]);
        console.log(`${name.padEnd(10)} ${JSON.stringify(ran)}`);
      }
    }
  } finally {
    await instance.stop();
  }
  const of = (name: string, what: (ran: Ran) => number): number => median((results.get(name) ?? []).map(what));
  const perEpoch = ({ epochs: all }: Ran): number => median(all);
  const rows = [...results.keys()].map(
    (name) =>
      `| ${name} | ${of(name, ({ seconds }) => seconds).toFixed(1)} s | ${of(name, perEpoch).toFixed(2)} s | ${of(name, ({ processorSeconds }) => processorSeconds).toFixed(1)} s | ${of(name, ({ megabytes }) => megabytes).toFixed(0)} MB | ${of(name, ({ testMse }) => testMse).toFixed(5)} |`,
  );
  const fastest = Math.min(...there.map((name) => of(name, ({ seconds }) => seconds)));
  const ratio = of('Hourglass', ({ seconds }) => seconds) / fastest;
  const page = `# Whole jobs

Written by \`npm run bench:jobs -- --epochs ${epochs} --rounds ${rounds} --threads ${threads}\`. ${os.cpus()[0]?.model.trim()}, ${os.availableParallelism()} cores, load ${os.loadavg()[0]?.toFixed(1)} at the end,
Node ${process.versions.node}. 784-1000-500-250-30-250-500-1000-784 on MNIST (57,000 rows to train on, 3,000 held out), batches of ${batch}, Adam; ${epochs} epochs,
each with held-out rows and a checkpoint. Medians of ${rounds} rounds in turn. For Hourglass a job is everything from its submission to
the published version, with ONNX files, codec and a report beside PCA; for the peers a script from its start to the saved model, with the
error on the test rows. Memory (peak) and processor time are those of the process that trains.

| | whole job | an epoch | processor time | peak memory | test MSE |
| --- | ---: | ---: | ---: | ---: | ---: |
${rows.join('\n')}

${there.length > 0 ? `Hourglass takes ${ratio.toFixed(2)} × the time of the faster peer (aim: 1.0).` : notes.join('\n')}

## Where a job's seconds go

Medians of the rounds, seen from a client that follows the job's events.

| | seconds |
| --- | ---: |
${parts.map((part) => `| ${part} | ${median(timelines.map((seconds) => seconds[part])).toFixed(2)} |`).join('\n')}
`;
  console.log(page);
  writeFileSync(path.join(import.meta.dirname, 'jobs.md'), page);
} finally {
  rmSync(root, { recursive: true, force: true });
}
process.exit(0);
