/** From what a client sent to a data set: the one way for every transport. */

import { type Static, Type } from 'typebox';
import type { DatasetInfo, DatasetStore, Upload } from '../data/dataset.ts';
import { UploadOptions } from '../data/upload.ts';
import { Name } from '../spec/job.ts';
import { checkRequest } from './check.ts';

const UploadHead = Type.Object({ name: Name, options: Type.Optional(UploadOptions) }, { additionalProperties: false });
type UploadHead = Static<typeof UploadHead>;

/**
 * `head` is `{name, options}` as the client sent it, checked before any part is read. Throws `invalid-request`,
 * `unknown-field`, `invalid-type`, `non-finite` and what `DatasetStore.create` throws.
 */
export async function createDataset(
  datasets: Pick<DatasetStore, 'create'>,
  head: unknown,
  parts: Upload['parts'],
  signal: AbortSignal,
): Promise<DatasetInfo> {
  const { name, options } = checkRequest(UploadHead, head) as UploadHead;
  return datasets.create(name, { parts, signal, ...(options && { options }) });
}
