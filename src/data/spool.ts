/** The parts of an upload, streamed to files under a limit on their bytes, and read back as often as the parsers need. */

import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { HourglassError } from '../base/errors.ts';
import type { Upload, UploadPart } from './dataset.ts';
import { invalid, type StoredPart } from './formats/source.ts';
import type { UploadLimits } from './upload.ts';

/** A spooled part as plain data, so that another thread can open it. */
export interface SpooledPart {
  readonly role: UploadPart['role'];
  readonly label: string;
  readonly path: string;
  readonly bytes: number;
}

const roleNames: Record<UploadPart['role'], string> = {
  rows: 'rows',
  labels: 'labels',
  'test-rows': 'test rows',
  'test-labels': 'test labels',
  items: 'items',
};

/** Throws `payload-too-large`, `invalid-request` for parts that do not make an upload, `cancelled`. */
export async function spool(upload: Upload, folder: string, { uploadBytes }: UploadLimits): Promise<SpooledPart[]> {
  const spooled: SpooledPart[] = [];
  let room = uploadBytes;
  for await (const part of upload.parts) {
    if (spooled.some(({ role }) => role === part.role)) {
      throw new HourglassError('invalid-request', `The upload has the part "${part.role}" twice.`, {
        field: part.role,
      });
    }
    const file = path.join(folder, `upload-${spooled.length}`);
    const bytes = await writePart(part, file, room, uploadBytes, upload.signal);
    room -= bytes;
    const name = part.fileName ? ` (${part.fileName.slice(0, 80)})` : '';
    spooled.push({ role: part.role, label: `${roleNames[part.role]}${name}`, path: file, bytes });
  }
  const roles = new Set(spooled.map(({ role }) => role));
  const missing = !roles.has('rows')
    ? 'rows'
    : roles.has('test-rows') && roles.has('labels') !== roles.has('test-labels')
      ? 'labels for both or neither of "rows" and "test-rows"'
      : roles.has('test-labels') && !roles.has('test-rows')
        ? 'test-rows'
        : undefined;
  if (missing) throw new HourglassError('invalid-request', `The upload lacks ${missing}.`, { expected: missing });
  return spooled;
}

async function writePart(
  part: UploadPart,
  file: string,
  room: number,
  limit: number,
  signal: AbortSignal | undefined,
): Promise<number> {
  const handle: FileHandle = await open(file, 'wx');
  let bytes = 0;
  try {
    for await (const chunk of part.content) {
      checkCancelled(signal);
      bytes += chunk.length;
      if (bytes > room) {
        throw new HourglassError(
          'payload-too-large',
          `The upload is larger than the ${limit} bytes that are allowed.`,
          {
            expected: limit,
          },
        );
      }
      for (let at = 0; at < chunk.length; ) at += (await handle.write(chunk, at)).bytesWritten;
    }
  } finally {
    await handle.close();
  }
  checkCancelled(signal);
  return bytes;
}

export const cancelled = (): HourglassError =>
  new HourglassError('cancelled', 'The upload was cancelled; nothing of it was kept.');

export function checkCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw cancelled();
}

/** Makes a spooled part readable for the parsers, through gunzip when its first bytes say so. */
export async function openSpooled(spooled: SpooledPart, limits: UploadLimits): Promise<StoredPart> {
  const handle = await open(spooled.path, 'r');
  const magic = new Uint8Array(2);
  try {
    await handle.read(magic, 0, 2, 0);
  } finally {
    await handle.close();
  }
  const plain = () => createReadStream(spooled.path);
  const part: StoredPart = { ...spooled, stream: plain };
  const isGzip = magic[0] === 0x1f && magic[1] === 0x8b;
  return isGzip ? { ...part, stream: () => gunzipped(part, limits.expandedBytes) } : part;
}

async function* gunzipped(part: StoredPart, limit: number): AsyncGenerator<Uint8Array> {
  const gunzip = createGunzip({ chunkSize: 65_536 });
  const feeding = pipeline(createReadStream(part.path), gunzip);
  // gunzip is destroyed with the same error, or by a reader that has enough
  feeding.catch(() => {});
  let bytes = 0;
  try {
    for await (const chunk of gunzip as AsyncIterable<Uint8Array>) {
      bytes += chunk.length;
      if (bytes > limit) {
        const message = `${part.label}: it decompresses to more than the ${limit} bytes that are allowed.`;
        throw new HourglassError('decompressed-too-large', message, { expected: limit });
      }
      yield chunk;
    }
  } catch (thrown) {
    if (thrown instanceof HourglassError || !isZlibError(thrown)) throw thrown;
    throw invalid(part, 'its gzip data is damaged or cut.');
  } finally {
    await feeding.catch(() => {});
  }
}

const isZlibError = (thrown: unknown): boolean =>
  thrown instanceof Error && 'code' in thrown && String(thrown.code).startsWith('Z_');
