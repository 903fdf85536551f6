/**
 * Comma-separated numbers (RFC 4180; semicolon, tab and bar work as well), one row a record, with or without a header line and
 * a column of classes. Quoting is csv-parse's work; every cell is checked here.
 */

import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { CsvError, parse } from 'csv-parse';
import {
  blockValues,
  checkExtent,
  invalid,
  nonFinite,
  type ParseContext,
  type RowBlock,
  type RowSource,
  type StoredPart,
  unsupported,
} from './source.ts';

/** characters of one record, a quarter of a million numbers; bounds the memory that a file without line ends can take */
const maxRecord = 2 ** 20;
const delimiters = [',', ';', '\t', '|'] as const;

interface Layout {
  readonly delimiter: string;
  readonly header: readonly string[] | undefined;
  readonly columns: number;
  /** index of the column with the class, -1 for none */
  readonly labelAt: number;
}

export async function parseCsv(part: StoredPart, context: ParseContext): Promise<RowSource> {
  const layout = await findLayout(part, context);
  const width = layout.columns - (layout.labelAt < 0 ? 0 : 1);
  checkExtent(part, 1, [width], context);
  return {
    kind: 'whole',
    shape: [width],
    ...(layout.labelAt >= 0 && { labels: 'column' as const }),
    blocks: blocks(part, layout, width, context),
  };
}

/** A file of one column, each cell a class. A first line of text above numbers is its header. */
export async function* csvLabels(part: StoredPart): AsyncGenerator<string> {
  let first = '';
  let row = 0;
  for await (const record of records(part, ',', {})) {
    if (record.length !== 1) throw invalid(part, `row ${row} has ${record.length} columns; labels are one column.`);
    const cell = record[0]!.trim();
    if (row === 0) {
      first = cell;
    } else {
      const isHeader = Number.isNaN(toNumber(first)) && !Number.isNaN(toNumber(cell));
      if (row === 1 && !isHeader) yield first;
      yield cell;
    }
    row++;
  }
  if (row === 1) yield first;
}

async function findLayout(part: StoredPart, { options }: ParseContext): Promise<Layout> {
  const delimiter = options.delimiter ?? (await findDelimiter(part));
  const head: string[][] = [];
  for await (const record of records(part, delimiter, { to: 2 })) head.push(record);
  const [first, second] = head;
  if (!first) throw invalid(part, 'it is empty.');
  const header = (options.header ?? looksLikeHeader(first)) ? first.map((name) => name.trim()) : undefined;
  if (header && !second) throw invalid(part, 'it has a header line but no rows.');
  return {
    delimiter,
    header,
    columns: first.length,
    labelAt: findLabel(part, options.labelColumn, header, first.length),
  };
}

function findLabel(
  part: StoredPart,
  wanted: string | number | undefined,
  header: readonly string[] | undefined,
  columns: number,
): number {
  if (wanted === undefined) return -1;
  const at = typeof wanted === 'number' ? wanted : (header?.indexOf(wanted) ?? -1);
  if (at >= 0 && at < columns) return at;
  const named = header ? `: ${header.slice(0, 20).join(', ')}${columns > 20 ? ' …' : ''}` : ' and no header line';
  throw invalid(part, `there is no label column ${JSON.stringify(wanted)}. The file has ${columns} columns${named}.`, {
    field: 'labelColumn',
    found: wanted,
  });
}

/** The candidate that the first line has most often. */
async function findDelimiter(part: StoredPart): Promise<string> {
  const decoder = new TextDecoder();
  let head = '';
  for await (const chunk of part.stream()) {
    head += decoder.decode(chunk, { stream: true });
    if (/[\r\n]./.test(head) || head.length > 65_536) break;
  }
  const line = /^\s*([^\r\n]*)/.exec(head)?.[1] ?? '';
  const counts = delimiters.map((delimiter) => line.split(delimiter).length);
  return delimiters[counts.indexOf(Math.max(...counts))] ?? ',';
}

/** No cell is a number; or those that are count the columns beside one that is not (`label,0,1,2`). */
function looksLikeHeader(cells: readonly string[]): boolean {
  const numbers = cells.map(toNumber).filter((value) => !Number.isNaN(value));
  if (numbers.length === 0) return true;
  return numbers.length < cells.length && numbers.length > 1 && numbers.every((value, i) => value === numbers[0]! + i);
}

