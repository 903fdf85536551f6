/**
 * Checkpoints in a folder of one job. A checkpoint is two files: the tensors, and a manifest with their checksum that is
 * renamed into place last. Whatever is half-written or damaged is passed over in favour of the one before.
 *
 *   00000042.safetensors   weights/…  moments/…  best/…
 *   00000042.json          position, history, sha256 of the above
 */

import { createHash } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { type Static, Type } from 'typebox';
import { Value } from 'typebox/value';
import { HourglassError } from '../base/errors.ts';
import type { NdArrays } from '../base/ndarray.ts';
import { readSafetensors, writeSafetensors } from '../base/safetensors.ts';

const closed = { additionalProperties: false } as const;
const count = Type.Integer({ minimum: 0 });

/** The work that comes next: chunk `chunk` of epoch `epoch` (both from 0) of phase number `phase`. */
export const Position = Type.Object({ phase: count, epoch: count, chunk: count }, closed);
export type Position = Static<typeof Position>;

const Epoch = Type.Object(
  { phase: Type.String(), epoch: count, metrics: Type.Record(Type.String(), Type.Number()) },
  closed,
);

/** What training knows besides tensors. Random numbers follow from the job's seed and the position. */
export const Progress = Type.Object(
  {
    position: Position,
    /** finished epochs of all phases */
    epochs: Type.Array(Epoch),
    /** `loss` and metrics, summed over the steps of the unfinished epoch */
    sums: Type.Record(Type.String(), Type.Number()),
    /** early stopping: lowest held-out loss of the phase and epochs since then */
    best: Type.Union([Type.Null(), Type.Object({ loss: Type.Number(), epochsSince: count }, closed)]),
    /** spent training, all attempts together */
    seconds: Type.Number({ minimum: 0 }),
  },
  closed,
);
export type Progress = Static<typeof Progress>;

const CheckpointManifest = Type.Object(
  {
    schema: Type.Literal(1),
    /** of what must be the same to go on: specification, data, engine */
    fingerprint: Type.String(),
    file: Type.String(),
    sha256: Type.String(),
    progress: Progress,
  },
  closed,
);
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
const kept = 2;
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const numbered = (n: number): string => String(n).padStart(8, '0');

export class CheckpointFolder {
  readonly #folder: string;
  readonly #fingerprint: string;

  constructor(folder: string, fingerprint: string) {
    this.#folder = folder;
    this.#fingerprint = fingerprint;
  }

  /**
   * Atomic: after a crash at any moment the folder holds the old or the new checkpoint, whole. Then prunes. Throws
   * `storage-full`, in which case the older ones are still there.
   */
  async save(checkpoint: Checkpoint): Promise<void> {
    await mkdir(this.#folder, { recursive: true });
    const number = (await this.#numbers()).reduce((a, b) => Math.max(a, b), 0) + 1;
    const tensors: Record<string, NdArrays[string]> = {};
    for (const section of sections) {
      for (const [name, tensor] of Object.entries(checkpoint[section])) tensors[`${section}/${name}`] = tensor;
    }
    const bytes = writeSafetensors(tensors);
    const file = `${numbered(number)}.safetensors`;
    const manifest: CheckpointManifest = {
      schema: 1,
      fingerprint: this.#fingerprint,
      file,
      sha256: sha256(bytes),
      progress: checkpoint.progress,
    };
    try {
      await this.#write(file, bytes);
      await this.#write(`${numbered(number)}.json`, Buffer.from(JSON.stringify(manifest)));
    } catch (thrown) {
      await this.#discard(number);
      throw fullDisk(thrown) ?? thrown;
    }
    await this.#prune(number);
  }

  /** The newest checkpoint that is whole and belongs to the same job; undefined when there is none. */
  async newest(): Promise<Checkpoint | undefined> {
    for (const number of (await this.#numbers()).toSorted((a, b) => b - a)) {
      const found = await this.#read(number).catch(() => undefined);
      if (found) return found;
    }
    return undefined;
  }

  async #read(number: number): Promise<Checkpoint | undefined> {
    const manifest: unknown = JSON.parse(await readFile(path.join(this.#folder, `${numbered(number)}.json`), 'utf8'));
    if (!Value.Check(CheckpointManifest, manifest) || manifest.fingerprint !== this.#fingerprint) return undefined;
    const bytes = await readFile(path.join(this.#folder, `${numbered(number)}.safetensors`));
    if (sha256(bytes) !== manifest.sha256) return undefined;
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

  /** Numbers of all checkpoints that have a manifest. */
  async #numbers(): Promise<number[]> {
    const names = await readdir(this.#folder).catch(() => []);
    return names.filter((name) => /^\d{8}\.json$/.test(name)).map((name) => Number.parseInt(name, 10));
  }

  async #write(name: string, bytes: Uint8Array): Promise<void> {
    const target = path.join(this.#folder, name);
    const temporary = `${target}.partial`;
    await withFile(temporary, 'w', async (file) => {
      await file.writeFile(bytes);
      await file.sync();
    });
    await rename(temporary, target);
    await withFile(this.#folder, 'r', (folder) => folder.sync());
  }

  /** Leaves the newest ones and nothing else, leftovers of crashes included. */
  async #prune(newest: number): Promise<void> {
    const stay = new Set(
      (await this.#numbers())
        .toSorted((a, b) => b - a)
        .slice(0, kept)
        .map(numbered),
    );
    stay.add(numbered(newest));
    const names = await readdir(this.#folder);
    const go = names.filter((name) => name.endsWith('.partial') || !stay.has(name.slice(0, 8)));
    // manifests first: a manifest without its tensors would look damaged
    for (const name of go.toSorted()) await rm(path.join(this.#folder, name), { force: true });
  }

  async #discard(number: number): Promise<void> {
    for (const end of ['.json', '.json.partial', '.safetensors', '.safetensors.partial']) {
      await rm(path.join(this.#folder, numbered(number) + end), { force: true });
    }
  }
}

async function withFile(name: string, flags: string, use: (file: FileHandle) => Promise<void>): Promise<void> {
  const file = await open(name, flags);
  try {
    await use(file);
  } finally {
    await file.close();
  }
}

function fullDisk(thrown: unknown): HourglassError | undefined {
  const code = thrown instanceof Error && 'code' in thrown ? thrown.code : undefined;
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return undefined;
  return new HourglassError(
    'storage-full',
    'There is no room for the checkpoint; the one before it is kept. Free some space, then resume.',
    {},
    { cause: thrown },
  );
}
