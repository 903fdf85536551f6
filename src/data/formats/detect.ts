/** Which format an upload has, by its bytes alone: names and media types are not believed. */

import type { ArchiveFile, ArchiveNotes } from './archive.ts';
import { binaryLabels } from './binary-rows.ts';
import { parseCsv } from './csv.ts';
import { isIdx, parseIdx, readIdxHeader } from './idx.ts';
import { whatIsIt } from './known.ts';
import { collectLabels, csvLabels, type LabelColumn } from './label-file.ts';
import { npyMagic, parseNpy, readNpyHeader } from './npy.ts';
import { parsePictures } from './pictures.ts';
import { invalid, type ParseContext, type RowSource, type StoredPart, unsupported } from './source.ts';
import { isTar, readTar } from './tar.ts';
import { encodingNamed, markedEncoding, openText, type Text } from './text.ts';
import { readZip } from './zip.ts';

const headBytes = 512;

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

type Detected = { readonly format: 'npy' | 'idx' | 'zip' | 'tar' } | { readonly format: 'csv'; readonly text: Text };

/** Throws `unsupported-dataset` for anything that is not one of the formats, `invalid-dataset` for an empty file. */
async function detect(part: StoredPart, { options: { encoding } }: ParseContext): Promise<Detected> {
  const head = await readHead(part);
  const latin = Buffer.from(head).toString('latin1');
  if (head.length === 0) throw invalid(part, 'it is empty.');
  if (npyMagic.every((byte, i) => head[i] === byte)) return { format: 'npy' };
  if (latin.startsWith('PK\x03\x04') || latin.startsWith('PK\x05\x06')) return { format: 'zip' };
  if (isTar(head)) return { format: 'tar' };
  if (isIdx(head)) return { format: 'idx' };
  const isUtf16 = encoding !== undefined && encodingNamed(encoding).startsWith('utf-16');
  const isText = markedEncoding(head) !== undefined || isUtf16;
  if (!isText) {
    const what = whatIsIt(latin) ?? (latin.includes('\0') ? withNul(head) : undefined);
    if (what) throw unsupported(part, what);
  }
  return { format: 'csv', text: openText(part, head, encoding) };
}

/** Text of UTF-16 has a NUL in every second byte. */
function withNul(head: Uint8Array): string {
  const nuls = [0, 1].map((odd) => head.filter((byte, i) => i % 2 === odd && byte === 0).length);
  const half = head.length / 2;
  const order = nuls[1]! > 0.6 * half ? 'le' : nuls[0]! > 0.6 * half ? 'be' : undefined;
  if (!order || Math.min(...nuls) > 0.2 * half) return 'its format is not known.';
  return `it looks like UTF-16 text without a byte order mark. Declare it with ?encoding=utf-16${order}, or save it as UTF-8.`;
}

export async function parsePart(part: StoredPart, context: ParseContext): Promise<RowSource> {
  const found = await detect(part, context);
  switch (found.format) {
    case 'npy':
      return parseNpy(part, context);
    case 'idx':
      return parseIdx(part, context);
    case 'csv':
      return parseCsv(part, found.text, context);
    case 'zip':
      return parsePictures(part, found.format, readZip, context);
    case 'tar':
      return parsePictures(part, found.format, readTar, context);
    default:
      return found satisfies never;
  }
}

/** A part that has to be text. Throws `unsupported-dataset` for the other formats. */
export async function openTextPart(part: StoredPart, context: ParseContext): Promise<Text> {
  const found = await detect(part, context);
  if (found.format === 'csv') return found.text;
  throw unsupported(part, `it is ${found.format}, but ratings and names of items are tables in text, such as CSV.`);
}

type OpenedDocuments =
  | { readonly format: 'csv'; readonly text: Text }
  | { readonly format: 'zip' | 'tar'; readonly read: (notes: ArchiveNotes) => AsyncIterable<ArchiveFile> };

/** A part that holds documents: text, or an archive of text files. Throws `unsupported-dataset` for the other formats. */
export async function openDocumentPart(part: StoredPart, context: ParseContext): Promise<OpenedDocuments> {
  const found = await detect(part, context);
  const { limits, options } = context;
  const encoding = options.encoding === undefined ? undefined : encodingNamed(options.encoding);
  switch (found.format) {
    case 'csv':
      return found;
    case 'zip':
      return { format: 'zip', read: (notes) => readZip(part, { limits, encoding, notes }) };
    case 'tar':
      return { format: 'tar', read: (notes) => readTar(part, { limits, encoding, notes }) };
    default:
      throw unsupported(part, `it is ${found.format}, but documents are text, or a zip or tar of text files.`);
  }
}

type OpenedSeries =
  | { readonly format: 'npy'; readonly rows: RowSource }
  | { readonly format: 'csv' | 'jsonl'; readonly text: Text };

/** A part that holds series: an array, a table, or JSON Lines. Throws `unsupported-dataset` for the other formats. */
export async function openSeriesPart(part: StoredPart, context: ParseContext): Promise<OpenedSeries> {
  const head = await readHead(part);
  if (/^\s*[[{]/.test(Buffer.from(head).toString('utf8'))) {
    return { format: 'jsonl', text: openText(part, head, context.options.encoding) };
  }
  const found = await detect(part, context);
  switch (found.format) {
    case 'csv':
      return found;
    case 'npy':
      return { format: 'npy', rows: await parseNpy(part, context, 'gaps') };
    default:
      throw unsupported(part, `it is ${found.format}, but series are .npy, CSV or JSON Lines.`);
  }
}

/** The classes of a labels part, one per row: whole numbers or text of a one-dimensional npy or idx, or one column of CSV. */
export async function readLabels(part: StoredPart, context: ParseContext): Promise<LabelColumn> {
  const found = await detect(part, context);
  switch (found.format) {
    case 'csv':
      return collectLabels(part, csvLabels(part, found.text), true, context);
    case 'npy':
      return collectLabels(part, binaryLabels(part, await readNpyHeader(part), context), false, context);
    case 'idx':
      return collectLabels(part, binaryLabels(part, await readIdxHeader(part), context), false, context);
    case 'zip':
    case 'tar':
      throw unsupported(part, 'labels cannot be pictures or archives.');
    default:
      return found satisfies never;
  }
}
