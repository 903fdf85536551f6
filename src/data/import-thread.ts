/** The thread in which an upload is parsed: keeps the server's event loop free, and running out of memory ends only this. */

import { parentPort, workerData } from 'node:worker_threads';
import { type ErrorCode, type ErrorFacts, normaliseError } from '../base/errors.ts';
import { diskError } from '../store/folder/disk.ts';
import { importRows } from './import.ts';
import type { StoredContent } from './manifest.ts';
import type { SpooledPart } from './spool.ts';
import type { UploadLimits, UploadOptions } from './upload.ts';

export interface ImportRequest {
  readonly folder: string;
  readonly parts: readonly SpooledPart[];
  readonly options: UploadOptions;
  readonly limits: UploadLimits;
}

export type ImportReply =
  | { readonly content: StoredContent }
  | { readonly code: ErrorCode; readonly message: string; readonly facts: ErrorFacts; readonly cause: unknown };

async function run(request: ImportRequest): Promise<ImportReply> {
  try {
    const { folder, parts, options, limits } = request;
    return { content: await importRows(folder, parts, { options, limits }) };
  } catch (thrown) {
    const { code, message, facts, cause } = normaliseError(diskError(thrown));
    return { code, message, facts, cause: cause instanceof Error ? (cause.stack ?? cause.message) : cause };
  }
}

if (parentPort) {
  parentPort.postMessage(await run(workerData as ImportRequest));
  parentPort.close();
}
