// Labels from every format: exactly as they are stored, or refused.
import { describe, expect, it } from 'vitest';
import { idx, npy } from './arrays.ts';
import { importParts, noHoldOut, refusal } from './importing.ts';

const rowsOf = (count: number) => npy({ descr: '|u1', shape: [count, 2] }, new Uint8Array(2 * count));
const raw = (array: ArrayBufferView) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

async function classesOf(labels: Uint8Array | string, count: number): Promise<readonly string[] | undefined> {
  return (await importParts({ rows: rowsOf(count), labels }, noHoldOut)).manifest.classNames;
}

describe('labels of arrays', () => {
  it.each([
    [
      '<i8',
      BigInt64Array.of(16777216n, 16777217n, 9007199254740993n, -3n),
      ['-3', '16777216', '16777217', '9007199254740993'],
    ],
    [
      '<u8',
      BigUint64Array.of(18446744073709551615n, 18446744073709551614n),
      ['18446744073709551614', '18446744073709551615'],
    ],
    ['<i4', Int32Array.of(20240101, 20240102), ['20240101', '20240102']],
    ['<u4', Uint32Array.of(4294967295, 4294967294), ['4294967294', '4294967295']],
    ['<f8', Float64Array.of(20240101, 20240102, -0), ['0', '20240101', '20240102']],
    ['<f8', Float64Array.of(1e22, 1e21), ['1000000000000000000000', '10000000000000000000000']],
    ['<f4', Float32Array.of(3, 16777216), ['3', '16777216']],
    ['|b1', Uint8Array.of(1, 0), ['0', '1']],
  ])('%s %s', async (descr, values, expected) => {
    const labels = npy({ descr, shape: [values.length] }, raw(values));
    expect(await classesOf(labels, values.length)).toEqual(expected);
  });

  it('big-endian, of shape [n, 1], and idx', async () => {
    const bytes = Buffer.alloc(16);
    bytes.writeBigInt64BE(16777217n, 0);
    bytes.writeBigInt64BE(16777216n, 8);
    expect(await classesOf(npy({ descr: '>i8', shape: [2, 1] }, bytes), 2)).toEqual(['16777216', '16777217']);
    const ints = Buffer.alloc(8);
    ints.writeInt32BE(20240101, 0);
    ints.writeInt32BE(20240102, 4);
    expect(await classesOf(idx(12, [2], ints), 2)).toEqual(['20240101', '20240102']);
  });

  it('text of NumPy, in UCS-4 and in bytes', async () => {
    const ucs4 = Buffer.concat(
      ['Bär\0', 'Bör\0'].map((name) => Buffer.from(raw(Uint32Array.from([...name].map((c) => c.codePointAt(0)!))))),
    );
    expect(await classesOf(npy({ descr: '<U4', shape: [2] }, ucs4), 2)).toEqual(['Bär', 'Bör']);
    expect(await classesOf(npy({ descr: '|S3', shape: [2] }, Buffer.from('catb\0\0')), 2)).toEqual(['b', 'cat']);
  });

  it('refuses fractions, one-hot rows and single numbers, and says what to do', async () => {
    const halves = npy({ descr: '<f8', shape: [2] }, raw(Float64Array.of(1, 0.5)));
    expect((await refusal(importParts({ rows: rowsOf(2), labels: halves }), 'invalid-dataset')).message).toContain(
      '0.5',
    );
    const nan = npy({ descr: '<f8', shape: [2] }, raw(Float64Array.of(1, Number.NaN)));
    await refusal(importParts({ rows: rowsOf(2), labels: nan }), 'invalid-dataset');
    const oneHot = npy({ descr: '|u1', shape: [2, 3] }, new Uint8Array(6));
    expect((await refusal(importParts({ rows: rowsOf(2), labels: oneHot }), 'invalid-dataset')).message).toContain(
      'argmax',
    );
    const single = npy('{"descr": "<i8", "fortran_order": False, "shape": ()}', new Uint8Array(8));
    expect((await refusal(importParts({ rows: rowsOf(2), labels: single }), 'invalid-dataset')).message).toContain(
      'single number',
    );
  });
});

describe('labels as text', () => {
  const rows = '0.1,0.2\n0.3,0.4\n0.5,0.6\n';
  const withHeader = 'a,b\n0.1,0.2\n0.3,0.4\n0.5,0.6\n';

  it.each([
    ['as many as rows', 'b\na\nb\n', {}, ['a', 'b'], false, 0],
    ['numbers under text', 'class\n2\n0\n2\n', {}, ['0', '2'], true, 0],
    ['text under text, one line more', 'species\nsetosa\nvirginica\nsetosa\n', {}, ['setosa', 'virginica'], true, 1],
    ['numbers under the 0 that pandas writes', '0\n1\n2\n1\n', {}, ['1', '2'], true, 1],
    ['numbers, as many as rows', '0\n1\n2\n', {}, ['0', '1', '2'], false, 0],
    ['a first label unlike the others', 'x\n1\n2\n', {}, ['1', '2', 'x'], false, 1],
  ])('%s', async (_, labels, options, classNames, labelsHeader, warnings) => {
    const { manifest } = await importParts({ rows, labels }, { ...noHoldOut, ...options });
    expect(manifest).toMatchObject({ classNames, source: { header: false, labelsHeader } });
    expect(manifest.warnings ?? []).toHaveLength(warnings);
  });

  it('follow "header" as the rows do', async () => {
    const labels = 'species\nsetosa\nvirginica\nsetosa\n';
    const said = await importParts({ rows: withHeader, labels }, { ...noHoldOut, header: true });
    expect(said.manifest).toMatchObject({ classNames: ['setosa', 'virginica'], source: { labelsHeader: true } });
    expect(said.labels.train).toEqual([0, 1, 0]);
    expect(said.manifest.warnings).toBeUndefined();
    const denied = await refusal(importParts({ rows, labels }, { ...noHoldOut, header: false }), 'invalid-dataset');
    expect(denied.message).toContain('say "header": true');
  });

  it('keep their rows when some are held out', async () => {
    const many = Array.from({ length: 40 }, (_, i) => `${i},${i}`).join('\n');
    const labels = `name\n${Array.from({ length: 40 }, (_, i) => `c${i}`).join('\n')}`;
    const { manifest, values, labels: numbers } = await importParts({ rows: many, labels }, { testFraction: 0.25 });
    for (const split of ['train', 'test'] as const) {
      const found = numbers[split]!.map((number) => manifest.classNames?.[number]);
      expect(found).toEqual([...values[split]].filter((_, i) => i % 2 === 0).map((value) => `c${value}`));
    }
    expect(numbers.test).toHaveLength(10);
  });

  it('are refused when there are too few or too many', async () => {
    for (const labels of ['a\nb\n', 'a\nb\na\nb\na\n']) {
      const { message } = await refusal(importParts({ rows, labels }, noHoldOut), 'invalid-dataset');
      expect(message).toMatch(/it has [25] labels, but there are 3 rows/);
    }
    const { message } = await refusal(
      importParts({ rows, labels: ',0\n0,a\n1,b\n2,a\n' }, noHoldOut),
      'invalid-dataset',
    );
    expect(message).toContain('index=False');
  });
});
