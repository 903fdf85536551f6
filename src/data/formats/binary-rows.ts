/** Rows of a binary array: the part that npy and idx share. */

import type { Shape } from '../../base/ndarray.ts';
import { sizeOf } from '../../base/ndarray.ts';
import type { SourceFacts } from '../source-facts.ts';
import { ByteReader } from './byte-reader.ts';
import { decodeElements, type ElementType } from './elements.ts';
import {
  blockValues,
  checkExtent,
  checkFinite,
  invalid,
  type ParseContext,
  type RowBlock,
  type RowSource,
  type StoredPart,
  unsupported,
} from './source.ts';

export interface ArrayHeader {
  readonly type: ElementType;
  readonly littleEndian: boolean;
  /** rows first */
  readonly dims: readonly number[];
  /** the first index varies fastest, as Fortran and Matlab store arrays */
  readonly fortran: boolean;
  /** bytes before the first element */
  readonly dataAt: number;
}

/** bytes of an array in Fortran order, which is held as a whole while its rows are put together */
const maxFortranBytes = 2 ** 28;

/** Runs a header parser on the beginning of a part and lets go of the part again. */
export async function readHeader(
  part: StoredPart,
  parse: (reader: ByteReader) => Promise<ArrayHeader>,
): Promise<ArrayHeader> {
  const reader = new ByteReader(part.stream());
  try {
    return await parse(reader);
  } finally {
    await reader.close();
  }
}

/** Throws `invalid-dataset` when the data is shorter or longer than its header says, `non-finite`; NaN may be a gap of a series. */
export function binaryRows(
  part: StoredPart,
  header: ArrayHeader,
  facts: SourceFacts,
  context: ParseContext,
  nan?: 'gaps',
): RowSource {
  const { kind } = header.type;
  if (kind === 'text') {
    throw unsupported(part, 'it holds text. Rows are numbers; text can be the labels, as a part of its own.');
  }
  checkRank(part, header.dims);
  const shape = rowShape(header.dims);
  const rows = header.dims[0] ?? 0;
  checkExtent(part, rows, shape, context);
  return { kind, shape, facts, blocks: blocks(part, header, { rows, rowSize: sizeOf(shape), nan }) };
}

function checkRank(part: StoredPart, dims: readonly number[]): void {
  if (dims.length > 0) return;
  throw invalid(
    part,
    'it is a single number (an array without dimensions). Save an array with one row for each example, such as x.reshape(rows, values).',
  );
}

/** A row of rank 2 is a picture with one channel; a row that is a single value is a vector of one. */
function rowShape(dims: readonly number[]): Shape {
  const shape = dims.slice(1);
  return shape.length === 0 ? [1] : shape.length === 2 ? [...shape, 1] : shape;
}

interface Extent {
  readonly rows: number;
  readonly rowSize: number;
  readonly nan: 'gaps' | undefined;
}

async function* blocks(
  part: StoredPart,
  header: ArrayHeader,
  { rows, rowSize, nan }: Extent,
): AsyncGenerator<RowBlock> {
  const { type, littleEndian } = header;
  let row = 0;
  for await (const bytes of rowBytes(part, header, rows, rowSize)) {
    const values = decodeElements(bytes, type, littleEndian);
    if (values instanceof Float32Array) checkFinite(part, values, row, rowSize, nan);
    yield { values };
    row += values.length / rowSize;
  }
}

/** The classes of a labels part, one per row, exactly as they are stored. */
export async function* binaryLabels(
  part: StoredPart,
  header: ArrayHeader,
  context: ParseContext,
): AsyncGenerator<string> {
  checkRank(part, header.dims);
  const [rows = 0, ...shape] = header.dims;
  checkExtent(part, rows, shape.length === 0 ? [1] : shape, context);
  if (sizeOf(shape) !== 1) {
    throw invalid(
      part,
      `its rows have shape [${shape.join(', ')}]; labels are one value a row. Of one-hot labels save y.argmax(axis=1).`,
    );
  }
  const { type, littleEndian } = header;
  let row = 0;
  for await (const bytes of rowBytes(part, header, rows, 1)) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = 0; at < bytes.length; at += type.bytes) {
      const name = type.name(view, at, littleEndian);
      if (name === undefined) throw noLabel(part, row, type, type.read(view, at, littleEndian));
      yield name;
      row++;
    }
  }
}

const noLabel = (part: StoredPart, row: number, { kind }: ElementType, value: number) =>
  kind === 'text'
    ? invalid(part, `label ${row} is not valid Unicode.`)
    : invalid(part, `label ${row} is ${value}, which is not a whole number.`);

/** The bytes of whole rows in C order, many at a time. */
async function* rowBytes(
  part: StoredPart,
  header: ArrayHeader,
  rows: number,
  rowSize: number,
): AsyncGenerator<Uint8Array> {
  const bytesPerRow = rowSize * header.type.bytes;
  if (bytesPerRow === 0) throw invalid(part, 'its elements have no bytes.');
  const atOnce = Math.max(1, Math.floor(blockValues / rowSize));
  const reader = new ByteReader(part.stream());
  const take = async (from: number, count: number): Promise<Uint8Array> => {
    const bytes = await reader.take(count * bytesPerRow);
    if (bytes.length === count * bytesPerRow) return bytes;
    const whole = from + Math.floor(bytes.length / bytesPerRow);
    const facts = { expected: rows, found: whole };
    throw invalid(part, `its header announces ${rows} rows, but the data ends after ${whole}.`, facts);
  };
  try {
    await reader.take(header.dataAt);
    const isTurned = header.fortran && header.dims.filter((dim) => dim !== 1).length > 1;
    const whole = isTurned ? await take(0, checkFortran(part, rows, bytesPerRow)) : undefined;
    for (let row = 0; row < rows; row += atOnce) {
      const count = Math.min(atOnce, rows - row);
      yield whole ? gatherRows(whole, header, row, count) : await take(row, count);
    }
    const rest = await reader.take(1);
    if (rest.length > 0) throw invalid(part, `there is more data than the ${rows} rows that its header announces.`);
  } finally {
    await reader.close();
  }
}

/** Throws `unsupported-dataset`, else returns the number of rows. */
function checkFortran(part: StoredPart, rows: number, bytesPerRow: number): number {
  if (rows * bytesPerRow <= maxFortranBytes) return rows;
  throw unsupported(
    part,
    `it is in Fortran order and takes more than the ${maxFortranBytes} bytes that are put in order here. Save numpy.ascontiguousarray(x).`,
  );
}

/** Rows [row, row + count) in C order, of a whole array in Fortran order. */
function gatherRows(whole: Uint8Array, { dims, type }: ArrayHeader, row: number, count: number): Uint8Array {
  const offsets = fortranOffsets(dims);
  const { bytes } = type;
  const out = new Uint8Array(count * offsets.length * bytes);
  let to = 0;
  for (let i = row; i < row + count; i++) {
    for (const offset of offsets) {
      const from = (i + offset) * bytes;
      for (let b = 0; b < bytes; b++) out[to++] = whole[from + b]!;
    }
  }
  return out;
}

/** Where the values of row 0 stand, in C order. */
function fortranOffsets([rows = 0, ...dims]: readonly number[]): Float64Array {
  let offsets = [0];
  let stride = rows;
  for (const dim of dims) {
    const inner = stride;
    offsets = offsets.flatMap((offset) => Array.from({ length: dim }, (_, i) => offset + i * inner));
    stride *= dim;
  }
  return Float64Array.from(offsets);
}
