/** What a cell of a table is: a number, nothing, or text. */

/** NaN for whatever is not a decimal number, `inf` in its usual spellings being one. */
export function toNumber(cell: string, decimal = '.'): number {
  const text = decimal === ',' ? cell.replace(',', '.') : cell;
  const value = Number(text);
  if (!Number.isNaN(value)) return text.trim() === '' || /^\s*[+-]?0[xob]/i.test(text) ? Number.NaN : value;
  const infinite = /^\s*([+-]?)inf(?:inity)?\s*$/i.exec(text);
  return infinite ? Number(`${infinite[1]}Infinity`) : Number.NaN;
}

export const isNaNCell = (cell: string): boolean => /^\s*[+-]?nan\s*$/i.test(cell);

/** What pandas, R, Excel and SQL write where a value is missing. */
export const isMissing = (cell: string): boolean => /^\s*(|na|n\/a|#n\/a|null|none|nil|\?|-|\.|<na>)\s*$/i.test(cell);

/** A number, or one that is missing: what a row of data holds, and no column is called. */
export const isValue = (cell: string, decimal?: string): boolean =>
  !Number.isNaN(toNumber(cell, decimal)) || isNaNCell(cell);

/** Written as a name of pandas is: `0`, `17`; not `1.0`, `1e3`, `007` or `-1`. */
export const isPlainInteger = (cell: string): boolean => /^\s*(0|[1-9]\d{0,14})\s*$/.test(cell);

/** Written with a point or an exponent, as floats are. */
export const isWrittenAsFloat = (cell: string): boolean => /\d[.,]\d|^\s*[+-]?\.\d|\d\.|\de/i.test(cell);
