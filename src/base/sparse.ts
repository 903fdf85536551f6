/**
 * Compressed sparse rows: of each row only the columns that have a value. What ratings of people for items, and counts of
 * words in documents, are kept as from import to training.
 */

export interface SparseMatrix {
  readonly rows: number;
  readonly columns: number;
  /** [rows + 1]: entries of row r are starts[r] … starts[r + 1] */
  readonly starts: Uint32Array;
  /** column of each entry, ascending within a row */
  readonly indices: Uint32Array;
  readonly values: Float32Array;
}

export interface Triples {
  readonly rows: Uint32Array;
  readonly columns: Uint32Array;
  readonly values: Float32Array;
}

export const entriesOf = ({ starts, rows }: SparseMatrix): number => starts[rows] as number;

/** Sorts triples into rows. Of several entries for one place the last one counts. */
export function sparseFromTriples(triples: Triples, rows: number, columns: number): SparseMatrix {
  // Two stable counting sorts, by column and then by row, leave the columns of each row ascending.
  const byColumn = stableOrder(triples.columns, columns);
  const rowsInOrder = byColumn.map((entry) => triples.rows[entry] as number);
  const order = stableOrder(rowsInOrder, rows).map((position) => byColumn[position] as number);
  const starts = new Uint32Array(rows + 1);
  const indices = new Uint32Array(order.length);
  const values = new Float32Array(order.length);
  let count = 0;
  let before = -1;
  for (const entry of order) {
    const row = triples.rows[entry] as number;
    const column = triples.columns[entry] as number;
    const repeats = row === before && indices[count - 1] === column;
    if (!repeats) {
      indices[count] = column;
      starts[row + 1] = (starts[row + 1] as number) + 1;
      count++;
    }
    values[count - 1] = triples.values[entry] as number;
    before = row;
  }
  for (let row = 0; row < rows; row++) starts[row + 1] = (starts[row + 1] as number) + (starts[row] as number);
  return { rows, columns, starts, indices: indices.slice(0, count), values: values.slice(0, count) };
}

function stableOrder(keys: Uint32Array, size: number): Uint32Array {
  const next = new Uint32Array(size + 1);
  for (const key of keys) next[key + 1] = (next[key + 1] as number) + 1;
  for (let key = 0; key < size; key++) next[key + 1] = (next[key + 1] as number) + (next[key] as number);
  const order = new Uint32Array(keys.length);
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i] as number;
    order[next[key] as number] = i;
    next[key] = (next[key] as number) + 1;
  }
  return order;
}

/** Rows become columns. */
export function transposeSparse(matrix: SparseMatrix): SparseMatrix {
  const { indices, values, columns, rows } = matrix;
  return sparseFromTriples({ rows: indices, columns: rowOfEntries(matrix), values }, columns, rows);
}

/** The row of each entry. */
export function rowOfEntries(matrix: SparseMatrix): Uint32Array {
  const found = new Uint32Array(entriesOf(matrix));
  for (let row = 0; row < matrix.rows; row++) found.fill(row, matrix.starts[row], matrix.starts[row + 1]);
  return found;
}

/** The same shape with the entries that `keep` chooses, by their number. */
export function filterSparse(matrix: SparseMatrix, keep: (entry: number) => boolean): SparseMatrix {
  const { rows, columns } = matrix;
  const starts = new Uint32Array(rows + 1);
  const chosen: number[] = [];
  for (let row = 0; row < rows; row++) {
    const end = matrix.starts[row + 1] as number;
    for (let entry = matrix.starts[row] as number; entry < end; entry++) if (keep(entry)) chosen.push(entry);
    starts[row + 1] = chosen.length;
  }
  return {
    ...{ rows, columns, starts },
    indices: Uint32Array.from(chosen, (entry) => matrix.indices[entry] as number),
    values: Float32Array.from(chosen, (entry) => matrix.values[entry] as number),
  };
}

/** Writes one row into `out` at `at`, zeros where it has no entry. */
export function scatterRow(matrix: SparseMatrix, row: number, out: Float32Array, at: number): void {
  out.fill(0, at, at + matrix.columns);
  const end = matrix.starts[row + 1] as number;
  for (let entry = matrix.starts[row] as number; entry < end; entry++) {
    out[at + (matrix.indices[entry] as number)] = matrix.values[entry] as number;
  }
}

/** As stored: starts, indices and values one after the other, little-endian. */
export function sparseToBytes({ starts, indices, values }: SparseMatrix): Uint8Array {
  const bytes = new Uint8Array(starts.byteLength + indices.byteLength + values.byteLength);
  let at = 0;
  for (const part of [starts, indices, values]) {
    bytes.set(new Uint8Array(part.buffer, part.byteOffset, part.byteLength), at);
    at += part.byteLength;
  }
  return bytes;
}

export const sparseBytes = (rows: number, entries: number): number => 4 * (rows + 1) + 8 * entries;

/** Throws RangeError for bytes that are not such a matrix. */
export function sparseFromBytes(bytes: Uint8Array, rows: number, columns: number, entries: number): SparseMatrix {
  if (bytes.length !== sparseBytes(rows, entries)) throw new RangeError('a sparse matrix of another size');
  const whole = bytes.slice().buffer;
  const starts = new Uint32Array(whole, 0, rows + 1);
  const indices = new Uint32Array(whole, starts.byteLength, entries);
  const values = new Float32Array(whole, starts.byteLength + indices.byteLength, entries);
  const ascending = starts.every((start, row) => row === 0 || start >= (starts[row - 1] as number));
  if (starts[0] !== 0 || starts[rows] !== entries || !ascending || !indices.every((index) => index < columns)) {
    throw new RangeError('a damaged sparse matrix');
  }
  return { rows, columns, starts, indices, values };
}
