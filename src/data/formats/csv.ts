/**
 * Comma-separated numbers (RFC 4180; semicolon, tab and bar work as well), one row a record, with or without a header line and
 * a column of classes. Every cell is checked here.
 */

import { isMissing, isNaNCell, isValue, toNumber } from './cells.ts';
import { findLayout, type Layout } from './csv-layout.ts';
import { readRecords } from './csv-records.ts';
import {
  blockValues,
  checkExtent,
  invalid,
  nonFinite,
  type ParseContext,
  type RowBlock,
  type RowSource,
  type StoredPart,
} from './source.ts';
import type { Text } from './text.ts';

/** names that an answer lists; more are left out as a whole */
const maxListedColumns = 4096;

export async function parseCsv(part: StoredPart, text: Text, context: ParseContext): Promise<RowSource> {
  const { options, warn, training } = context;
  const layout = await findLayout(part, text, { options, namesBefore: training?.names });
  if (training?.names && layout.header) checkNames(part, layout.header, training.names);
  if (layout.doubt) warn(part, layout.doubt);
  const { header, delimiter, labelAt } = layout;
  const width = layout.columns - (labelAt < 0 ? 0 : 1);
  checkExtent(part, 1, [width], context);
  const listed = header?.filter((_, column) => column !== labelAt);
  return {
    kind: 'whole',
    shape: [width],
    facts: {
      ...{ format: 'csv' as const, encoding: text.encoding, delimiter, header: header !== undefined },
      ...(listed && listed.length <= maxListedColumns && { columns: listed }),
      ...(labelAt >= 0 && { labelColumn: header?.[labelAt] ?? labelAt }),
    },
    ...(header && { names: header }),
    ...(labelAt >= 0 && { labels: 'column' as const }),
    blocks: blocks(part, text, layout, width, context),
  };
}

/** Test rows whose columns stand in another order would be read as if they did not. */
function checkNames(part: StoredPart, names: readonly string[], expected: readonly string[]): void {
  const at = names.findIndex((name, column) => name !== expected[column]);
  if (at < 0 || names.length !== expected.length) return;
  throw invalid(
    part,
    `its column ${at} is called ${JSON.stringify(names[at])}, in the rows for training ${JSON.stringify(expected[at])}. Give both files the same columns in the same order.`,
    { field: 'test-rows', expected: expected.slice(0, 20), found: names.slice(0, 20) },
  );
}

async function* blocks(
  part: StoredPart,
  text: Text,
  layout: Layout,
  width: number,
  context: ParseContext,
): AsyncGenerator<RowBlock> {
  const { delimiter, skipLines, header, labelAt } = layout;
  const { limits, options } = context;
  const atOnce = Math.max(1, Math.floor(blockValues / width));
  const index = new IndexColumn(layout);
  let values = new Float32Array(atOnce * width);
  let labels: string[] = [];
  let row = header ? -1 : 0;
  let filled = 0;
  const block = (): RowBlock => ({ values: values.subarray(0, filled * width), ...(labelAt >= 0 && { labels }) });
  for await (const record of readRecords(part, text, { delimiter, skipLines })) {
    if (row < 0) {
      row++;
      continue;
    }
    if (row >= limits.rows) throw invalid(part, `it has more than the ${limits.rows} rows that are allowed.`);
    fillRow({ part, layout, record, row, decimal: options.decimal }, values, filled * width);
    index.see(record, row);
    if (labelAt >= 0) labels.push(record[labelAt]!);
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
  if (index.found(row)) context.warn(part, indexWarning);
}

const indexWarning =
  'The first column has no name and counts the rows, as the index that pandas and R write. It was kept as a value of each row. Save without it: to_csv(file, index=False), write.csv(x, file, row.names = FALSE).';

/** Whether the first column is a row number that nobody meant as data. */
class IndexColumn {
  readonly #mayBe: boolean;
  #start = 0;
  #counts = true;

  constructor({ header, labelAt, columns }: Layout) {
    this.#mayBe = header?.[0] === '' && labelAt !== 0 && columns > 1;
  }

  see(record: readonly string[], row: number): void {
    if (!this.#mayBe || !this.#counts) return;
    const value = toNumber(record[0]!);
    if (row === 0) this.#start = value;
    this.#counts = value === this.#start + row;
  }

  found(rows: number): boolean {
    return this.#mayBe && this.#counts && rows > 1;
  }
}

interface RecordOfRow {
  readonly part: StoredPart;
  readonly layout: Layout;
  readonly record: readonly string[];
  readonly row: number;
  readonly decimal: '.' | ',' | undefined;
}

function fillRow(given: RecordOfRow, out: Float32Array, at: number): void {
  const { part, layout, record, row, decimal } = given;
  const { columns, labelAt, header } = layout;
  if (record.length !== columns) {
    const facts = { field: `row ${row}`, expected: columns, found: record.length };
    const names =
      header && record.length === columns + 1
        ? ' A column more than names: row names of R? Save with write.csv(x, file, row.names = FALSE).'
        : '';
    throw invalid(part, `row ${row} has ${record.length} columns, the first line has ${columns}.${names}`, facts);
  }
  let to = at;
  for (let column = 0; column < columns; column++) {
    if (column === labelAt) continue;
    const cell = record[column]!;
    const value = toNumber(cell, decimal);
    out[to] = value;
    if (!Number.isFinite(out[to])) throw wrongCell(given, column, value);
    to++;
  }
}

function wrongCell({ part, layout: { header }, record, row, decimal }: RecordOfRow, column: number, value: number) {
  const cell = record[column]!;
  const where = `row ${row}, column ${column}${header ? ` (${header[column]})` : ''}`;
  if (!Number.isNaN(value) || isNaNCell(cell)) return nonFinite(part, where, value);
  const facts = { field: where, found: cell.slice(0, 40) };
  if (cell.trim() === '')
    return invalid(part, `${where} is empty. Fill in missing values, or leave out their rows.`, facts);
  const what = `${where} is ${JSON.stringify(cell.slice(0, 40))}, which is not a number.`;
  return invalid(part, `${what}${adviceFor(cell, row, header !== undefined, decimal)}`, facts);
}

function adviceFor(cell: string, row: number, header: boolean, decimal: string | undefined): string {
  if (isMissing(cell)) return ' Fill in missing values, or leave out their rows.';
  if (decimal !== ',' && isValue(cell, ',')) return ' If that is a decimal comma, say "decimal": ",".';
  if (decimal === ',' && isValue(cell)) return ' Decimals are written with "," here, as "decimal" says.';
  if (row === 0 && !header)
    return ' If the first line names the columns, say "header": true; if the column holds the class, name it as "labelColumn".';
  return ' If the column holds the class, name it as "labelColumn"; leave out other text.';
}
