/**
 * The idx format of the MNIST files: big-endian, a magic number with element type and rank, the dimensions, the data.
 *
 *   0 0 │ type │ rank │ dimension 0 (4 bytes) … │ data
 */

import { type ArrayHeader, binaryRows, readHeader } from './binary-rows.ts';
import { type ElementType, elementTypes } from './elements.ts';
import { invalid, type ParseContext, type RowSource, type StoredPart } from './source.ts';

const types: Readonly<Record<number, ElementType>> = {
  8: elementTypes.uint8,
  9: elementTypes.int8,
  11: elementTypes.int16,
  12: elementTypes.int32,
  13: elementTypes.float32,
  14: elementTypes.float64,
};

export const isIdx = (head: Uint8Array): boolean =>
  head[0] === 0 && head[1] === 0 && head[2]! in types && head[3]! >= 1 && head[3]! <= 4;

/** The first bytes were checked with `isIdx`. */
export function readIdxHeader(part: StoredPart): Promise<ArrayHeader> {
  return readHeader(part, async (reader) => {
    const magic = await reader.take(4);
    const rank = magic[3]!;
    const dims = await reader.take(4 * rank);
    if (dims.length < 4 * rank) throw invalid(part, 'it ends within its header.');
    const view = new DataView(dims.buffer);
    return {
      type: types[magic[2]!]!,
      littleEndian: false,
      fortran: false,
      dims: Array.from({ length: rank }, (_, i) => view.getUint32(4 * i)),
      dataAt: 4 + 4 * rank,
    };
  });
}

export async function parseIdx(part: StoredPart, context: ParseContext): Promise<RowSource> {
  return binaryRows(part, await readIdxHeader(part), { format: 'idx' }, context);
}
