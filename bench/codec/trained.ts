// The models that the codec's bench measures: versions that the compression recipes have published.
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { type Coder, openCoder } from '../../src/bundle/coder.ts';
import type { Profile } from '../../src/codec/profile.ts';
import { profileFromBytes } from '../../src/codec/profile-bytes.ts';
import type { Dataset } from '../../src/data/dataset.ts';
import type { JobSpec } from '../../src/jobspec/job.ts';
import { resolveJobSpec } from '../../src/jobspec/resolve.ts';
import type { Manifest } from '../../src/registry/manifest.ts';
import { Registry } from '../../src/registry/registry.ts';
import { FolderBlobs } from '../../src/store/folder/blobs.ts';
import { readRecipe } from '../recipes/recipe.ts';

export interface CodedModel {
  readonly name: string;
  readonly spec: JobSpec;
  readonly profile: Profile;
  /** of each quality: squared error, summed over a row, that one bit is worth */
  readonly lambdas: readonly number[];
  /** wall clock of training, without reading data and publishing */
  readonly trainingSeconds: number;
  readonly coder: Coder;
}

export interface ModelOptions {
  readonly dataset: Dataset;
  /** where recipes publish: `data/recipes` */
  readonly folder: string;
  readonly threads: number;
}

/** Of the recipe as it now reads; trains it where no version of it is there. */
export async function codedModel(recipe: string, options: ModelOptions): Promise<CodedModel> {
  const { dataset, folder, threads } = options;
  const { spec } = resolveJobSpec(readRecipe(recipe).jobs.main, { dataset: dataset.info });
  let found = await published(spec, options);
  if (!found) {
    const command = ['run', 'recipe', '--', recipe, '--resume', '--threads', String(threads), '--data', folder];
    execFileSync('npm', command, { stdio: 'inherit' });
    found = await published(spec, options);
  }
  if (!found?.manifest.codec) throw new Error(`the recipe ${recipe} has published no version with codec tables`);
  const { registry, manifest } = found;
  const { hash, qualities } = found.manifest.codec;
  const body = profileFromBytes(await registry.readFile(manifest, 'codec.bin'));
  const coder = openCoder(
    {
      encoder: await registry.readFile(manifest, 'encoder.onnx'),
      decoder: await registry.readFile(manifest, 'decoder.onnx'),
      inputShape: manifest.inputShape,
      codeShape: body.codeShape,
    },
    threads,
  );
  return {
    name: recipe,
    spec,
    profile: { hash: Buffer.from(hash, 'hex'), ...body },
    lambdas: qualities.map(({ lambda }) => lambda),
    trainingSeconds: manifest.metrics['train.seconds'] ?? Number.NaN,
    coder,
  };
}

/** The newest version that was trained as the spec says, on this data set. */
async function published(
  spec: JobSpec,
  { dataset, folder }: ModelOptions,
): Promise<{ registry: Registry; manifest: Manifest } | undefined> {
  const registry = await Registry.open(await FolderBlobs.open(path.join(folder, 'registry')));
  if (!(await registry.listModels()).includes(spec.name)) return undefined;
  const { versions } = await registry.getModel(spec.name);
  const manifest = versions.findLast(
    ({ lineage }) => isDeepStrictEqual(lineage.spec, spec) && lineage.dataset.hash === dataset.info.hash,
  );
  return manifest && { registry, manifest };
}
