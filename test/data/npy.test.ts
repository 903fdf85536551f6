import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HourglassError } from '../../src/base/errors.ts';
import { fromHalf } from '../../src/data/formats/elements.ts';
import { bytesOf, floats, npy } from './arrays.ts';
import { importParts, noHoldOut, refusal } from './importing.ts';

const importNpy = (bytes: Uint8Array, options = noHoldOut) => importParts(bytes, options);

describe('npy', () => {
  it('stores floats as they are, in every format version', async () => {
    for (const version of [1, 2, 3] as const) {
      const { manifest, values } = await importNpy(npy({ shape: [3, 2], version }, floats(1, -2, 3.5, 0, 1e30, 0.1)));
      expect(manifest).toMatchObject({ shape: [2], dtype: 'float32', divisor: 1, range: [-2, Math.fround(1e30)] });
      expect([...values.train]).toEqual([1, -2, 3.5, 0, Math.fround(1e30), Math.fround(0.1)]);
    }
  });

  it('scales bytes to [0, 1] as pictures of one channel', async () => {
    const { manifest, values } = await importNpy(
      npy({ descr: '|u1', shape: [2, 2, 2] }, Uint8Array.of(0, 51, 255, 1, 2, 3, 4, 5)),
    );
    expect(manifest).toMatchObject({ shape: [2, 2, 1], dtype: 'uint8', divisor: 255, range: [0, 1] });
    expect([...values.train.slice(0, 4)]).toEqual([0, 0.2, 1, 1 / 255].map(Math.fround));
  });

  it('reads every number type in both byte orders', async () => {
    const cases: [string, number, (view: DataView, at: number, little: boolean, value: number) => void][] = [
      ['i1', 1, (view, at, _, value) => view.setInt8(at, value)],
      ['i2', 2, (view, at, little, value) => view.setInt16(at, value, little)],
      ['u2', 2, (view, at, little, value) => view.setUint16(at, value, little)],
      ['i4', 4, (view, at, little, value) => view.setInt32(at, value, little)],
      ['u4', 4, (view, at, little, value) => view.setUint32(at, value, little)],
      ['i8', 8, (view, at, little, value) => view.setBigInt64(at, BigInt(value), little)],
      ['u8', 8, (view, at, little, value) => view.setBigUint64(at, BigInt(value), little)],
      ['f4', 4, (view, at, little, value) => view.setFloat32(at, value, little)],
      ['f8', 8, (view, at, little, value) => view.setFloat64(at, value, little)],
    ];
    for (const [type, size, write] of cases) {
      const numbers = type.startsWith('u') ? [0, 3, 117] : [-3, 0, 117];
      for (const order of ['<', '>']) {
        const view = new DataView(new ArrayBuffer(3 * size));
        for (const [i, value] of numbers.entries()) write(view, i * size, order === '<', value);
        const { values } = await importNpy(npy({ descr: `${order}${type}`, shape: [3] }, new Uint8Array(view.buffer)));
        expect({ type, order, values: [...values.train] }).toEqual({ type, order, values: numbers });
      }
    }
  });

  it('narrows whole numbers up to 255 to bytes, and scales only 8-bit arrays of pictures', async () => {
    const wide = await importNpy(npy({ descr: '<i4', shape: [2, 2] }, bytesOf(Int32Array.of(0, 255, 128, 3))));
    expect(wide.manifest).toMatchObject({ dtype: 'uint8', divisor: 1, range: [0, 255] });
    expect([...wide.values.train]).toEqual([0, 255, 128, 3]);
    const flat = await importNpy(npy({ descr: '|u1', shape: [2, 2] }, Uint8Array.of(0, 255, 128, 3)));
    expect(flat.manifest).toMatchObject({ dtype: 'uint8', divisor: 1, range: [0, 255] });
    const ratings = await importNpy(npy({ descr: '<i4', shape: [2, 2] }, bytesOf(Int32Array.of(1, 5, 3, 2))));
    expect(ratings.manifest).toMatchObject({ dtype: 'uint8', divisor: 1, range: [1, 5] });
    const binary = await importNpy(npy({ descr: '|b1', shape: [2, 2] }, Uint8Array.of(0, 1, 7, 0)));
    expect([...binary.values.train]).toEqual([0, 1, 1, 0]);
  });

  it('obeys "scale" and "shape"', async () => {
    const bytes = npy({ descr: '|u1', shape: [1, 4] }, Uint8Array.of(0, 10, 20, 255));
    const shaped = await importNpy(bytes, { ...noHoldOut, shape: [2, 2, 1] });
    expect(shaped.manifest).toMatchObject({ shape: [2, 2, 1], divisor: 255, range: [0, 1] });
    const kept = await importNpy(bytes, { ...noHoldOut, scale: 'none', shape: [2, 2, 1] });
    expect(kept.manifest).toMatchObject({ shape: [2, 2, 1], divisor: 1, range: [0, 255] });
    const scaled = await importNpy(npy({ shape: [1, 2] }, floats(0, 51)), { ...noHoldOut, scale: '8-bit' });
    expect([...scaled.values.train]).toEqual([0, Math.fround(0.2)]);
    await refusal(
      importNpy(npy({ shape: [1, 2] }, floats(0, 256)), { ...noHoldOut, scale: '8-bit' }),
      'invalid-dataset',
    );
    await refusal(importNpy(bytes, { ...noHoldOut, shape: [3, 2] }), 'shape-mismatch');
  });

  it('reads half floats as IEEE 754 has them', async () => {
    expect([0x0000, 0x8001, 0x3c00, 0x3555, 0x7bff, 0xc000].map(fromHalf)).toEqual([
      0,
      -(2 ** -24),
      1,
      0.333251953125,
      65504,
      -2,
    ]);
    expect(fromHalf(0x7c00)).toBe(Number.POSITIVE_INFINITY);
    expect(fromHalf(0x7e00)).toBeNaN();
    const { values } = await importNpy(npy({ descr: '<f2', shape: [2] }, Uint8Array.of(0x00, 0x3c, 0x00, 0xc0)));
    expect([...values.train]).toEqual([1, -2]);
  });

  it('says which value is not finite', async () => {
    for (const wrong of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const error = await refusal(importNpy(npy({ shape: [3, 2] }, floats(1, 2, 3, 4, 5, wrong))), 'non-finite');
      expect(error.facts.field).toBe('row 2, value 1');
    }
    const doubles = bytesOf(Float64Array.of(1, 1e39));
    await refusal(importNpy(npy({ descr: '<f8', shape: [2] }, doubles)), 'non-finite');
  });

  it('refuses what it must not or cannot read', async () => {
    const data = floats(1, 2, 3, 4);
    const wrong: [Uint8Array, 'unsupported-dataset' | 'invalid-dataset'][] = [
      [npy({ descr: '|O', shape: [1] }, data), 'unsupported-dataset'],
      [npy({ descr: '<c8', shape: [2] }, data), 'unsupported-dataset'],
      [npy({ descr: '<U4', shape: [1] }, data), 'unsupported-dataset'],
      [npy({ descr: '<M8[ns]', shape: [2] }, data), 'unsupported-dataset'],
      [npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (4,), }", data), 'unsupported-dataset'],
      [npy({ shape: [2, 2] }, data, 4), 'unsupported-dataset'],
      [npy("{'descr': '<f4', 'shape': (4,), }", data), 'invalid-dataset'],
      [npy("__import__('os').system('touch /tmp/canary')", data), 'invalid-dataset'],
      [npy({ shape: [5, 1] }, data), 'invalid-dataset'],
      [npy({ shape: [3, 1] }, data), 'invalid-dataset'],
      [npy({ shape: [0, 4] }, data), 'invalid-dataset'],
      [npy({ shape: [4, 0] }, data), 'invalid-dataset'],
      [npy({ shape: [] }, data), 'invalid-dataset'],
      [npy({ shape: [2 ** 40, 2 ** 40] }, data), 'invalid-dataset'],
      [npy({ shape: [1, 2 ** 32] }, data), 'invalid-dataset'],
    ];
    for (const [bytes, code] of wrong) await refusal(importNpy(bytes), code);
  });

  it('refuses a header of 2 GB before reading it', async () => {
    const bytes = Buffer.from(npy({ shape: [1], version: 2 }, floats(1)));
    bytes.writeUInt32LE(2 ** 31, 8);
    const before = process.memoryUsage().rss;
    await refusal(importNpy(bytes), 'unsupported-dataset');
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * 2 ** 20);
  });

  it('takes Fortran order of a single column', async () => {
    const { values } = await importNpy(npy({ shape: [3, 1], fortran: true }, floats(1, 2, 3)));
    expect([...values.train]).toEqual([1, 2, 3]);
  });

  it.each([
    ['double quotes', '{"descr": "<f4", "fortran_order": False, "shape": (2, 2)}'],
    ['no spaces, another order, a comma at the end', "{'shape':(2,2,),'fortran_order':False,'descr':'<f4',}"],
    ['prefixed strings and longs of Python 2', "{u'descr': u'<f4', 'fortran_order': False, 'shape': (2L, 2L), }"],
    ['lines', '{\n "descr" : "f4",\n "fortran_order":False,\n "shape": ( 2 , 2 )\n}'],
    ['a character code', "{'descr': '<f', 'fortran_order': False, 'shape': (2, 2)}"],
    ['a name', "{'descr': 'float32', 'fortran_order': False, 'shape': (2, 2)}"],
    ['native order', "{'descr': '=f4', 'fortran_order': False, 'shape': (2, 2)}"],
  ])('reads a header with %s', async (_, header) => {
    expect([...(await importNpy(npy(header, floats(1, 2, 3, 4)))).values.train]).toEqual([1, 2, 3, 4]);
  });

  it.each(['uint8', 'B', '|u1', 'ubyte', '?', 'bool', 'int8', 'b'])('reads bytes as %s', async (descr) => {
    expect([...(await importNpy(npy({ descr, shape: [3] }, Uint8Array.of(0, 1, 1)))).values.train]).toEqual([0, 1, 1]);
  });

  it.each(['int', 'q', 'l', 'long', 'intp', '<i8'])('reads 64 bits as %s', async (descr) => {
    const data = new Uint8Array(BigInt64Array.of(-5n, 7n).buffer);
    expect([...(await importNpy(npy({ descr, shape: [2] }, data))).values.train]).toEqual([-5, 7]);
  });

  it.each([
    [
      [3, 2],
      [0, 3, 1, 4, 2, 5],
    ],
    [[1, 2, 3], [0, 1, 2, 3, 4, 5].map((i) => [0, 2, 4, 1, 3, 5][i]!)],
    [
      [2, 3, 1],
      [0, 2, 4, 1, 3, 5],
    ],
    [
      [6, 1],
      [0, 1, 2, 3, 4, 5],
    ],
  ])('puts Fortran order of shape %j into rows', async (shape, expected) => {
    const { values } = await importNpy(npy({ shape, fortran: true }, floats(0, 1, 2, 3, 4, 5)));
    expect([...values.train]).toEqual(expected);
    const wide = await importNpy(npy({ shape, fortran: true, descr: '>f8' }, bigEndianDoubles(0, 1, 2, 3, 4, 5)));
    expect([...wide.values.train]).toEqual(expected);
  });

  it('says what to do instead', async () => {
    const data = floats(1, 2, 3, 4);
    const advice: [Uint8Array, RegExp][] = [
      [npy({ shape: [] }, floats(1)), /single number/],
      [npy("{'descr': '<f4', 'fortran_order': False, 'shape': ()}", floats(1)), /single number/],
      [npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (4,), }", data), /structured_to_unstructured/],
      [npy({ descr: '|O', shape: [1] }, data), /never read.*numpy\.save/],
      [npy({ descr: '<c8', shape: [2] }, data), /x\.real/],
      [npy({ descr: '<M8[ns]', shape: [2] }, data), /astype\("int64"\)/],
      [npy({ descr: '<f16', shape: [1] }, data), /astype\("float64"\)/],
      [npy({ descr: '<U4', shape: [1] }, data), /labels/],
    ];
    for (const [bytes, message] of advice) {
      const error = await importNpy(bytes).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(HourglassError);
      expect((error as HourglassError).message).toMatch(message);
    }
  });

  it('refuses headers that are no literal, however deep', async () => {
    for (const header of [
      '('.repeat(9000),
      "{'descr': ",
      '{1: 2}',
      "{'descr': '<f4', 'fortran_order': False, 'shape': (2)}",
    ]) {
      await refusal(importNpy(npy(header, floats(1, 2))), 'invalid-dataset');
    }
  });

  it('reads gzip, and refuses damaged gzip', async () => {
    const packed = gzipSync(npy({ shape: [2] }, floats(1, 2)));
    expect([...(await importNpy(packed)).values.train]).toEqual([1, 2]);
    await refusal(importNpy(packed.subarray(0, packed.length - 9)), 'invalid-dataset');
    const broken = Buffer.from(packed);
    broken[packed.length - 6]! ^= 0xff;
    await refusal(importNpy(broken), 'invalid-dataset');
    const bomb = gzipSync(npy({ shape: [2 ** 20] }, new Uint8Array(2 ** 22)));
    await refusal(importParts(bomb, noHoldOut, { expandedBytes: 2 ** 20 }), 'decompressed-too-large');
  });

  it('property: arrays come back as they were written', async () => {
    const array = fc.integer({ min: 1, max: 40 }).chain((rows) =>
      fc.integer({ min: 1, max: 30 }).chain((columns) =>
        fc.record({
          shape: fc.constant([rows, columns]),
          values: fc.float32Array({
            minLength: rows * columns,
            maxLength: rows * columns,
            noNaN: true,
            noDefaultInfinity: true,
          }),
        }),
      ),
    );
    await fc.assert(
      fc.asyncProperty(array, async ({ shape, values }) => {
        const imported = await importNpy(npy({ shape }, bytesOf(values)));
        expect([...imported.values.train]).toEqual([...values]);
      }),
      { numRuns: 40 },
    );
  });

  it('fuzz: changed, cut and lengthened files are imported or refused, never a crash', async () => {
    const good = npy({ descr: '<i2', shape: [7, 3] }, new Uint8Array(42).fill(3));
    const mutation = fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(mutation, fc.integer({ min: -60, max: 20 }), async (changes, lengthen) => {
        const bytes = Buffer.concat([good, Buffer.alloc(Math.max(lengthen, 0))]);
        for (const [at, value] of changes) bytes[at] = value;
        const cut = bytes.subarray(0, good.length + lengthen);
        const thrown = await importNpy(cut).then(
          () => undefined,
          (reason: unknown) => reason,
        );
        if (thrown !== undefined) expect(thrown).toBeInstanceOf(HourglassError);
      }),
      { numRuns: 150 },
    );
  });
});

function bigEndianDoubles(...values: number[]): Uint8Array {
  const bytes = Buffer.alloc(8 * values.length);
  for (const [i, value] of values.entries()) bytes.writeDoubleBE(value, 8 * i);
  return bytes;
}
