/**
 * NumPy's .npy (format versions 1 to 3, NEP 1). The header is a Python literal that is parsed here, never evaluated, and
 * object arrays, which hold pickled code, are refused.
 *
 *   0x93 NUMPY │ major minor │ header length (2 bytes in v1, 4 after) │ {'descr': …, 'fortran_order': …, 'shape': (…)} │ data
 */

import { type ArrayHeader, binaryRows, readHeader } from './binary-rows.ts';
import { type ByteOrder, type ElementType, elementTypes, textType } from './elements.ts';
import { type Literal, parseLiteral } from './python-literal.ts';
import { invalid, type ParseContext, type RowSource, type StoredPart, unsupported } from './source.ts';

export const npyMagic = Uint8Array.of(0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59);

/** a header of plain numbers takes about 120 bytes */
const maxHeader = 16_384;

/** Every spelling that numpy.dtype reads: kind and bytes, character codes, names. */
const types: readonly [ElementType, string][] = [
  [elementTypes.bool, 'b1 ? bool bool_ bool8'],
  [elementTypes.uint8, 'u1 B uint8 ubyte'],
  [elementTypes.int8, 'i1 b int8 byte'],
  [elementTypes.uint16, 'u2 H uint16 ushort'],
  [elementTypes.int16, 'i2 h int16 short'],
  [elementTypes.uint32, 'u4 I uint32 uintc'],
  [elementTypes.int32, 'i4 i int32 intc'],
  [elementTypes.uint64, 'u8 L Q P N uint64 uint uint_ ulong ulonglong uintp'],
  [elementTypes.int64, 'i8 l q p n int64 int int_ long longlong intp'],
  [elementTypes.float16, 'f2 e float16 half'],
  [elementTypes.float32, 'f4 f float32 single'],
  [elementTypes.float64, 'f8 d float64 double float float_'],
];
const typeOf = new Map(types.flatMap(([type, names]) => names.split(' ').map((name) => [name, type])));

export async function readNpyHeader(part: StoredPart): Promise<ArrayHeader> {
  return readHeader(part, async (reader) => {
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
    return { ...headerOf(part, new TextDecoder('latin1').decode(text)), dataAt };
  });
}

export async function parseNpy(part: StoredPart, context: ParseContext, nan?: 'gaps'): Promise<RowSource> {
  return binaryRows(part, await readNpyHeader(part), { format: 'npy' }, context, nan);
}

function headerOf(part: StoredPart, text: string): Omit<ArrayHeader, 'dataAt'> {
  const literal = parseLiteral(text);
  const header = typeof literal === 'object' && literal !== null && !Array.isArray(literal) ? literal : {};
  const { descr, fortran_order: fortran, shape } = header as { readonly [key: string]: Literal | undefined };
  if (descr === undefined || typeof fortran !== 'boolean' || !Array.isArray(shape)) {
    throw invalid(part, 'its header does not follow the .npy format.');
  }
  if (typeof descr !== 'string') {
    throw unsupported(
      part,
      'it holds records with named fields. Save one plain array of numbers, such as numpy.lib.recfunctions.structured_to_unstructured(x).',
    );
  }
  const dims = (shape as readonly Literal[]).map((dim) => (typeof dim === 'number' ? dim : Number.NaN));
  if (!dims.every((dim) => Number.isSafeInteger(dim) && dim >= 0)) {
    throw invalid(part, 'its header has a dimension that is not a whole number from 0.');
  }
  return { ...elementOf(part, descr), dims, fortran };
}

function elementOf(part: StoredPart, descr: string): { type: ElementType } & ByteOrder {
  const [, order = '', code = ''] = /^([<>|=!])?(.+)$/.exec(descr.trim()) ?? [];
  const littleEndian = order !== '>' && order !== '!';
  const text = /^([US])(\d{1,6})$/.exec(code);
  if (text) return { type: textType(text[1] as 'U' | 'S', Number(text[2])), littleEndian };
  const type = typeOf.get(code);
  if (type) return { type, littleEndian };
  throw unsupported(part, `it holds ${whatIs(code, descr)}`);
}

function whatIs(code: string, descr: string): string {
  const shown = JSON.stringify(descr.slice(0, 40));
  if (/^(O|object)/.test(code)) {
    return 'Python objects (a pickle), which are never read. Save numbers: numpy.save(file, numpy.asarray(x, dtype="float32")).';
  }
  if (/^(M8|m8|datetime64|timedelta64)/.test(code))
    return `dates or times (${shown}). Save numbers: x.astype("int64").`;
  if (/^(c\d|complex|F$|D$|G$)/.test(code)) return `complex numbers (${shown}). Save x.real and x.imag as columns.`;
  if (/^(f16|f12|g$|longdouble|float128|float96)/.test(code))
    return `long doubles (${shown}). Save x.astype("float64").`;
  return `values of type ${shown}. Save whole numbers, floats or booleans.`;
}
