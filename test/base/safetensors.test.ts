// safetensors: exact bytes of a known file, any tensors there and back, and every damaged file refused.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HourglassError } from '../../src/base/errors.ts';
import { float32, type NdArrays, ndarray } from '../../src/base/ndarray.ts';
import { readSafetensors, type SafetensorsLimits, writeSafetensors } from '../../src/base/safetensors.ts';

/** A file around a header and a number of data bytes, well formed or not. */
function file(header: string, data: Uint8Array | number, length = Buffer.byteLength(header)): Uint8Array {
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(length));
  return new Uint8Array(
    Buffer.concat([size, Buffer.from(header), typeof data === 'number' ? Buffer.alloc(data) : data]),
  );
}

function codeOf(bytes: Uint8Array, limits?: SafetensorsLimits): string {
  try {
    readSafetensors(bytes, limits);
  } catch (error) {
    return error instanceof HourglassError ? error.code : String(error);
  }
  return 'accepted';
}

const small: NdArrays = {
  b: float32([2], new Float32Array([1, -2])),
  mask: ndarray('bool', [3], new Uint8Array([1, 0, 1])),
  a: ndarray('int32', [1, 1], new Int32Array([-1])),
};

describe('writing', () => {
  it('gives the bytes of the format', () => {
    const header =
      '{"__metadata__":{"format":"hourglass"},"a":{"dtype":"I32","shape":[1,1],"data_offsets":[0,4]},' +
      '"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]},"mask":{"dtype":"BOOL","shape":[3],"data_offsets":[12,15]}}';
    const padded = header.padEnd(Math.ceil(header.length / 8) * 8, ' ');
    const data = Buffer.from('ffffffff0000803f000000c0010001', 'hex');
    expect(Buffer.from(writeSafetensors(small, { format: 'hourglass' }))).toEqual(Buffer.from(file(padded, data)));
  });

  it('does not depend on the order of names', () => {
    const { a, b, mask } = small;
    expect(writeSafetensors({ mask: mask!, a: a!, b: b! }, { x: '1', 2: 'y' })).toEqual(
      writeSafetensors(small, { 2: 'y', x: '1' }),
    );
  });

  it('refuses data that does not fit its shape', () => {
    expect(() => writeSafetensors({ x: { dtype: 'float32', shape: [2], data: new Float32Array(3) } })).toThrow(
      TypeError,
    );
  });
});

