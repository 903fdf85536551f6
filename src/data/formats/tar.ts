/** Files of a tar, in their order. Anything but plain files and folders is refused. */

import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { extract, type Header } from 'tar-stream';
import { HourglassError } from '../../base/errors.ts';
import {
  type ArchiveFile,
  type ArchiveOptions,
  checkEntryCount,
  checkExpansion,
  decodeName,
  type EntryName,
  entryPath,
  isClutter,
  isFolderName,
  tooLarge,
  unsafe,
} from './archive.ts';
import { invalid, type StoredPart } from './source.ts';
import { decodeWindows1252 } from './text.ts';

export const isTar = (head: Uint8Array): boolean => Buffer.from(head.subarray(257, 262)).toString('latin1') === 'ustar';

export async function* readTar(part: StoredPart, options: ArchiveOptions): AsyncGenerator<ArchiveFile> {
  const { limits, encoding, notes } = options;
  // As latin1 a name keeps its bytes; the library would replace those that are not UTF-8.
  const tar = extract({ filenameEncoding: 'latin1' } as Parameters<typeof extract>[0]);
  let failed: unknown;
  const feeding = pipeline(Readable.from(part.stream()), tar);
  feeding.catch((thrown) => {
    failed = thrown;
  });
  let entries = 0;
  let expanded = 0;
  try {
    for await (const entry of tar) {
      const { header } = entry;
      const { name, isGuess } = nameOf(header, encoding);
      checkEntryCount(part, ++entries, limits.archiveEntries);
      const path = entryPath(part, name);
      const isFile = checkKind(part, header, name) && !isFolderName(name);
      const skip = !isFile || isClutter(path);
      if (isFile && skip) notes.skipped(path);
      if (!skip && isGuess) notes.guessedName(path);
      if (!skip && (header.size ?? 0) > limits.imageBytes) throw tooLarge(part, path, limits.imageBytes);
      expanded += header.size ?? 0;
      checkExpansion(part, expanded, limits.expandedBytes);
      // a stream of streamx, whose types do not say that it can be iterated
      const bytes = await collect(entry as unknown as AsyncIterable<Buffer>, skip);
      if (!skip) yield { name: path, bytes };
    }
  } catch (thrown) {
    const reason = failed instanceof HourglassError ? failed : thrown;
    if (reason instanceof HourglassError) throw reason;
    throw invalid(part, `it is not a whole tar file (${reason instanceof Error ? reason.message : 'unreadable'}).`);
  }
}

/** Names of pax records are UTF-8 by that standard. */
function nameOf({ name, pax }: Header, encoding: string | undefined): EntryName {
  if (typeof pax === 'object' && pax !== null && 'path' in pax) return { name, isGuess: false };
  return decodeName(Buffer.from(name, 'latin1'), encoding, decodeWindows1252);
}

function checkKind(part: StoredPart, { type }: Header, name: string): boolean {
  if (type === 'file' || type === 'contiguous-file') return true;
  if (type === 'directory') return false;
  throw unsafe(part, `${JSON.stringify(name)} is a ${type ?? 'entry of unknown kind'}, not a file or folder.`);
}

async function collect(entry: AsyncIterable<Buffer>, skip: boolean): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  for await (const chunk of entry) if (!skip) chunks.push(chunk);
  return Buffer.concat(chunks);
}
