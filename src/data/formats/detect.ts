/** Which format an upload has, by its bytes alone: names and media types are not believed. */

import { showShape, sizeOf } from '../../base/ndarray.ts';
import { csvLabels, parseCsv } from './csv.ts';
import { isIdx, parseIdx } from './idx.ts';
import { npyMagic, parseNpy } from './npy.ts';
import { parsePictures } from './pictures.ts';
import { invalid, type ParseContext, type RowSource, type StoredPart, unsupported } from './source.ts';
import { isTar, readTar } from './tar.ts';
import { readZip } from './zip.ts';

const headBytes = 512;

/** Formats that are met often and not read, for a message that helps. */
const known: readonly [magic: string, what: string][] = [
  ['PAR1', 'it is a Parquet file.'],
  ['\x89HDF', 'it is an HDF5 file.'],
  ['\x89PNG', 'it is a single picture.'],
  ['\xff\xd8\xff', 'it is a single picture.'],
  ['RIFF', 'it is a single picture or a sound.'],
  ['GIF8', 'it is a GIF picture.'],
  ['%PDF', 'it is a PDF document.'],
  ['\x1f\x8b', 'it was compressed by gzip twice.'],
  ['BZh', 'it was compressed by bzip2.'],
  ['\xfd7zXZ', 'it was compressed by xz.'],
  ['7z\xbc\xaf', 'it is a 7z archive.'],
  ['Rar!', 'it is a RAR archive.'],
  ['\x80\x02', 'it is a Python pickle, which is never read.'],
  ['\x80\x03', 'it is a Python pickle, which is never read.'],
  ['\x80\x04', 'it is a Python pickle, which is never read.'],
  ['\x80\x05', 'it is a Python pickle, which is never read.'],
];

async function readHead(part: StoredPart): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of part.stream()) {
    chunks.push(chunk);
    length += chunk.length;
    if (length >= headBytes) break;
  }
  return Buffer.concat(chunks).subarray(0, headBytes);
}

type Format = 'npy' | 'idx' | 'csv' | 'zip' | 'tar';

/** Throws `unsupported-dataset` for anything that is not one of the formats, `invalid-dataset` for an empty file. */
async function detect(part: StoredPart): Promise<Format> {
  const head = await readHead(part);
  const text = Buffer.from(head).toString('latin1');
  if (head.length === 0) throw invalid(part, 'it is empty.');
  if (npyMagic.every((byte, i) => head[i] === byte)) return 'npy';
  if (text.startsWith('PK\x03\x04') || text.startsWith('PK\x05\x06')) return 'zip';
  if (isTar(head)) return 'tar';
  if (isIdx(head)) return 'idx';
  const what = known.find(([magic]) => text.startsWith(magic))?.[1];
  if (what || text.includes('\0')) throw unsupported(part, what ?? 'its format is not known.');
  return 'csv';
}

export async function parsePart(part: StoredPart, context: ParseContext): Promise<RowSource> {
  const format = await detect(part);
  switch (format) {
    case 'npy':
      return parseNpy(part, context);
    case 'idx':
      return parseIdx(part, context);
    case 'csv':
      return parseCsv(part, context);
    case 'zip':
      return parsePictures(part, readZip, context);
    case 'tar':
      return parsePictures(part, readTar, context);
    default:
      return format satisfies never;
  }
}

/** The classes of a labels part, one per row: whole numbers of a one-dimensional npy or idx, or one column of CSV. */
export async function* readLabels(part: StoredPart, context: ParseContext): AsyncGenerator<string> {
  const format = await detect(part);
  if (format === 'csv') {
    yield* csvLabels(part);
    return;
  }
  if (format === 'zip' || format === 'tar') throw unsupported(part, 'labels cannot be pictures.');
  const { shape, blocks } = await (format === 'npy' ? parseNpy : parseIdx)(part, context);
  if (sizeOf(shape) !== 1) throw invalid(part, `its rows have shape ${showShape(shape)}; labels are one number a row.`);
  let row = 0;
  for await (const { values } of blocks) {
    for (const value of values) {
      if (!Number.isInteger(value)) throw invalid(part, `label ${row} is ${value}, which is not a whole number.`);
      yield String(value);
      row++;
    }
  }
}
