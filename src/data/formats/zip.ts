/** Files of a zip. The central directory is checked as a whole, before the first byte is inflated. */

import type { Readable } from 'node:stream';
import { type Entry, getFileNameLowLevel, openPromise, type ZipFile } from 'yauzl';
import type { UploadLimits } from '../upload.ts';
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
import { whatIsZip } from './known.ts';
import { invalid, type StoredPart, unsupported } from './source.ts';

/** bytes of a local header before its name and extra fields */
const localHeader = 30;
const fileTypeMask = 0o170000;
const plainFile = 0o100000;
const plainFolder = 0o040000;
/** extra field with the name in UTF-8 */
const unicodePathField = 0x7075;

interface CheckedEntry {
  readonly name: string;
  readonly entry: Entry;
}

export async function* readZip(part: StoredPart, options: ArchiveOptions): AsyncGenerator<ArchiveFile> {
  const zip = await openPromise(part.path, { autoClose: false, decodeStrings: false }).catch((cause) => {
    throw damaged(part, cause);
  });
  try {
    for (const { name, entry } of await checkDirectory(part, zip, options)) {
      yield { name, bytes: await inflate(part, zip, name, entry) };
    }
  } finally {
    zip.close();
  }
}

const damaged = (part: StoredPart, cause: unknown) =>
  invalid(part, `it is not a whole zip file (${cause instanceof Error ? cause.message : 'unreadable'}).`);

async function checkDirectory(
  part: StoredPart,
  zip: ZipFile,
  { limits, encoding, notes }: ArchiveOptions,
): Promise<CheckedEntry[]> {
  checkEntryCount(part, zip.entryCount, limits.archiveEntries);
  const files: CheckedEntry[] = [];
  const places: [start: number, end: number][] = [];
  let expanded = 0;
  try {
    for await (const entry of zip.eachEntry()) {
      checkEntryCount(part, places.length + 1, limits.archiveEntries);
      const raw = nameOf(entry, encoding);
      const name = entryPath(part, raw.name);
      checkKind(part, name, entry);
      const start = entry.relativeOffsetOfLocalHeader;
      places.push([start, start + localHeader + entry.fileNameLength + entry.compressedSize]);
      expanded += entry.uncompressedSize;
      if (isFolderName(raw.name)) continue;
      if (isClutter(name)) {
        notes.skipped(name);
        continue;
      }
      if (raw.isGuess) notes.guessedName(name);
      files.push({ name, entry });
    }
  } catch (thrown) {
    throw thrown instanceof Error && thrown.name !== 'HourglassError' ? damaged(part, thrown) : thrown;
  }
  const what = whatIsZip(files.map(({ name }) => name));
  if (what) throw unsupported(part, what);
  checkExpansion(part, expanded, limits.expandedBytes);
  for (const { name, entry } of files) checkPacking(part, name, entry, limits);
  places.sort(([a], [b]) => a - b);
  if (places.some(([, end], i) => end > (places[i + 1]?.[0] ?? part.bytes))) {
    throw unsafe(part, 'its entries overlap.');
  }
  return files;
}

/**
 * Not the library's own decoding: that rewrites `\` before it can be judged, and takes every name that is not marked as UTF-8
 * for cp437, although macOS writes UTF-8 without the mark. What is neither marked nor UTF-8 is cp437, as the standard has it.
 */
function nameOf({ fileNameRaw, extraFields }: Entry, encoding: string | undefined): EntryName {
  if (extraFields.some(({ id }) => id === unicodePathField)) {
    return { name: getFileNameLowLevel(0, fileNameRaw, extraFields, true), isGuess: false };
  }
  return decodeName(fileNameRaw, encoding, (raw) => getFileNameLowLevel(0, Buffer.from(raw), [], true));
}

function checkKind(part: StoredPart, name: string, entry: Entry): void {
  const kind = (entry.externalFileAttributes >>> 16) & fileTypeMask;
  if (kind !== 0 && kind !== plainFile && kind !== plainFolder) {
    throw unsafe(part, `the entry ${JSON.stringify(name)} is a link, a device or another special file.`);
  }
}

function checkPacking(part: StoredPart, name: string, entry: Entry, limits: UploadLimits): void {
  if (entry.isEncrypted()) throw unsupported(part, `the entry ${JSON.stringify(name)} is encrypted.`);
  if (!entry.canDecodeFileData()) {
    throw unsupported(part, `the entry ${JSON.stringify(name)} is packed by a method other than deflate.`);
  }
  if (entry.uncompressedSize > limits.imageBytes) throw tooLarge(part, name, limits.imageBytes);
}

async function inflate(part: StoredPart, zip: ZipFile, name: string, entry: Entry): Promise<Uint8Array> {
  try {
    const stream: Readable = await zip.openReadStreamPromise(entry);
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : 'unreadable';
    throw invalid(part, `the file ${JSON.stringify(name)} cannot be unpacked (${why}).`);
  }
}
