// Files that are often sent and not taken: the refusal says what they are and what to do.
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { zip } from './archives.ts';
import { npy } from './arrays.ts';
import { importParts, noHoldOut, refusal } from './importing.ts';
import { picture } from './pictures.ts';

const bytes = (text: string) => Buffer.from(text, 'latin1');
const file = (name: string) => ({ name, data: Buffer.from('x') });

describe('formats that are not taken', () => {
  it.each([
    ['Parquet', bytes('PAR1\x15\x04'), /Parquet.*to_csv/],
    ['Feather', bytes('ARROW1\0\0'), /Feather/],
    ['HDF5', bytes('\x89HDF\r\n\x1a\n'), /HDF5.*numpy\.save/],
    ['Matlab', bytes('MATLAB 5.0 MAT-file, Platform: GLNXA64'), /writematrix/],
    ['Matlab 7.3', bytes('MATLAB 7.3 MAT-file'), /writematrix/],
    ['pickle', bytes('\x80\x04\x95'), /pickle/],
    ['pickle of protocol 0', bytes('(lp0\nI1\n'), /pickle/],
    ['old Excel', bytes('\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1'), /CSV UTF-8/],
    ['R', gzipSync('RDX3\nX\n\0\0\0\x03'), /write\.csv/],
    ['RDS', gzipSync('X\n\0\0\0\x03'), /write\.csv/],
    ['SQLite', bytes('SQLite format 3\0'), /SQLite/],
    ['zstd', bytes('(\xb5/\xfd$'), /zstd/],
    ['Git LFS', bytes('version https://git-lfs.github.com/spec/v1\noid sha256:4d\nsize 12\n'), /git lfs pull/],
    ['a web page', bytes('<!DOCTYPE html>\n<html>'), /download/],
    ['JSON', bytes('[[1, 2], [3, 4]]'), /JSON/],
    ['JSON objects', bytes('{"a": 1}\n{"a": 2}'), /JSON/],
    ['HEIC', bytes('\0\0\0\x18ftypheic'), /HEIC/],
    ['WAV', bytes('RIFF\x24\0\0\0WAVEfmt '), /WAV/],
    ['npz', zip([{ name: 'x.npy', data: npy({ shape: [1] }, new Uint8Array(4)) }]), /\.npz.*numpy\.save/],
    ['Excel', zip([file('[Content_Types].xml'), file('xl/workbook.xml')]), /Excel.*CSV UTF-8/],
    ['OpenDocument', zip([file('mimetype'), file('content.xml')]), /OpenDocument/],
    ['PyTorch', zip([file('archive/data.pkl'), file('archive/data/0')]), /PyTorch/],
    ['a zipped table', zip([file('data/train.csv')]), /train\.csv.*that file itself/],
    ['numpy.savetxt', bytes('1.000e+00 2.000e+00\n3.000e+00 4.000e+00\n'), /savetxt.*delimiter=","/],
    ['R write.table', bytes('"a" "b"\n"1" 0.5 0.6\n"2" 0.1 0.2\n'), /blanks/],
    ['Matlab -ascii', bytes('   1.0000000e+00   2.0000000e+00\n   3.0000000e+00   4.0000000e+00\n'), /blanks/],
    ['LIBSVM', bytes('1 3:0.5 7:0.25\n0 1:0.5 2:0.125\n'), /LIBSVM/],
  ])('%s', async (_, content, message) => {
    const error = await refusal(importParts(content, noHoldOut), 'unsupported-dataset');
    expect(error.message).toMatch(message);
    expect(error.message).toMatch(/Taken are \.npy, idx and \.csv/);
  });

  it('does not mistake tables for them', async () => {
    for (const name of ['PAR1', 'ORC', 'CDF', 'X', 'BM', 'BZh', '[mV]', 'Rar!']) {
      const { manifest } = await importParts(`${name},b\n1,2\n3,4\n`, noHoldOut);
      expect(manifest.source?.columns).toEqual([name, 'b']);
    }
  });

  it('says what another file in an archive of pictures is', async () => {
    const files = [
      { name: 'a.png', data: await picture() },
      { name: 'b.gif', data: await picture({ format: 'gif' }) },
    ];
    expect((await refusal(importParts(zip(files)), 'invalid-dataset')).message).toContain('GIF');
  });
});

