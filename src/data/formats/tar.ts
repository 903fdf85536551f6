/** Files of a tar, in their order. Anything but plain files and folders is refused. */

import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { extract, type Header } from 'tar-stream';
import { HourglassError } from '../../base/errors.ts';
import type { UploadLimits } from '../upload.ts';
import { type ArchiveFile, checkEntryCount, checkExpansion, checkName, isClutter, unsafe } from './archive.ts';
import { invalid, type StoredPart } from './source.ts';
import { tooLarge } from './zip.ts';

export const isTar = (head: Uint8Array): boolean => Buffer.from(head.subarray(257, 262)).toString('latin1') === 'ustar';

export async function* readTar(part: StoredPart, limits: UploadLimits): AsyncGenerator<ArchiveFile> {
  const tar = extract();
  let failed: unknown;
  const feeding = pipeline(Readable.from(part.stream()), tar);
  feeding.catch((thrown) => {
    failed = thrown;
  });
  let entries = 0;
  let expanded = 0;
  try {
    for await (const entry of tar) {
      const { name, size } = entry.header;
      checkEntryCount(part, ++entries, limits.archiveEntries);
      checkName(part, name);
      const isFile = checkKind(part, entry.header);
      if (size > limits.imageBytes) throw tooLarge(part, name, limits.imageBytes);
      expanded += size;
      checkExpansion(part, expanded, limits.expandedBytes);
      // a stream of streamx, whose types do not say that it can be iterated
      const bytes = await collect(entry as unknown as AsyncIterable<Buffer>);
      if (isFile && !isClutter(name)) yield { name, bytes };
    }
  } catch (thrown) {
    const reason = failed instanceof HourglassError ? failed : thrown;
    if (reason instanceof HourglassError) throw reason;
    throw invalid(part, `it is not a whole tar file (${reason instanceof Error ? reason.message : 'unreadable'}).`);
  }
}

function checkKind(part: StoredPart, header: Header): boolean {
  if (header.type === 'file' || header.type === 'contiguous-file') return true;
  if (header.type === 'directory') return false;
  const kind = header.type ?? 'entry of unknown kind';
  throw unsafe(part, `${JSON.stringify(header.name)} is a ${kind}, not a file or folder.`);
}

async function collect(entry: AsyncIterable<Buffer>): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  for await (const chunk of entry) chunks.push(chunk);
  return Buffer.concat(chunks);
}
