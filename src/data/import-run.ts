/** Starts the import thread and waits for its answer. */

import { Worker } from 'node:worker_threads';
import { HourglassError } from '../base/errors.ts';
import { entry } from '../platform/entry.ts';
import type { ImportReply, ImportRequest } from './import-thread.ts';
import type { StoredContent } from './manifest.ts';
import { cancelled } from './spool.ts';

export interface ThreadOptions {
  readonly heapBytes: number;
  readonly signal: AbortSignal | undefined;
}

/**
 * Throws what `importRows` throws, and `cancelled` as soon as the signal is aborted; the thread is gone then. An import that
 * runs out of memory is `invalid-dataset`.
 */
export async function importInThread(
  request: ImportRequest,
  { heapBytes, signal }: ThreadOptions,
): Promise<StoredContent> {
  const worker = new Worker(entry(import.meta.url, './import-thread.ts'), {
    workerData: request,
    resourceLimits: { maxOldGenerationSizeMb: Math.floor(heapBytes / 2 ** 20) },
  });
  let cancel = (): void => {};
  try {
    const reply = await new Promise<ImportReply>((resolve, reject) => {
      cancel = () => reject(cancelled());
      if (signal?.aborted) cancel();
      signal?.addEventListener('abort', cancel);
      worker.once('message', resolve);
      worker.once('error', (thrown) => reject(outOfMemory(thrown) ?? thrown));
      worker.once('exit', (status) => reject(new Error(`the import thread ended with ${status} and no answer`)));
    });
    if ('content' in reply) return reply.content;
    throw new HourglassError(reply.code, reply.message, reply.facts, { cause: reply.cause });
  } finally {
    signal?.removeEventListener('abort', cancel);
    await worker.terminate();
  }
}

function outOfMemory(thrown: Error): HourglassError | undefined {
  if (!('code' in thrown) || thrown.code !== 'ERR_WORKER_OUT_OF_MEMORY') return undefined;
  return new HourglassError(
    'invalid-dataset',
    'Reading the upload takes too much memory. Split it into smaller files, or send .npy. The limit is HOURGLASS_IMPORT_MEMORY.',
    {},
    { cause: thrown },
  );
}