describe('CSV as programs write it', () => {
  const values = async (text: string, options = {}) => [
    ...(await importParts(text, { ...noHoldOut, ...options })).values.train,
  ];

  it.each([
    ['delimiters between quotes', '"t (C; mean; day)","b"\n1,2\n4,5\n', [1, 2, 4, 5], ','],
    ['many semicolons in a name', '"a;b;c;d;e",x,y\n1,2,3\n', [1, 2, 3], ','],
    ['tabs', 'a\tb, c\n1\t2\n', [1, 2], '\t'],
    ['bars', 'a|b\n1|2\n', [1, 2], '|'],
    ['the sep= of Excel', 'sep=;\na;b\n1;2\n3;4\n', [1, 2, 3, 4], ';'],
    ['a header behind a comment sign', '# a,b\n1,2\n', [1, 2], ','],
    ['one column', 'a\n1\n2\n', [1, 2], ','],
  ])('%s', async (_, text, expected, delimiter) => {
    expect(await values(text)).toEqual(expected);
    expect((await importParts(text, noHoldOut)).manifest.source).toMatchObject({ delimiter });
  });

  it('takes decimal commas when it is told of them, and asks when not', async () => {
    const german = 'a;b\n1,5;2,5\n-3;0,25\n';
    expect(await values(german, { decimal: ',' })).toEqual([1.5, 2.5, -3, 0.25]);
    expect((await refusal(importParts(german, noHoldOut), 'invalid-dataset')).message).toContain('"decimal": ","');
  });

  it('gives the names of columns without the label, and warns of the index of pandas', async () => {
    const { manifest } = await importParts('x,art,y\n1,a,2\n3,b,4\n', { ...noHoldOut, labelColumn: 'art' });
    expect(manifest.source).toEqual({
      ...{ format: 'csv', encoding: 'utf-8', delimiter: ',', header: true },
      ...{ columns: ['x', 'y'], labelColumn: 'art' },
    });
    const indexed = await importParts(',a,b\n0,0.5,0.6\n1,0.1,0.2\n2,0.3,0.4\n', noHoldOut);
    expect(indexed.manifest).toMatchObject({ shape: [3], source: { columns: ['', 'a', 'b'] } });
    expect(indexed.manifest.warnings).toEqual([expect.stringContaining('index=False')]);
  });

  it('takes 60,000 columns as pandas writes them', async () => {
    const row = () =>
      Array.from({ length: 60_000 }, (_, i) => `0.${'1234567890123456'.slice(0, 16)}${i % 10}`).join(',');
    const { manifest } = await importParts(`${row()}\n${row()}\n`, noHoldOut);
    expect(manifest).toMatchObject({ shape: [60_000], splits: { train: { rows: 2 } } });
  });

  it('reads test rows by the header of the others, and refuses columns in another order', async () => {
    const rows = '0,1,2\n0.5,0.6,0.7\n0.1,0.2,0.3\n';
    const { manifest } = await importParts({ rows, 'test-rows': '0,1,2\n4,5,6\n7,8,9\n' }, noHoldOut);
    expect(manifest).toMatchObject({ splits: { train: { rows: 2 }, test: { rows: 2 } } });
    const turned = importParts({ rows: 'a,b\n1,2\n', 'test-rows': 'b,a\n2,1\n' }, noHoldOut);
    expect((await refusal(turned, 'invalid-dataset')).message).toContain('same order');
  });

  it('says what a cell may be instead', async () => {
    const wrong: [string, object, RegExp][] = [
      ['1,2\n3,NA\n', {}, /missing values/],
      ['1,2\n3,\n', {}, /missing values/],
      ['5.1,setosa\n4.9,virginica\n', {}, /"labelColumn"/],
      ['5.1,3.5,oops\n4.9,3.0,1.4\n', {}, /"header": true/],
      ['a,b\n1,2\n3,x\n', {}, /"labelColumn"/],
      ['"","a","b"\n"1",1,2,3\n', {}, /row\.names = FALSE/],
    ];
    for (const [text, options, message] of wrong) {
      const error = await refusal(importParts(text, { ...noHoldOut, ...options }), 'invalid-dataset');
      expect(error.message).toMatch(message);
    }
  });
});

describe('scaling', () => {
  it('leaves tables as they are, whatever their largest value', async () => {
    for (const most of [240, 255, 300]) {
      const { manifest, values } = await importParts(`a,b\n0,10\n20,${most}\n`, noHoldOut);
      expect(manifest).toMatchObject({ divisor: 1, range: [0, most] });
      expect([...values.train]).toEqual([0, 10, 20, most]);
    }
    const asked = await importParts('a,b\n0,51\n', { ...noHoldOut, scale: '8-bit' });
    expect(asked.manifest).toMatchObject({ divisor: 255, range: [0, Math.fround(0.2)] });
  });

  it('tells of rows that look like pixels, and of whole numbers beyond float32', async () => {
    const pixels = Array.from({ length: 64 }, (_, i) => i * 4).join(',');
    const flat = await importParts(`${pixels}\n${pixels}\n`, { ...noHoldOut, header: false });
    expect(flat.manifest.warnings).toEqual([expect.stringContaining('"scale": "8-bit"')]);
    const large = await importParts('a,b\n1,16777217\n', noHoldOut);
    expect(large.manifest.warnings).toEqual([expect.stringContaining('rounded')]);
    expect((await importParts('a,b\n1,16777215\n', noHoldOut)).manifest.warnings).toBeUndefined();
  });
});
