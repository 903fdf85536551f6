/** What a client may do to data sets: the one way for every transport. */

import { type Static, Type } from 'typebox';
import type { DatasetInfo, DatasetStore, Upload, UploadPart } from '../data/dataset.ts';
import { UploadOptions } from '../data/upload.ts';
import { Name } from '../jobspec/job.ts';
import { supported } from '../jobspec/schema-check.ts';
import type { JobQueue } from '../queue/job-queue.ts';
import { withoutPauses } from './pauses.ts';
import type { TenantQuota } from './quotas.ts';
import { checkRequest } from './request-check.ts';

const UploadHead = supported(
  Type.Object({ name: Name, options: Type.Optional(UploadOptions) }, { additionalProperties: false }),
);
type UploadHead = Static<typeof UploadHead>;

export interface DatasetRequest {
  readonly client: string;
  /** `{name, options}` as the client sent it, checked before any part is read */
  readonly head: unknown;
  readonly parts: Upload['parts'];
  readonly signal: AbortSignal;
  /** a client that sends nothing for so long is cut off */
  readonly stallMs: number;
}

/**
 * Throws `invalid-request`, `unknown-field`, `invalid-type`, `non-finite`, `request-timeout`, `quota-exceeded` and what
 * `DatasetStore.create` throws.
 */
export async function createDataset(
  { datasets, quota }: { readonly datasets: Pick<DatasetStore, 'create' | 'storedBytes'>; readonly quota: TenantQuota },
  { client, head, parts, signal, stallMs }: DatasetRequest,
): Promise<DatasetInfo> {
  const { name, options } = checkRequest(UploadHead, head) as UploadHead;
  const room = quota.roomForDataset(() => datasets.storedBytes());
  try {
    // Before anything is read, where it cannot fit.
    await room?.take(0);
    return await datasets.create(name, {
      ...{ client, signal, parts: timed(parts, stallMs) },
      ...(options && { options }),
      ...(room && { makeRoom: room.take }),
    });
  } finally {
    room?.release();
  }
}

async function* timed(parts: Upload['parts'], stallMs: number): AsyncGenerator<UploadPart> {
  const all = Symbol.asyncIterator in parts ? withoutPauses(parts, stallMs) : parts;
  for await (const part of all) yield { ...part, content: withoutPauses(part.content, stallMs) };
}

/** Tells a set from another that has had the same name. */
export const identityOf = ({ hash, createdAt = '' }: DatasetInfo): string => `${hash} ${createdAt}`;

/**
 * Throws `dataset-in-use` while a job waits for the set or reads it, `queue-unavailable` when that cannot be known, and what
 * `DatasetStore.delete` throws. A job that is being submitted meanwhile is either found here or refused by the queue.
 */
export async function deleteDataset(datasets: DatasetStore, queue: JobQueue, name: string): Promise<void> {
  const info = await datasets.info(name);
  if (info.builtIn) return datasets.delete(name); // refused there
  await queue.retireDataset(name, identityOf(info));
  try {
    await datasets.delete(name);
  } catch (error) {
    await queue.keepDataset(name).catch(() => undefined); // else it is usable again when the mark expires
    throw error;
  }
}
