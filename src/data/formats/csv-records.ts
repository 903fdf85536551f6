/** The records of a CSV text. Quoting is csv-parse's work. */

import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { CsvError, parse } from 'csv-parse';
import { invalid, type StoredPart, unsupported } from './source.ts';
import type { Text } from './text.ts';

/** Columns of a table; each costs the parser some memory and a microsecond or two a row. */
export const maxColumns = 2 ** 19;
/** Bytes of one line, 16 for each column. Bounds the memory that a file without line ends can take. */
export const maxLineBytes = 16 * maxColumns;

export interface RecordOptions {
  readonly delimiter: string;
  /** lines before the first record: the `sep=;` of Excel */
  readonly skipLines?: number;
}

/** Throws `invalid-dataset` for quotes out of place and for an empty line between records of one cell: a missing value. */
export async function* readRecords(
  part: StoredPart,
  text: Text,
  { delimiter, skipLines = 0 }: RecordOptions,
): AsyncGenerator<string[]> {
  const parser = parse({
    delimiter,
    from_line: skipLines + 1,
    relax_column_count: true,
    max_record_size: maxLineBytes,
  });
  const feeding = pipeline(Readable.from(boundedLines(part, text, delimiter)), parser);
  // the parser is destroyed with the same error, or by a reader that has enough
  feeding.catch(() => {});
  let count = 0;
  let blank = false;
  try {
    for await (const record of parser as AsyncIterable<string[]>) {
      if (record.length === 1 && record[0] === '') {
        blank = count > 0;
        continue;
      }
      if (blank && record.length === 1) throw missingCell(part, count);
      blank = false;
      count++;
      yield record;
    }
  } catch (thrown) {
    if (!(thrown instanceof CsvError)) throw thrown;
    if (thrown.code === 'CSV_MAX_RECORD_SIZE') throw tooLong(part);
    throw invalid(part, `it is not valid CSV: a quote in line ${String(thrown.lines)} is out of place.`);
  }
}

const missingCell = (part: StoredPart, count: number) =>
  invalid(
    part,
    `after ${count} lines with a value comes an empty one, in a file of one column: a missing value. Fill it in, or leave out the row.`,
  );

const tooLong = (part: StoredPart) =>
  unsupported(
    part,
    `it has a line of more than ${maxLineBytes} bytes, more than ${maxColumns} columns need. Is it a table? Then send wide rows as .npy.`,
  );

const tooWide = (part: StoredPart) =>
  unsupported(part, `it has a line of more than ${maxColumns} columns. Send rows as wide as that as .npy.`);

/** Refuses lines that are too long before the parser, whose own limit does not count empty cells, has collected them. */
async function* boundedLines(part: StoredPart, text: Text, delimiter: string): AsyncGenerator<Uint8Array> {
  const divider = delimiter.charCodeAt(0);
  let length = 0;
  let cells = 0;
  for await (const chunk of text.stream()) {
    const lastEnd = Math.max(chunk.lastIndexOf(0x0a), chunk.lastIndexOf(0x0d));
    const firstEnd = lastEnd < 0 ? chunk.length : chunk.findIndex((byte) => byte === 0x0a || byte === 0x0d);
    if (length + firstEnd > maxLineBytes) throw tooLong(part);
    length = lastEnd < 0 ? length + chunk.length : chunk.length - 1 - lastEnd;
    // Only a line longer than a chunk can have too many cells.
    cells = lastEnd < 0 ? cells + countOf(chunk, divider) : 0;
    if (cells > maxColumns) throw tooWide(part);
    yield chunk;
  }
}

function countOf(bytes: Uint8Array, wanted: number): number {
  let count = 0;
  for (const byte of bytes) if (byte === wanted) count++;
  return count;
}

/** The beginning of the text: whole lines where there are any, at most about 64 KiB. */
export async function readTextHead(text: Text): Promise<string> {
  const decoder = new TextDecoder();
  let head = '';
  for await (const chunk of text.stream()) {
    head += decoder.decode(chunk, { stream: true });
    if (head.length > 65_536) {
      const end = Math.max(head.lastIndexOf('\n'), head.lastIndexOf('\r'));
      return end < 0 ? head : head.slice(0, end + 1);
    }
  }
  return head;
}