/** NaN for whatever is not a decimal number, `inf` in its usual spellings being one. */
function toNumber(cell: string): number {
  const value = Number(cell);
  if (!Number.isNaN(value)) return cell.trim() === '' || /^\s*[+-]?0[xob]/i.test(cell) ? Number.NaN : value;
  const infinite = /^\s*([+-]?)inf(?:inity)?\s*$/i.exec(cell);
  return infinite ? Number(`${infinite[1]}Infinity`) : Number.NaN;
}

async function* blocks(
  part: StoredPart,
  layout: Layout,
  width: number,
  { limits }: ParseContext,
): AsyncGenerator<RowBlock> {
  const atOnce = Math.max(1, Math.floor(blockValues / width));
  let values = new Float32Array(atOnce * width);
  let labels: string[] = [];
  let row = 0;
  let filled = 0;
  const block = (): RowBlock => ({
    values: values.subarray(0, filled * width),
    ...(layout.labelAt >= 0 && { labels }),
  });
  for await (const record of records(part, layout.delimiter, { from: layout.header ? 2 : 1 })) {
    if (row >= limits.rows) throw invalid(part, `it has more than the ${limits.rows} rows that are allowed.`);
    fillRow(part, layout, record, row, values, filled * width);
    if (layout.labelAt >= 0) labels.push(record[layout.labelAt]!.trim());
    row++;
    filled++;
    if (filled === atOnce) {
      yield block();
      values = new Float32Array(atOnce * width);
      labels = [];
      filled = 0;
    }
  }
  if (filled > 0) yield block();
}

function fillRow(
  part: StoredPart,
  { columns, labelAt, header }: Layout,
  record: readonly string[],
  row: number,
  out: Float32Array,
  at: number,
): void {
  if (record.length !== columns) {
    const facts = { field: `row ${row}`, expected: columns, found: record.length };
    throw invalid(part, `row ${row} has ${record.length} columns, the first line has ${columns}.`, facts);
  }
  let to = at;
  for (let column = 0; column < columns; column++) {
    if (column === labelAt) continue;
    const cell = record[column]!;
    const value = toNumber(cell);
    out[to] = value;
    if (!Number.isFinite(out[to])) {
      const where = `row ${row}, column ${column}${header ? ` (${header[column]})` : ''}`;
      if (!Number.isNaN(value) || /^\s*[+-]?nan\s*$/i.test(cell)) throw nonFinite(part, where, value);
      const what = cell.trim() === '' ? 'is empty' : `is ${JSON.stringify(cell.slice(0, 40))}, which is not a number`;
      throw invalid(part, `${where} ${what}.`, { field: where, found: cell.slice(0, 40) });
    }
    to++;
  }
}

async function* records(
  part: StoredPart,
  delimiter: string,
  range: { readonly from?: number; readonly to?: number },
): AsyncGenerator<string[]> {
  const parser = parse({
    ...range,
    delimiter,
    bom: true,
    relax_column_count: true,
    skip_empty_lines: true,
    max_record_size: maxRecord,
  });
  const feeding = pipeline(Readable.from(boundedLines(part)), parser);
  // the parser is destroyed with the same error, or by a reader that has enough
  feeding.catch(() => {});
  try {
    for await (const record of parser) yield record as string[];
  } catch (thrown) {
    if (!(thrown instanceof CsvError)) throw thrown;
    if (thrown.code === 'CSV_MAX_RECORD_SIZE') throw tooLong(part);
    throw invalid(part, `it is not valid CSV: a quote in line ${String(thrown.lines)} is out of place.`);
  }
}

const tooLong = (part: StoredPart) =>
  unsupported(part, `it has a line of more than ${maxRecord} bytes, which is not a table of rows.`);

/** The parser's own limit does not count empty cells. */
async function* boundedLines(part: StoredPart): AsyncGenerator<Uint8Array> {
  let length = 0;
  for await (const chunk of part.stream()) {
    const lastEnd = Math.max(chunk.lastIndexOf(0x0a), chunk.lastIndexOf(0x0d));
    const firstEnd = lastEnd < 0 ? chunk.length : chunk.findIndex((byte) => byte === 0x0a || byte === 0x0d);
    if (length + firstEnd > maxRecord) throw tooLong(part);
    length = lastEnd < 0 ? length + chunk.length : chunk.length - 1 - lastEnd;
    yield chunk;
  }
}