describe('reading', () => {
  it('returns what was written, for any tensors', () => {
    const shape = fc.array(fc.nat(4), { maxLength: 4 });
    const size = (dims: number[]) => dims.reduce((a, b) => a * b, 1);
    const tensor = shape.chain((dims) =>
      fc.oneof(
        fc.float32Array({ minLength: size(dims), maxLength: size(dims) }).map((data) => ndarray('float32', dims, data)),
        fc.int32Array({ minLength: size(dims), maxLength: size(dims) }).map((data) => ndarray('int32', dims, data)),
        fc
          .uint8Array({ minLength: size(dims), maxLength: size(dims), max: 1 })
          .map((data) => ndarray('bool', dims, data)),
      ),
    );
    const name = fc
      .oneof(fc.string(), fc.constantFrom('__proto__', '10', 'constructor'))
      .filter((n) => n !== '__metadata__');
    fc.assert(
      fc.property(
        fc.array(fc.tuple(name, tensor), { maxLength: 6 }),
        fc.array(fc.tuple(fc.string(), fc.string()), { maxLength: 3 }),
        fc.nat(7),
        (tensors, metadata, offset) => {
          const given = { tensors: Object.fromEntries(tensors), metadata: Object.fromEntries(metadata) };
          const bytes = writeSafetensors(given.tensors, given.metadata);
          // at any alignment inside a larger buffer
          const shifted = new Uint8Array(bytes.length + offset).subarray(offset);
          shifted.set(bytes);
          const read = readSafetensors(shifted);
          expect(Object.entries(read.tensors).sort()).toEqual(Object.entries(given.tensors).sort());
          expect(Object.entries(read.metadata).sort()).toEqual(Object.entries(given.metadata).sort());
        },
      ),
      { seed: 1, numRuns: 200 },
    );
  });

  it.each([
    ['bytes', writeSafetensors(small)],
    ['a Buffer', Buffer.from(writeSafetensors(small))],
  ])('copies %s: the file may change afterwards', (_, bytes) => {
    const { tensors } = readSafetensors(bytes);
    bytes.fill(0xff);
    expect(tensors).toEqual(small);
  });

  it('refuses a file cut at any length, and one with bytes after its end', () => {
    const bytes = writeSafetensors(small, { format: 'hourglass' });
    for (let n = 0; n < bytes.length; n++) expect(codeOf(bytes.subarray(0, n)), `${n} bytes`).toBe('model-corrupt');
    expect(codeOf(new Uint8Array([...bytes, 0]))).toBe('model-corrupt');
  });

  const one = (entry: string) => file(`{"x":${entry}}`, 4);
  it.each<[string, Uint8Array, SafetensorsLimits?]>([
    ['a header of 2⁵³ bytes', file('{}', 0, Number.MAX_SAFE_INTEGER)],
    ['a header longer than allowed', file('{}      ', 0), { maxHeaderBytes: 7 }],
    ['more tensors than allowed', writeSafetensors(small), { maxTensors: 2 }],
    ['no JSON', file('{"x"', 0)],
    ['a header that is a list', file('[]', 0)],
    ['leading white space', file(' {}', 0)],
    ['bad UTF-8', file('{"\xff": 1}', 0).map((b) => (b === 0xc3 ? 0xff : b))],
    ['an entry that is null', one('null')],
    ['an unknown type', one('{"dtype":"F64","shape":[1],"data_offsets":[0,4]}')],
    ['a type that is no text', one('{"dtype":{},"shape":[1],"data_offsets":[0,4]}')],
    ['a negative dimension', one('{"dtype":"F32","shape":[-1,-1],"data_offsets":[0,4]}')],
    ['a fraction', one('{"dtype":"F32","shape":[0.5,2],"data_offsets":[0,4]}')],
    ['dimensions that overflow', one('{"dtype":"F32","shape":[4294967296,4294967296,0],"data_offsets":[0,4]}')],
    ['2³² values in 4 bytes', one('{"dtype":"F32","shape":[4294967296],"data_offsets":[0,4]}')],
    ['offsets past the end', one('{"dtype":"F32","shape":[2],"data_offsets":[0,8]}')],
    ['offsets backwards', one('{"dtype":"F32","shape":[1],"data_offsets":[4,0]}')],
    ['three offsets', one('{"dtype":"F32","shape":[1],"data_offsets":[0,4,4]}')],
    ['a hole before the tensor', file('{"x":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}', 8)],
    ['bytes that no tensor has', file('{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', 8)],
    [
      'two tensors on the same bytes',
      file(
        '{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"y":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
        8,
      ),
    ],
    ['metadata that is no object', file('{"__metadata__":[]}', 0)],
    ['metadata that is no text', file('{"__metadata__":{"a":1}}', 0)],
    ['a bool of 2', file('{"x":{"dtype":"BOOL","shape":[1],"data_offsets":[0,1]}}', new Uint8Array([2]))],
  ])('refuses %s', (_, bytes, limits) => {
    expect(codeOf(bytes, limits)).toBe('model-corrupt');
  });

  it('accepts an empty file', () => {
    expect(readSafetensors(file('{}', 0))).toEqual({ tensors: {}, metadata: {} });
  });

  it('reads a Buffer, whose slice would be a view on shared memory', () => {
    const { tensors } = readSafetensors(Buffer.from(writeSafetensors(small)));
    expect(tensors).toEqual(small);
  });
});
