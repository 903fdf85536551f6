/** The thread that reads large files of data sets from a bucket and its cache. Started by thread-rows.ts. */

import { parentPort, workerData } from 'node:worker_threads';
import { HourglassError } from '../../base/errors.ts';
import { FileCache } from '../cache.ts';
import { ShortFileError } from '../contract.ts';
import { BucketClient } from './bucket.ts';
import { Objects } from './objects.ts';
import { BucketRows } from './rows.ts';
import type { FromRowsThread, RowsPlace, ThreadError, ToRowsThread } from './thread-rows.ts';

const { settings, cache } = workerData as RowsPlace;
const port = parentPort;
const say = (message: FromRowsThread, moved: ArrayBuffer[] = []): void => port?.postMessage(message, moved);
const bucket = new BucketClient(settings, (request) => say({ type: 'request', request }));
const objects = new Objects(bucket, new FileCache(cache));
const files = new Map<number, BucketRows>();

async function read(id: number, file: number, position: number, length: number): Promise<void> {
  try {
    const rows = files.get(file);
    if (!rows) throw new Error('the file is closed');
    const bytes = new Uint8Array(length);
    await rows.read(bytes, position);
    say({ type: 'read', id, bytes }, [bytes.buffer]);
  } catch (error) {
    say({ type: 'failed', id, error: plain(error) });
  }
}

/** Classes do not survive the way between threads. */
function plain(error: unknown): ThreadError {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof ShortFileError) return { kind: 'short', message };
  if (error instanceof HourglassError) return { kind: 'known', code: error.code, message, facts: error.facts };
  return { kind: 'unknown', message };
}

port?.on('message', (message: ToRowsThread) => {
  switch (message.type) {
    case 'open':
      files.set(message.file, new BucketRows(objects, message.index));
      break;
    case 'read':
      void read(message.id, message.file, message.position, message.length);
      break;
    case 'close':
      void files.get(message.file)?.close();
      files.delete(message.file);
      break;
    default:
      message satisfies never;
  }
});
