/** From what a client sent to a data set: the one way for every transport. */

import { type Static, Type } from 'typebox';
import { HourglassError } from '../base/errors.ts';
import type { DatasetInfo, DatasetStore, Upload } from '../data/dataset.ts';
import { UploadOptions } from '../data/upload.ts';
import { checkAgainst } from '../spec/check.ts';
import { Name } from '../spec/job.ts';

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
  const { name, options } = checkHead(head);
  return datasets.create(name, { parts, signal, ...(options && { options }) });
}

function checkHead(head: unknown): UploadHead {
  try {
    return checkAgainst(UploadHead, head) as UploadHead;
  } catch (error) {
    // The check speaks of job specifications; here the same finding is about a request.
    if (!(error instanceof HourglassError) || error.code !== 'invalid-spec') throw error;
    throw new HourglassError('invalid-request', error.message, error.facts);
  }
}
