/**
 * Whether the first line of a table names its columns, from what its cells are and what stands below them. Text where the
 * other lines have numbers decides. Names that are numbers (pandas writes 0, 1, 2, …) can only be guessed, and a guess that
 * changes the number of rows comes with a warning.
 */

import { isMissing, isPlainInteger, isValue, isWrittenAsFloat, toNumber } from './cells.ts';

export interface HeaderGuess {
  readonly header: boolean;
  /** why it was a guess, and how to say what is meant */
  readonly doubt?: string;
}

/** lines and cells that are looked at */
export const guessLines = 200;
export const guessCells = 2 ** 20;

/** `records` are the first lines; `labelAt` is the column with the class, -1 for none. */
export function guessHeader(records: readonly (readonly string[])[], labelAt: number, decimal = '.'): HeaderGuess {
  const [first = [], ...below] = records;
  const columns = [...first.keys()].filter((column) => column !== labelAt);
  const hasText = columns.some((column) => !isValue(first[column]!, decimal));
  if (hasText) return namesBesideText(first, below, columns, decimal);
  if (below.length === 0) return { header: false };
  return numbersAsNames(first, below, columns, labelAt);
}

/** A line with text among its values is a header or an error: text alone, or pandas' column numbers beside a name. */
function namesBesideText(
  first: readonly string[],
  below: readonly (readonly string[])[],
  columns: readonly number[],
  decimal: string,
): HeaderGuess {
  const numbers = columns.map((column) => first[column]!).filter((cell) => isValue(cell, decimal));
  const names = columns.filter((column) => !isValue(first[column]!, decimal));
  if (numbers.length === 0) return { header: names.some((column) => !isMissing(first[column]!)) };
  const named = names.every(
    (column) =>
      (first[column]!.trim() === '' || !isMissing(first[column]!)) &&
      below.every((record) => isValue(record[column] ?? '', decimal)),
  );
  const header = named && isRun(numbers) && (numbers.length > 1 || Number(numbers[0]) === 0);
  return header ? { header, doubt: takenForNames(first) } : { header };
}

function numbersAsNames(
  first: readonly string[],
  below: readonly (readonly string[])[],
  columns: readonly number[],
  labelAt: number,
): HeaderGuess {
  const cells = columns.map((column) => first[column]!);
  if (columns.length === 0 || !cells.every(isPlainInteger)) return { header: false };
  const labels = labelAt < 0 ? [] : below.map((record) => record[labelAt] ?? '');
  const label = first[labelAt];
  const isNamed = label !== undefined && !isValue(label);
  // A name of a column is not one of its classes.
  if (isNamed && labels.includes(label)) return { header: false };
  const counted = isNamed ? isRunFrom0(cells) : isRunFrom0(first);
  const rising = cells.length >= 3 && cells.every((cell, i) => i === 0 || Number(cell) > Number(cells[i - 1]));
  const floats = share(columns, (column) => below.every((record) => isWrittenAsFloat(record[column] ?? '')));
  const someFloats = share(columns, (column) => below.some((record) => isWrittenAsFloat(record[column] ?? '')));
  // With a single line below, each of its values is outside of the other's.
  const outside = below.length > 1 ? share(columns, (column) => isOutside(Number(first[column]), below, column)) : 0;
  const goesOn = isRun(columns.map((column) => below[0]?.[column] ?? ''));
  const likeLabels = isNamed && !labels.every((cell) => isValue(cell));
  const header = likeLabels
    ? counted && floats === 1
    : (counted && (floats === 1 || (cells.length > 1 && !goesOn && (someFloats > 0.5 || outside > 0.5)))) ||
      (rising && floats === 1) ||
      (isNamed && isRun(cells) && cells.length > 1);
  if (header) return { header, doubt: takenForNames(first) };
  if (!counted || cells.length < 3) return { header };
  const doubt = `The first line (${shown(first)}) was taken for a row, although it could name the columns. If it does, say "header": true.`;
  return { header, doubt };
}

const shown = (record: readonly string[]): string =>
  record
    .slice(0, 4)
    .map((cell) => (cell.length > 20 ? `${cell.slice(0, 20)}…` : cell))
    .join(', ') + (record.length > 4 ? ', …' : '');

const takenForNames = (first: readonly string[]): string =>
  `The first line (${shown(first)}) was taken for the names of the columns, not for a row. If it is a row, say "header": false.`;

/** Whole numbers that count up by one. */
const isRun = (cells: readonly string[]): boolean =>
  cells.every((cell, i) => isPlainInteger(cell) && Number(cell) === Number(cells[0]) + i);

const isRunFrom0 = (cells: readonly string[]): boolean => isRun(cells) && Number(cells[0]) === 0;

const share = (columns: readonly number[], holds: (column: number) => boolean): number =>
  columns.filter(holds).length / columns.length;

function isOutside(value: number, below: readonly (readonly string[])[], column: number): boolean {
  const values = below.map((record) => toNumber(record[column] ?? ''));
  return values.every((other) => value < other) || values.every((other) => value > other);
}
