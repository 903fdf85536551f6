/** How a CSV text is laid out: its delimiter, whether its first line names the columns, and which column is the class. */

import { parse } from 'csv-parse/sync';
import type { UploadOptions } from '../upload.ts';
import { isMissing, isValue } from './cells.ts';
import { guessCells, guessHeader, guessLines } from './csv-header.ts';
import { readRecords, readTextHead } from './csv-records.ts';
import { invalid, type StoredPart, unsupported } from './source.ts';
import type { Text } from './text.ts';

export interface Layout {
  readonly delimiter: string;
  /** lines before the first record */
  readonly skipLines: number;
  /** names of all columns */
  readonly header: readonly string[] | undefined;
  readonly columns: number;
  /** index of the column with the class, -1 for none */
  readonly labelAt: number;
  /** what a client should know of a guess */
  readonly doubt?: string;
}

const delimiters = [',', ';', '\t', '|'] as const;

export interface LayoutContext {
  readonly options: UploadOptions;
  /** of the rows for training, when this part holds those for testing */
  readonly namesBefore?: readonly string[] | undefined;
}

export async function findLayout(part: StoredPart, text: Text, context: LayoutContext): Promise<Layout> {
  const { options } = context;
  const head = await readTextHead(text);
  const declared = /^sep=(.)\r?\n/i.exec(head);
  const skipLines = declared ? 1 : 0;
  const delimiter =
    options.delimiter ?? declared?.[1] ?? guessDelimiter(part, skipLines ? head.slice(head.indexOf('\n') + 1) : head);
  const records = await firstRecords(part, text, delimiter, skipLines);
  const [first] = records;
  if (!first) throw invalid(part, 'it is empty.');
  const names = first.map((name) => name.trim());
  // numpy.savetxt writes its header behind a comment sign
  if (names[0]) names[0] = names[0].replace(/^#\s*/, '');
  const { header, doubt } = decideHeader(records, names, context);
  if (header && records.length === 1) throw invalid(part, 'it has a header line but no rows.');
  return {
    delimiter,
    skipLines,
    header: header ? names : undefined,
    columns: first.length,
    labelAt: findLabel(part, options.labelColumn, header ? names : undefined, first.length),
    ...(doubt && { doubt }),
  };
}

function decideHeader(
  records: readonly (readonly string[])[],
  names: readonly string[],
  { options: { header, labelColumn, decimal }, namesBefore }: LayoutContext,
): { header: boolean; doubt?: string } {
  if (header !== undefined) return { header };
  if (typeof labelColumn === 'string' && names.includes(labelColumn)) return { header: true };
  if (namesBefore && namesBefore.length === names.length && namesBefore.every((name, i) => name === names[i])) {
    return { header: true };
  }
  return guessHeader(records, typeof labelColumn === 'number' ? labelColumn : -1, decimal);
}

async function firstRecords(part: StoredPart, text: Text, delimiter: string, skipLines: number): Promise<string[][]> {
  const records: string[][] = [];
  let cells = 0;
  for await (const record of readRecords(part, text, { delimiter, skipLines })) {
    records.push(record);
    cells += record.length;
    if (records.length > guessLines || (records.length > 1 && cells > guessCells)) break;
  }
  return records;
}

function findLabel(
  part: StoredPart,
  wanted: string | number | undefined,
  header: readonly string[] | undefined,
  columns: number,
): number {
  if (wanted === undefined) return -1;
  const facts = { field: 'labelColumn', found: wanted };
  const at = typeof wanted === 'number' ? wanted : (header?.indexOf(wanted) ?? -1);
  if (typeof wanted === 'string' && header && at !== header.lastIndexOf(wanted)) {
    throw invalid(
      part,
      `two columns are called ${JSON.stringify(wanted)}. Name the label column by its number.`,
      facts,
    );
  }
  if (at >= 0 && at < columns) return at;
  const named = header ? `: ${header.slice(0, 20).join(', ')}${columns > 20 ? ', …' : ''}` : ' and no header line';
  const what = `there is no label column ${JSON.stringify(wanted)}. The file has ${columns} columns${named}.`;
  throw invalid(part, what, facts);
}

interface Candidate {
  readonly delimiter: string;
  readonly columns: number;
  /** all lines have the same number of columns */
  readonly even: boolean;
  /** share of the cells below the first line that are numbers */
  readonly numbers: number;
}

/** The delimiter that cuts the first lines into equally many cells, most of them numbers; quoted ones do not count. */
function guessDelimiter(part: StoredPart, head: string): string {
  const candidates = delimiters
    .map((delimiter) => tryDelimiter(delimiter, head))
    .filter((candidate) => candidate !== undefined)
    .sort((a, b) => Number(b.even) - Number(a.even) || b.numbers - a.numbers || b.columns - a.columns);
  if (candidates[0]) return candidates[0].delimiter;
  refuseBlanks(part, head);
  return ',';
}

/** Undefined when it does not divide the first line. */
function tryDelimiter(delimiter: string, head: string): Candidate | undefined {
  let records: string[][];
  try {
    records = parse(head, { delimiter, to: 20, relax_column_count: true, relax_quotes: true, skip_empty_lines: true });
  } catch {
    return undefined;
  }
  const [first = [], ...below] = records;
  if (first.length < 2) return undefined;
  const cells = (below.length > 0 ? below : records).flat();
  const decimal = delimiter === ',' ? '.' : ',';
  const numbers = cells.filter((cell) => isValue(cell) || isValue(cell, decimal) || isMissing(cell)).length;
  const even = records.every((record) => record.length === first.length);
  return { delimiter, columns: first.length, even, numbers: numbers / cells.length };
}

/** Files whose lines hold several numbers between blanks. Throws `unsupported-dataset`. */
function refuseBlanks(part: StoredPart, head: string): void {
  const lines = head.split(/\r?\n|\r/).filter((line) => line.trim() !== '');
  const last = (lines[1] ?? lines[0] ?? '').trim().split(/\s+/);
  if (last.length < 2) return;
  if (last.slice(1).every((cell) => /^\d+:\S+$/.test(cell))) {
    throw unsupported(part, 'it is in the sparse LIBSVM format (index:value). Write it out as CSV.');
  }
  if (!last.slice(1).every((cell) => isValue(cell))) return;
  throw unsupported(
    part,
    'its columns are separated by blanks, as numpy.savetxt, R\'s write.table and Matlab\'s save -ascii write by default. Save it with commas (numpy.savetxt(file, x, delimiter=",")), or as .npy.',
  );
}
