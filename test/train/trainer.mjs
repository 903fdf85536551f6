// A process that trains a small job on the CPU and may be killed: `node trainer.mjs CHECKPOINTS WEIGHTS`. Prints a line per
// progress report. Runs the build, like every child process.
import { writeFileSync } from 'node:fs';
import { RandomStream } from '../../dist/base/random.js';
import { writeSafetensors } from '../../dist/base/safetensors.js';
import { eagerEngine } from '../../dist/engine/eager.js';
import { resolveJobSpec } from '../../dist/jobspec/resolve.js';
import { FolderCheckpoints } from '../../dist/store/folder/jobs.js';
import { trainJob } from '../../dist/train/job.js';

const [checkpointFolder, weightsFile] = process.argv.slice(2);
const count = 400;
const width = 12;
const rows = new RandomStream(5, 'rows').uniform(new Float32Array(count * width));
const split = {
  length: count,
  inMemory: true,
  storedBytes: rows.byteLength,
  rowSize: width,
  readRange: async (start, end, out) => out.set(rows.subarray(start * width, end * width)),
  readRows: async (numbers, out) => {
    for (const [i, row] of numbers.entries()) out.set(rows.subarray(row * width, (row + 1) * width), i * width);
  },
  labels: async () => undefined,
};
const dataset = {
  info: {
    name: 'noise',
    hash: 'noise',
    shape: [width],
    range: [0, 1],
    rows: { train: count, test: 0 },
    builtIn: false,
  },
  split: () => split,
  close: async () => {},
};
const { spec } = resolveJobSpec(
  {
    name: 'noise',
    dataset: 'noise',
    model: { type: 'denoising', hidden: [16], code: 4, corruption: { type: 'gaussian' } },
    training: { epochs: 4, batchSize: 8, earlyStopping: { patience: 12 } },
  },
  { dataset: dataset.info },
);
const { weights } = await trainJob({
  spec,
  dataset,
  engine: await eagerEngine('cpu'),
  checkpoints: new FolderCheckpoints(checkpointFolder),
  checkpointSeconds: 0,
  onProgress: ({ epoch, step }) => console.log(`${epoch} ${step}`),
  log: (message) => console.log(message),
});
writeFileSync(weightsFile, writeSafetensors(weights));
