/**
 * Codes as files for other tools: NumPy's .npy (version 1.0, little-endian float32 [rows, size] and int32 [rows]) or .csv
 * with a header line, where the label is the last column.
 */

import type { Codes } from './codes.ts';

const magic = '\x93NUMPY\x01\x00';
/** header and magic together take a multiple of this */
const alignment = 64;

/** C order. */
function npy(descr: '<f4' | '<i4', shape: readonly number[], data: Float32Array | Int32Array): Uint8Array {
  const list = shape.map((dim) => `${dim},`).join(' ');
  const text = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${list}), }`;
  const length = Math.ceil((magic.length + 2 + text.length + 1) / alignment) * alignment - magic.length - 2;
  const header = Buffer.alloc(magic.length + 2 + length, ' ');
  header.write(magic, 'latin1');
  header.writeUInt16LE(length, magic.length);
  header.write(text, magic.length + 2, 'latin1');
  header[header.length - 1] = 0x0a;
  return new Uint8Array(Buffer.concat([header, Buffer.from(data.buffer, data.byteOffset, data.byteLength)]));
}

function csv({ rows, size, values, labels }: Codes): Uint8Array {
  const labelled = labels.length > 0;
  const names = [...Array.from({ length: size }, (_, j) => `z${j}`), ...(labelled ? ['label'] : [])];
  const lines = Array.from({ length: rows }, (_, i) => {
    const code = Array.from(values.subarray(i * size, (i + 1) * size), (value) => Number(value.toPrecision(9)));
    return (labelled ? [...code, labels[i]] : code).join(',');
  });
  return Buffer.from(`${[names.join(','), ...lines].join('\n')}\n`);
}

/** `codes.train.npy` and `labels.train.npy`, or `codes.train.csv`. */
export function codeFiles(codes: Codes, split: 'train' | 'test', format: 'npy' | 'csv'): Record<string, Uint8Array> {
  const { rows, size, values, labels } = codes;
  switch (format) {
    case 'csv':
      return { [`codes.${split}.csv`]: csv(codes) };
    case 'npy':
      return {
        [`codes.${split}.npy`]: npy('<f4', [rows, size], values),
        ...(labels.length > 0 && { [`labels.${split}.npy`]: npy('<i4', [rows], Int32Array.from(labels)) }),
      };
    default:
      return format satisfies never;
  }
}
