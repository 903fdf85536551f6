/** A part that holds the class of each row, read as a whole before the rows: a number a row and the names of the classes. */

import type { UploadOptions } from '../upload.ts';
import { isValue } from './cells.ts';
import { readRecords } from './csv-records.ts';
import { NumberColumn } from './labels.ts';
import { invalid, type ParseContext, type StoredPart } from './source.ts';
import type { Text } from './text.ts';

export interface LabelColumn {
  readonly part: StoredPart;
  /** names by their number */
  readonly names: readonly string[];
  /** number of each label, in the order of the part */
  readonly numbers: Int32Array;
  /** only text can have a header */
  readonly isText: boolean;
}

export interface AlignedLabels {
  /** of row i */
  readonly at: (row: number) => string;
  /** absent where the part has no header by its format */
  readonly header?: boolean;
}

export async function collectLabels(
  part: StoredPart,
  labels: AsyncIterable<string>,
  isText: boolean,
  { limits }: ParseContext,
): Promise<LabelColumn> {
  const names = new Map<string, number>();
  const numbers = new NumberColumn();
  for await (const label of labels) {
    let number = names.get(label);
    if (number === undefined) {
      number = names.size;
      // one more than classes: the first may be a header
      if (number > limits.classes) {
        const what = `it has more than ${limits.classes} different values: that is not a column of classes.`;
        throw invalid(part, what, { expected: limits.classes });
      }
      names.set(label, number);
    }
    if (numbers.length > limits.rows)
      throw invalid(part, `it has more than the ${limits.rows} labels that are allowed.`);
    numbers.push(number);
  }
  return { part, names: [...names.keys()], numbers: numbers.values(), isText };
}

/** The one column of a CSV text, each cell a class; a header, if there is one, is still among them. */
export async function* csvLabels(part: StoredPart, text: Text): AsyncGenerator<string> {
  let row = 0;
  for await (const record of readRecords(part, text, { delimiter: ',' })) {
    if (record.length !== 1) {
      throw invalid(
        part,
        `row ${row} has ${record.length} columns; labels are one column, without an index (pandas: index=False, R: row.names = FALSE). Put labels with commas into quotes.`,
      );
    }
    yield record[0]!;
    row++;
  }
}

/**
 * Matches labels with rows: as many, or one more where the first line names the column. Throws `invalid-dataset` for any
 * other number.
 */
export function alignLabels(
  { part, names, numbers, isText }: LabelColumn,
  rows: number,
  { header }: UploadOptions,
  warn: ParseContext['warn'],
): AlignedLabels {
  const name = (i: number): string => names[numbers[i]!]!;
  const more = numbers.length - rows;
  const hasHeader = isText && (header ?? more === 1);
  if (more !== (hasHeader ? 1 : 0)) throw wrongCount(part, numbers.length, rows, { isText, header });
  if (isText && header === undefined) {
    const first = shown(name(0));
    const numbersBelow = !isValue(name(0)) && names.slice(1).every((other) => isValue(other));
    if (hasHeader && !numbersBelow) {
      warn(
        part,
        `There is one line more than there are rows, so the first (${first}) was taken for the name of the column.`,
      );
    } else if (!hasHeader && numbersBelow && rows > 2) {
      warn(
        part,
        `The first line (${first}) was taken for the class of the first row, although it is text above numbers.`,
      );
    }
  }
  return { at: (row) => name(row + (hasHeader ? 1 : 0)), ...(isText && { header: hasHeader }) };
}

function wrongCount(
  part: StoredPart,
  found: number,
  rows: number,
  { isText, header }: { isText: boolean; header: boolean | undefined },
) {
  const labels = isText && header ? found - 1 : found;
  const off = labels - rows;
  const advice = !isText
    ? ''
    : off === 1 && header === false
      ? ' Is the first line the name of the column? Then say "header": true.'
      : off === -1
        ? ' Was a row of the other file taken for a header, or a label for one? Say "header": true or false, which holds for all files.'
        : '';
  return invalid(part, `it has ${labels} labels, but there are ${rows} rows.${advice}`, {
    expected: rows,
    found: labels,
  });
}

const shown = (label: string): string => JSON.stringify(label.length > 40 ? `${label.slice(0, 40)}…` : label);
