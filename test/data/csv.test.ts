import { readdirSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HourglassError } from '../../src/base/errors.ts';
import { importParts, noHoldOut, refusal } from './importing.ts';

const importCsv = (text: string, options = {}) => importParts(text, { ...noHoldOut, ...options });
const values = async (text: string, options = {}) => [...(await importCsv(text, options)).values.train];

describe('csv', () => {
  it('reads rows with and without header, with any line ends', async () => {
    expect(await values('1,2\n3,-4.5e1\n')).toEqual([1, 2, 3, -45]);
    expect(await values('a,b\r\n1,2\r\n3,4')).toEqual([1, 2, 3, 4]);
    expect(await values('﻿a,b\n\n1, 2 \n+3,.5\n\n')).toEqual([1, 2, 3, 0.5]);
    expect(await values('"1","2"\n"3","4"')).toEqual([1, 2, 3, 4]);
    expect(await values('a;b\n1;2')).toEqual([1, 2]);
    expect(await values('1\t2\n3\t4', { delimiter: '\t' })).toEqual([1, 2, 3, 4]);
    expect(await values('5\n6\n7\n')).toEqual([5, 6, 7]);
    expect(await values('0,1\n1,0', { header: true })).toEqual([1, 0]);
    expect([...(await importParts(gzipSync('1,2\n3,4\n'), noHoldOut)).values.train]).toEqual([1, 2, 3, 4]);
  });

  it('takes a line of column numbers beside a name for a header', async () => {
    const { values, labels, manifest } = await importCsv('label,0,1,2\n4,10,20,30\n3,40,50,200\n', {
      labelColumn: 'label',
    });
    expect(manifest).toMatchObject({ shape: [3], dtype: 'uint8', divisor: 1, classNames: ['3', '4'] });
    expect([...values.train]).toEqual([10, 20, 30, 40, 50, 200]);
    expect(labels.train).toEqual([1, 0]);
  });

  it('takes classes from any column, by name or number, as text or numbers', async () => {
    const text = await importCsv('x,kind,y\n1,dog,2\n3,cat,4\n5,dog,6\n', { labelColumn: 'kind' });
    expect([...text.values.train]).toEqual([1, 2, 3, 4, 5, 6]);
    expect(text.manifest.classNames).toEqual(['cat', 'dog']);
    expect(text.labels.train).toEqual([1, 0, 1]);
    const numbered = await importCsv('1.5,10\n2.5,9\n', { labelColumn: 1 });
    expect(numbered.manifest).toMatchObject({ shape: [1], classNames: ['9', '10'] });
    expect(numbered.labels.train).toEqual([1, 0]);
    expect(await refusal(importCsv('a,b\n1,2\n', { labelColumn: 'c' }), 'invalid-dataset')).toMatchObject({
      facts: { field: 'labelColumn' },
    });
    await refusal(importCsv('1,2\n', { labelColumn: 2 }), 'invalid-dataset');
    await refusal(importCsv('kind,x\n,2\na,1\n', { labelColumn: 'kind' }), 'invalid-dataset');
    await refusal(importCsv('kind\na\nb\n', { labelColumn: 'kind' }), 'invalid-dataset');
  });

  it('takes classes from a file of one column', async () => {
    const rows = '1,2\n3,4\n5,6\n';
    const text = await importParts({ rows, labels: 'b\na\nb\n' }, noHoldOut);
    expect(text.labels.train).toEqual([1, 0, 1]);
    const headed = await importParts({ rows, labels: 'class\n2\n0\n2\n' }, noHoldOut);
    expect(headed.labels.train).toEqual([1, 0, 1]);
    const one = await importParts({ rows: '1,2\n', labels: '7\n' }, noHoldOut);
    expect(one.manifest.classNames).toEqual(['7']);
    await refusal(importParts({ rows, labels: 'a,b\na,b\na,b\n' }, noHoldOut), 'invalid-dataset');
  });

  it('says in which row and column something is wrong', async () => {
    const wrong: [string, 'invalid-dataset' | 'non-finite', RegExp][] = [
      ['a,b\n1,2\n3,x4\n', 'invalid-dataset', /row 1, column 1 \(b\) is "x4"/],
      ['1,2\n3,\n', 'invalid-dataset', /row 1, column 1 is empty/],
      ['1,2\n3\n', 'invalid-dataset', /row 1 has 1 columns/],
      ['1,2\n3,4,5\n', 'invalid-dataset', /row 1 has 3 columns/],
      ['1,2\n3,nan\n', 'non-finite', /row 1, column 1 is NaN/],
      ['1,2\n-inf,4\n', 'non-finite', /row 1, column 0 is infinite/],
      ['1,2\n1e39,4\n', 'non-finite', /row 1, column 0 is infinite or beyond float32/],
      ['1,2\n0x10,4\n', 'invalid-dataset', /row 1, column 0 is "0x10"/],
      ['1,2\n"3,4\n', 'invalid-dataset', /not valid CSV/],
      ['a,b\n', 'invalid-dataset', /no rows/],
      ['', 'invalid-dataset', /empty/],
      ['\n\n', 'invalid-dataset', /empty/],
    ];
    for (const [text, code, message] of wrong) expect((await refusal(importCsv(text), code)).message).toMatch(message);
  });

  it('refuses ten million columns in bounded memory, also when all are empty', async () => {
    const before = process.memoryUsage().rss;
    await refusal(importCsv(Buffer.alloc(20_000_000, '1,').toString()), 'unsupported-dataset');
    await refusal(importCsv(Buffer.alloc(10_000_000, ',').toString()), 'unsupported-dataset');
    await refusal(importCsv(`"${'x'.repeat(9_000_000)}"\n`), 'unsupported-dataset');
    expect(process.memoryUsage().rss - before).toBeLessThan(512 * 2 ** 20);
  });

  it('refuses other formats by their first bytes', async () => {
    for (const head of ['PAR1', '\x89HDF\r\n', 'GIF89a', '\x80\x04\x95', 'BZh91AY', 'a,b\n1,\0\n', '%PDF-1.7']) {
      await refusal(importParts(Buffer.from(head, 'latin1')), 'unsupported-dataset');
    }
  });

  it('limits the number of rows and leaves no file open', async () => {
    await refusal(importParts('1\n2\n3\n', noHoldOut, { rows: 2 }), 'invalid-dataset');
    await refusal(importParts('1,2,3\n', noHoldOut, { rowSize: 2 }), 'invalid-dataset');
    await refusal(importParts('1,2\n3,4\n', noHoldOut, { expandedBytes: 8 }), 'invalid-dataset');
    await new Promise(setImmediate);
    const open = readdirSync('/proc/self/fd').length;
    for (let i = 0; i < 20; i++) await refusal(importCsv(`${'1,2\n'.repeat(50_000)}3\n`), 'invalid-dataset');
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(readdirSync('/proc/self/fd').length).toBeLessThanOrEqual(open + 2);
  });

  it('property: numbers come back as they were written', async () => {
    const table = fc
      .tuple(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 8 }))
      .chain(([rows, columns]) =>
        fc.array(
          fc.array(fc.float({ noNaN: true, noDefaultInfinity: true }), { minLength: columns, maxLength: columns }),
          { minLength: rows, maxLength: rows },
        ),
      );
    await fc.assert(
      fc.asyncProperty(table, async (rows) => {
        const text = rows.map((row) => row.join(',')).join('\n');
        expect(await values(text, { scale: 'none', header: false })).toEqual(rows.flat().map((value) => value + 0));
      }),
      { numRuns: 60 },
    );
  });

  it('fuzz: any text is imported or refused, never a crash', async () => {
    const text = fc.string({
      unit: fc.constantFrom('1', '.', ',', '"', '\n', '\r', 'e', '-', ' ', 'a', ';', '\t', 'ü'),
      maxLength: 80,
    });
    await fc.assert(
      fc.asyncProperty(text, fc.boolean(), async (content, labelled) => {
        const thrown = await importCsv(content, labelled ? { labelColumn: 0 } : {}).then(
          () => undefined,
          (reason: unknown) => reason,
        );
        if (thrown !== undefined) expect(thrown).toBeInstanceOf(HourglassError);
      }),
      { numRuns: 200 },
    );
  });
});
