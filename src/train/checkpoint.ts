/**
 * Checkpoints of one job, each of two parts: the tensors, and a manifest with their checksum. Whatever is damaged is passed over
 * in favour of the one before.
 *
 *   tensors    safetensors: weights/…  moments/…  best/…
 *   manifest   position, history, sha256 of the above
 */

import { type Static, Type } from 'typebox';
import { Value } from 'typebox/value';
import type { NdArrays } from '../base/ndarray.ts';
import { readSafetensors, writeSafetensors } from '../base/safetensors.ts';
import type { CheckpointFiles } from '../store/contract.ts';

const count = Type.Integer({ minimum: 0 });

/** The work that comes next: chunk `chunk` of epoch `epoch` (both from 0) of phase number `phase`. */
export const Position = Type.Object({ phase: count, epoch: count, chunk: count });
export type Position = Static<typeof Position>;

const Epoch = Type.Object({
  phase: Type.String(),
  epoch: count,
  metrics: Type.Record(Type.String(), Type.Number()),
});

/** What training knows besides tensors. Random numbers follow from the job's seed and the position. */
export const Progress = Type.Object({
  position: Position,
  /** finished epochs of all phases */
  epochs: Type.Array(Epoch),
  /** `loss` and metrics, summed over the steps of the unfinished epoch */
  sums: Type.Record(Type.String(), Type.Number()),
  /** early stopping: lowest held-out loss of the phase and epochs since then */
  best: Type.Union([Type.Null(), Type.Object({ loss: Type.Number(), epochsSince: count })]),
  /** spent training, all attempts together */
  seconds: Type.Number({ minimum: 0 }),
});
export type Progress = Static<typeof Progress>;

/** Open, as all that is stored: the next release may say more (docs/decisions/0024-releases-side-by-side.md). */
const CheckpointManifest = Type.Object({
  schema: Type.Literal(1),
  /** of what must be the same to go on: specification, data, engine */
  fingerprint: Type.String(),
  file: Type.String(),
  sha256: Type.String(),
  progress: Progress,
});
type CheckpointManifest = Static<typeof CheckpointManifest>;

export interface Checkpoint {
  readonly progress: Progress;
  readonly weights: NdArrays;
  /** optimizer state of the phase */
  readonly moments: NdArrays;
  /** the weights of the best epoch, empty without early stopping */
  readonly best: NdArrays;
}

const sections = ['weights', 'moments', 'best'] as const;

/** In a thread of the pool: the training goes on meanwhile. */
const sha256 = async (bytes: Uint8Array<ArrayBuffer>): Promise<string> =>
  Buffer.from(await crypto.subtle.digest('SHA-256', bytes)).toString('hex');

export class Checkpoints {
  readonly #files: CheckpointFiles;
  readonly #fingerprint: string;

  constructor(files: CheckpointFiles, fingerprint: string) {
    this.#files = files;
    this.#fingerprint = fingerprint;
  }

  get isRemote(): boolean {
    return this.#files.isRemote;
  }

  /** Adds a checkpoint, all of it or nothing. Throws what `CheckpointFiles.save` throws. */
  async save(checkpoint: Checkpoint): Promise<void> {
    const tensors: Record<string, NdArrays[string]> = {};
    for (const section of sections) {
      for (const [name, tensor] of Object.entries(checkpoint[section])) tensors[`${section}/${name}`] = tensor;
    }
    const bytes = writeSafetensors(tensors);
    const checksum = await sha256(bytes);
    await this.#files.save(bytes, (file) => {
      const manifest: CheckpointManifest = {
        schema: 1,
        fingerprint: this.#fingerprint,
        file,
        sha256: checksum,
        progress: checkpoint.progress,
      };
      return Buffer.from(JSON.stringify(manifest));
    });
  }

  /** The newest checkpoint that is whole and belongs to the same job; undefined when there is none. */
  async newest(): Promise<Checkpoint | undefined> {
    for (const number of await this.#files.numbers()) {
      const found = await this.#read(number).catch(() => undefined);
      if (found) return found;
    }
    return undefined;
  }

  async #read(number: number): Promise<Checkpoint | undefined> {
    const text = await this.#files.manifest(number);
    const manifest: unknown = text && JSON.parse(Buffer.from(text).toString());
    if (!Value.Check(CheckpointManifest, manifest) || manifest.fingerprint !== this.#fingerprint) return undefined;
    const bytes = await this.#files.tensors(number);
    if (!bytes || (await sha256(new Uint8Array(bytes))) !== manifest.sha256) return undefined;
    const { tensors } = readSafetensors(bytes);
    const [weights, moments, best] = sections.map((section) =>
      Object.fromEntries(
        Object.entries(tensors)
          .filter(([name]) => name.startsWith(`${section}/`))
          .map(([name, tensor]) => [name.slice(section.length + 1), tensor]),
      ),
    ) as [NdArrays, NdArrays, NdArrays];
    return { progress: manifest.progress, weights, moments, best };
  }
}
