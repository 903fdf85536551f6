/** What a measure looks at: a model's published files, its data set, and PCA of the same rows. */

import path from 'node:path';
import { float32, type NdArray, sizeOf } from '../../src/base/ndarray.ts';
import type { Dataset, SplitName } from '../../src/data/dataset.ts';
import { createDatasetStore } from '../../src/data/store.ts';
import type { JobView } from '../../src/jobspec/job.ts';
import { Gemm } from '../../src/report/gemm.ts';
import { fitPrincipalComponents, type PrincipalComponents } from '../../src/report/pca.ts';
import { Session } from '../../src/runtime/session.ts';
import { FolderDatasets } from '../../src/store/folder/datasets.ts';
import type { Instance } from './instance.ts';

export interface MeasureContext {
  readonly instance: Instance;
  readonly job: JobView;
  readonly threads: number;
  readonly name: string;
  /** data folder of the instance */
  readonly dataFolder: string;
  /** of all jobs of the recipe, by `job metric` */
  readonly metrics: Readonly<Record<string, number>>;
}

type ModelFile = 'encoder.onnx' | 'decoder.onnx' | 'classifier.onnx' | 'outliers.onnx';

const block = 1000;

/** A model's published files and a data set, for as long as a measure needs them. */
export class Subject {
  readonly context: MeasureContext;
  readonly gemm: Gemm;
  readonly #sessions = new Map<string, Session>();
  readonly #datasets = new Map<string, Dataset>();

  constructor(context: MeasureContext) {
    this.context = context;
    this.gemm = new Gemm(context.threads);
  }

  async dataset(name = this.context.job.spec.dataset): Promise<Dataset> {
    const store = createDatasetStore({ files: new FolderDatasets(path.join(this.context.dataFolder, 'datasets')) });
    const opened = this.#datasets.get(name) ?? (await store.open(name));
    this.#datasets.set(name, opened);
    return opened;
  }

  /** All rows of a split, flat. */
  async rows(split: SplitName, name?: string): Promise<{ count: number; size: number; data: Float32Array }> {
    const source = (await this.dataset(name)).split(split);
    const data = new Float32Array(source.length * source.rowSize);
    await source.readRange(0, source.length, data);
    return { count: source.length, size: source.rowSize, data };
  }

  /** One of the model's functions on rows [count, …], block by block; the answer is flat. */
  async apply(file: ModelFile, rows: Float32Array, count: number): Promise<Float32Array> {
    const session =
      this.#sessions.get(file) ??
      Session.create(await this.context.instance.file(this.context.job, file), this.context);
    this.#sessions.set(file, session);
    const [input, output] = [session.inputs[0], session.outputs[0]];
    if (!input || !output) throw new Error(`${file} has no input or no output`);
    const row = input.shape.slice(1).map(Number);
    const size = sizeOf(row);
    const parts: Float32Array[] = [];
    for (let at = 0; at < count; at += block) {
      const batch = Math.min(block, count - at);
      const answer = await session.run({
        [input.name]: float32([batch, ...row], rows.slice(at * size, (at + batch) * size)),
      });
      parts.push(Float32Array.from((answer[output.name] as NdArray<'float32'>).data));
    }
    return joined(parts);
  }

  async reconstruct(rows: Float32Array, count: number): Promise<Float32Array> {
    return this.apply('decoder.onnx', await this.apply('encoder.onnx', rows, count), count);
  }

  async pca(components: number): Promise<PrincipalComponents> {
    return fitPrincipalComponents({ split: (await this.dataset()).split('train'), components, gemm: this.gemm });
  }

  close(): void {
    for (const session of this.#sessions.values()) session.dispose();
    this.gemm.dispose();
  }
}

export function joined(parts: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
