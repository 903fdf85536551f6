// The models that the codec's bench measures: jobs of the compression recipes, trained and published once, then kept in a folder.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { buildBundle } from '../../src/bundle/bundle.ts';
import { type Coder, openCoder } from '../../src/bundle/coder.ts';
import type { Profile } from '../../src/codec/profile.ts';
import { profileFromBytes } from '../../src/codec/profile-bytes.ts';
import type { Dataset } from '../../src/data/dataset.ts';
import type { JobSpec } from '../../src/spec/job.ts';
import { resolveJobSpec } from '../../src/spec/resolve.ts';
import { trainJob } from '../../src/train/job.ts';
import { openEngine } from '../../src/worker/engine-choice.ts';
import { readRecipe } from '../recipes/recipe.ts';

export interface CodedModel {
  readonly name: string;
  readonly spec: JobSpec;
  /** what is known of it is kept here too */
  readonly folder: string;
  readonly profile: Profile;
  /** of each quality: squared error, summed over a row, that one bit is worth */
  readonly lambdas: readonly number[];
  /** wall clock of training, without reading data and publishing */
  readonly trainingSeconds: number;
  readonly coder: Coder;
}

export interface ModelOptions {
  readonly dataset: Dataset;
  /** of all models */
  readonly folder: string;
  readonly threads: number;
}

interface Summary {
  readonly hash: string;
  readonly lambdas: readonly number[];
  readonly trainingSeconds: number;
}

/** An interrupted training is gone on with. */
export async function codedModel(recipe: string, { dataset, folder, threads }: ModelOptions): Promise<CodedModel> {
  const { spec } = resolveJobSpec(readRecipe(recipe).jobs.main, { dataset: dataset.info });
  const key = createHash('sha256').update(JSON.stringify(spec)).digest('hex').slice(0, 8);
  const own = path.join(folder, `${recipe}-${key}`);
  const file = (name: string): string => path.join(own, name);
  if (!existsSync(file('summary.json'))) await train(spec, { dataset, folder: own, threads });
  const { hash, lambdas, trainingSeconds } = JSON.parse(readFileSync(file('summary.json'), 'utf8')) as Summary;
  const profile = { hash: Buffer.from(hash, 'hex'), ...profileFromBytes(readFileSync(file('codec.bin'))) };
  const coder = openCoder(
    {
      encoder: readFileSync(file('encoder.onnx')),
      decoder: readFileSync(file('decoder.onnx')),
      inputShape: dataset.info.shape,
      codeShape: profile.codeShape,
    },
    threads,
  );
  return { name: recipe, spec, folder: own, profile, lambdas, trainingSeconds, coder };
}

async function train(spec: JobSpec, { dataset, folder, threads }: ModelOptions): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const engine = await openEngine({ engine: 'onnx', device: 'cpu', threads });
  try {
    const { files, inputShape, codeShape, quantiser, metrics } = await trainJob({
      spec,
      dataset,
      engine,
      checkpointFolder: path.join(folder, 'checkpoints'),
      onEpoch: ({ epoch, metrics }) => console.log(`${spec.name} epoch ${epoch} ${JSON.stringify(metrics)}`),
    });
    const model = { encoder: files['encoder.onnx']!, decoder: files['decoder.onnx']!, inputShape, codeShape };
    const bundle = await buildBundle({ name: spec.name, dataset, threads, ...model, ...(quantiser && { quantiser }) });
    writeFileSync(path.join(folder, 'encoder.onnx'), model.encoder);
    writeFileSync(path.join(folder, 'decoder.onnx'), model.decoder);
    writeFileSync(path.join(folder, 'codec.bin'), bundle.files['codec.bin']);
    const summary: Summary = {
      hash: bundle.codec.hash,
      lambdas: bundle.codec.qualities.map(({ lambda }) => lambda),
      trainingSeconds: metrics['train.seconds'] ?? Number.NaN,
    };
    writeFileSync(path.join(folder, 'summary.json'), JSON.stringify({ ...summary, metrics }));
  } finally {
    await engine.dispose();
  }
}
