// Writes .npy and idx files, right ones and wrong ones.

export interface NpyHeader {
  readonly descr?: string;
  readonly fortran?: boolean;
  readonly shape: readonly number[];
  readonly version?: 1 | 2 | 3;
}

export function npy(header: NpyHeader | string, data: Uint8Array, version: number = 1): Uint8Array {
  const text = typeof header === 'string' ? header : literal(header);
  const numbered = typeof header === 'string' ? version : (header.version ?? version);
  const lengthBytes = numbered === 1 ? 2 : 4;
  const padded = text.padEnd(Math.ceil((8 + lengthBytes + text.length + 1) / 64) * 64 - 8 - lengthBytes - 1);
  const preamble = Buffer.alloc(8 + lengthBytes);
  preamble.write('\x93NUMPY', 'latin1');
  preamble[6] = numbered;
  preamble.writeUIntLE(padded.length + 1, 8, lengthBytes);
  return Buffer.concat([preamble, Buffer.from(`${padded}\n`, 'latin1'), data]);
}

function literal({ descr = '<f4', fortran = false, shape }: NpyHeader): string {
  const dims = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  return `{'descr': '${descr}', 'fortran_order': ${fortran ? 'True' : 'False'}, 'shape': (${dims}), }`;
}

export const bytesOf = (array: Float32Array | Float64Array | Int32Array | Uint8Array): Uint8Array =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

export const floats = (...values: number[]): Uint8Array => bytesOf(Float32Array.from(values));

export function idx(type: number, dims: readonly number[], data: Uint8Array): Uint8Array {
  const header = Buffer.alloc(4 + 4 * dims.length);
  header[2] = type;
  header[3] = dims.length;
  for (const [i, dim] of dims.entries()) header.writeUInt32BE(dim, 4 + 4 * i);
  return Buffer.concat([header, data]);
}
