/** What a client may do to data sets: the one way for every transport. */

import { type Static, Type } from 'typebox';
import { HourglassError } from '../base/errors.ts';
import { sizeOf } from '../base/ndarray.ts';
import type { DatasetInfo, DatasetStore, SplitName, Upload, UploadPart } from '../data/dataset.ts';
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

/** values that one look at rows may take */
const maxValues = 1_000_000;

export interface RowsWanted {
  readonly split: SplitName;
  readonly offset: number;
  readonly limit: number;
}

export interface DatasetSlice {
  readonly info: DatasetInfo;
  readonly split: SplitName;
  readonly offset: number;
  readonly rows: number;
  readonly values: Float32Array;
  readonly labels?: readonly number[];
  /** rows of each class, in the whole split */
  readonly classCounts?: readonly number[];
}

/**
 * Rows of a data set from `offset` on, for people to look at; none beyond its end. Throws `batch-too-large` for more than a
 * million values, and what `DatasetStore.open` throws.
 */
export async function readRows(
  datasets: Pick<DatasetStore, 'info' | 'open'>,
  name: string,
  { split, offset, limit }: RowsWanted,
): Promise<DatasetSlice> {
  const { shape, rows: sizes } = await datasets.info(name);
  const rows = Math.max(0, Math.min(limit, sizes[split] - offset));
  const most = Math.max(1, Math.floor(maxValues / sizeOf(shape)));
  if (rows > most) {
    throw new HourglassError(
      'batch-too-large',
      `${rows} rows of this data set are too many at once. Ask for at most ${most}.`,
      {
        field: 'limit',
        expected: most,
        found: rows,
      },
    );
  }
  const dataset = await datasets.open(name);
  try {
    const source = dataset.split(split);
    const values = new Float32Array(rows * source.rowSize);
    if (rows > 0) await source.readRange(offset, offset + rows, values);
    const labels = await source.labels();
    return {
      ...{ info: dataset.info, split, offset, rows, values },
      ...(labels && {
        labels: Array.from(labels.subarray(offset, offset + rows)),
        classCounts: countsOf(labels, dataset.info.classes ?? 0),
      }),
    };
  } finally {
    await dataset.close();
  }
}

function countsOf(labels: Uint8Array | Int32Array, classes: number): number[] {
  const counts = new Array<number>(classes).fill(0);
  for (const label of labels) counts[label] = (counts[label] ?? 0) + 1;
  return counts;
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
