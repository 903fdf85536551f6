/** Rows of a binary array in C order: the part that npy and idx share. */

import type { Shape } from '../../base/ndarray.ts';
import { sizeOf } from '../../base/ndarray.ts';
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
} from './source.ts';

export interface ArrayHeader {
  readonly type: ElementType;
  readonly littleEndian: boolean;
  /** rows first */
  readonly dims: readonly number[];
  /** bytes before the first element */
  readonly dataAt: number;
}

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

/** Throws `invalid-dataset` when the data is shorter or longer than its header says, `non-finite`. */
export function binaryRows(part: StoredPart, header: ArrayHeader, context: ParseContext): RowSource {
  const shape = rowShape(header.dims);
  const rows = header.dims[0] ?? 0;
  checkExtent(part, rows, shape, context);
  return { kind: header.type.kind, shape, blocks: blocks(part, header, rows, sizeOf(shape)) };
}

/** A row of rank 2 is a picture with one channel; a row that is a single value is a vector of one. */
function rowShape(dims: readonly number[]): Shape {
  const shape = dims.slice(1);
  return shape.length === 0 ? [1] : shape.length === 2 ? [...shape, 1] : shape;
}

async function* blocks(
  part: StoredPart,
  { type, littleEndian, dataAt }: ArrayHeader,
  rows: number,
  rowSize: number,
): AsyncGenerator<RowBlock> {
  const bytesPerRow = rowSize * type.bytes;
  const atOnce = Math.max(1, Math.floor(blockValues / rowSize));
  const reader = new ByteReader(part.stream());
  try {
    await reader.take(dataAt);
    for (let row = 0; row < rows; row += atOnce) {
      const wanted = Math.min(atOnce, rows - row) * bytesPerRow;
      const bytes = await reader.take(wanted);
      if (bytes.length < wanted) {
        const whole = row + Math.floor(bytes.length / bytesPerRow);
        const facts = { expected: rows, found: whole };
        throw invalid(part, `its header announces ${rows} rows, but the data ends after ${whole}.`, facts);
      }
      const values = decodeElements(bytes, type, littleEndian);
      if (values instanceof Float32Array) checkFinite(part, values, row, rowSize);
      yield { values };
    }
    const rest = await reader.take(1);
    if (rest.length > 0) throw invalid(part, `there is more data than the ${rows} rows that its header announces.`);
  } finally {
    await reader.close();
  }
}
