/**
 * Principal components kept per data set, so that they are found once and not by every job.
 *
 *   <hash of the data set>[-<components>].pca:   sha256 of the rest (32 bytes) │ safetensors
 */

import { createHash } from 'node:crypto';
import { float32 } from '../base/ndarray.ts';
import { readSafetensors, writeSafetensors } from '../base/safetensors.ts';
import type { Dataset } from '../data/dataset.ts';
import type { ResultCache } from '../store/contract.ts';
import { type FitOptions, findsAll, fitPrincipalComponents, type PrincipalComponents } from './pca.ts';

export interface CachedFitOptions extends Omit<FitOptions, 'split'> {
  readonly dataset: Dataset;
  /** absent: nothing is kept */
  readonly results?: ResultCache;
}

/** `fitPrincipalComponents` on the training split, or what an earlier call kept. A damaged file is made anew. */
export async function cachedPrincipalComponents(options: CachedFitOptions): Promise<PrincipalComponents> {
  const { dataset, results } = options;
  const split = dataset.split('train');
  if (!results) return fitPrincipalComponents({ ...options, split });
  const suffix = findsAll(split.rowSize, options.components) ? '' : `-${options.components}`;
  const key = `${dataset.info.hash}${suffix}.pca`;
  const kept = parse(await results.read(key), split.rowSize);
  if (kept) return kept;
  const found = await fitPrincipalComponents({ ...options, split });
  // a cache that cannot be written costs time, not the job
  await results.write(key, serialise(found)).catch(() => undefined);
  return found;
}

const digest = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();

function parse(bytes: Uint8Array | undefined, rowSize: number): PrincipalComponents | undefined {
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

function serialise(found: PrincipalComponents): Uint8Array {
  const { mean, variances, components, totalVariance, fittedRows } = found;
  const bytes = writeSafetensors(
    {
      mean: float32([mean.length], mean),
      variances: float32([variances.length], variances),
      components: float32([components.rows, components.columns], components.data),
    },
    { totalVariance: String(totalVariance), fittedRows: String(fittedRows) },
  );
  return Buffer.concat([digest(bytes), bytes]);
}
