/**
 * NumPy's .npy (format versions 1 to 3, NEP 1). The header is a Python literal that is parsed here, never evaluated, and
 * object arrays, which hold pickled code, are refused.
 *
 *   0x93 NUMPY │ major minor │ header length (2 bytes in v1, 4 after) │ {'descr': …, 'fortran_order': …, 'shape': (…)} │ data
 */

import { type ArrayHeader, binaryRows, readHeader } from './binary-rows.ts';
import { type ElementType, elementTypes } from './elements.ts';
import { invalid, type ParseContext, type RowSource, type StoredPart, unsupported } from './source.ts';

export const npyMagic = Uint8Array.of(0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59);

/** a header of plain numbers takes about 120 bytes */
const maxHeader = 16_384;

const types: Readonly<Record<string, ElementType>> = {
  b1: elementTypes.bool,
  u1: elementTypes.uint8,
  i1: elementTypes.int8,
  u2: elementTypes.uint16,
  i2: elementTypes.int16,
  u4: elementTypes.uint32,
  i4: elementTypes.int32,
  u8: elementTypes.uint64,
  i8: elementTypes.int64,
  f2: elementTypes.float16,
  f4: elementTypes.float32,
  f8: elementTypes.float64,
};

export async function parseNpy(part: StoredPart, context: ParseContext): Promise<RowSource> {
  const header = await readHeader(part, async (reader) => {
    const major = (await reader.take(8))[6] ?? 0;
    if (major < 1 || major > 3) throw unsupported(part, `.npy format version ${major} is not known.`);
    const lengthBytes = await reader.take(major === 1 ? 2 : 4);
    const length = lengthBytes.reduce((sum, byte, i) => sum + byte * 256 ** i, 0);
    if (length > maxHeader) {
      throw unsupported(part, `its header of ${length} bytes is longer than the ${maxHeader} that plain numbers need.`);
    }
    const text = await reader.take(length);
    if (text.length < length || length === 0) throw invalid(part, 'it ends within its header.');
    const dataAt = 8 + lengthBytes.length + length;
    return { ...parseLiteral(part, new TextDecoder('latin1').decode(text)), dataAt };
  });
  return binaryRows(part, header, context);
}

function parseLiteral(part: StoredPart, text: string): Omit<ArrayHeader, 'dataAt'> {
  const descr = /'descr'\s*:\s*(?:'([^']*)'|(\[))/.exec(text);
  const order = /'fortran_order'\s*:\s*(True|False)/.exec(text)?.[1];
  const dims = /'shape'\s*:\s*\(([\d\s,L]*)\)/.exec(text)?.[1];
  if (!descr || !order || dims === undefined) throw invalid(part, 'its header does not follow the .npy format.');
  if (descr[2]) throw unsupported(part, 'it holds records with named fields. Save one plain array of numbers.');
  const shape = dims
    .split(',')
    .map((dim) => dim.trim().replace(/L$/, ''))
    .filter((dim) => dim !== '')
    .map(Number);
  if (!shape.every(Number.isSafeInteger)) throw invalid(part, 'its header has a dimension that is not a whole number.');
  const rank = shape.filter((dim) => dim !== 1).length;
  if (order === 'True' && rank > 1) {
    throw unsupported(part, 'it is in Fortran order. Save it with numpy.ascontiguousarray first.');
  }
  const [, byteOrder = '', code = ''] = /^([<>|=])?(\w+)$/.exec(descr[1] ?? '') ?? [];
  const type = types[code];
  if (!type) {
    const what = code.startsWith('O')
      ? 'Python objects (a pickle), which are never read'
      : `values of type '${descr[1]}'`;
    throw unsupported(part, `it holds ${what}. Save whole numbers, floats or booleans.`);
  }
  return { type, littleEndian: byteOrder !== '>', dims: shape };
}
