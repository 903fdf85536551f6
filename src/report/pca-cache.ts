/**
 * Principal components kept per data set, so that they are found once and not by every job.
 *
 *   <hash of the data set>[-<components>].pca:   sha256 of the rest (32 bytes) │ safetensors
 */

import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { float32 } from '../base/ndarray.ts';
import { readSafetensors, writeSafetensors } from '../base/safetensors.ts';
import type { Dataset } from '../data/dataset.ts';
import { type FitOptions, fitPrincipalComponents, largestFull, type PrincipalComponents } from './pca.ts';

export interface CachedFitOptions extends Omit<FitOptions, 'split'> {
  readonly dataset: Dataset;
  /** made when it is not there; absent: nothing is kept */
  readonly folder?: string;
}

/** `fitPrincipalComponents` on the training split, or what an earlier call kept. A damaged file is made anew. */
export async function cachedPrincipalComponents(options: CachedFitOptions): Promise<PrincipalComponents> {
  const { dataset, folder } = options;
  const split = dataset.split('train');
  if (!folder) return fitPrincipalComponents({ ...options, split });
  const suffix = split.rowSize <= largestFull ? '' : `-${options.components}`;
  const file = path.join(folder, `${dataset.info.hash}${suffix}.pca`);
  const kept = await read(file, split.rowSize);
  if (kept) return kept;
  const found = await fitPrincipalComponents({ ...options, split });
  // a cache that cannot be written costs time, not the job
  await write(file, found).catch(() => undefined);
  return found;
}

const digest = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();

async function read(file: string, rowSize: number): Promise<PrincipalComponents | undefined> {
  const bytes = await readFile(file).catch(() => undefined);
  if (!bytes || !digest(bytes.subarray(32)).equals(bytes.subarray(0, 32))) return undefined;
  const { tensors, metadata } = readSafetensors(bytes.subarray(32));
  const { mean, variances, components } = tensors as Record<string, ReturnType<typeof float32> | undefined>;
  const [rows = 0, columns = 0] = components?.shape ?? [];
  if (!mean || !variances || !components || columns !== rowSize) return undefined;
  return {
    mean: mean.data,
    variances: variances.data,
    components: { rows, columns, data: components.data },
    totalVariance: Number(metadata.totalVariance),
    fittedRows: Number(metadata.fittedRows),
  };
}

async function write(file: string, found: PrincipalComponents): Promise<void> {
  const { mean, variances, components, totalVariance, fittedRows } = found;
  const bytes = writeSafetensors(
    {
      mean: float32([mean.length], mean),
      variances: float32([variances.length], variances),
      components: float32([components.rows, components.columns], components.data),
    },
    { totalVariance: String(totalVariance), fittedRows: String(fittedRows) },
  );
  await mkdir(path.dirname(file), { recursive: true });
  const unfinished = `${file}.${process.pid}-${randomBytes(4).toString('hex')}`;
  try {
    await writeFile(unfinished, Buffer.concat([digest(bytes), bytes]));
    await rename(unfinished, file);
  } finally {
    await rm(unfinished, { force: true });
  }
}
