/** A NumPy file of version 1 in C order, for uploads. */

export function npy(shape: readonly number[], values: Float32Array | Uint8Array): Blob {
  const type = values instanceof Uint8Array ? '|u1' : '<f4';
  const text = `{'descr': '${type}', 'fortran_order': False, 'shape': (${shape.join(', ')},), }`;
  const length = Math.ceil((10 + text.length + 1) / 64) * 64 - 10;
  const header = Buffer.alloc(10 + length, ' ');
  header.write('\x93NUMPY\x01\x00', 'latin1');
  header.writeUInt16LE(length, 8);
  header.write(text, 10);
  header[header.length - 1] = 0x0a;
  return new Blob([
    new Uint8Array(header),
    new Uint8Array(values.buffer as ArrayBuffer, values.byteOffset, values.byteLength),
  ]);
}
