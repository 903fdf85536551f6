// Text in every encoding that people send, and class names that keep every character.
import { describe, expect, it } from 'vitest';
import { importParts, noHoldOut, refusal } from './importing.ts';

const classes = { ...noHoldOut, labelColumn: 'art' };
const text = 'art,x\nBär,1\nBör,2\nBür,3\n';
const names = ['Bär', 'Bör', 'Bür'];
const latin = (characters: string) => Buffer.from(characters, 'latin1');
const utf16le = (characters: string) => Buffer.from(characters, 'utf16le');
const utf16be = (characters: string) => utf16le(characters).swap16();

describe('encodings of text', () => {
  it.each([
    ['UTF-8', Buffer.from(text), undefined, 'utf-8'],
    ['UTF-8 with a byte order mark', Buffer.from(`\uFEFF${text}`), undefined, 'utf-8'],
    ['UTF-16 of Excel and PowerShell', utf16le(`\uFEFF${text}`), undefined, 'utf-16le'],
    ['big-endian UTF-16', utf16be(`\uFEFF${text}`), undefined, 'utf-16be'],
    ['a mark against what was declared', utf16le(`\uFEFF${text}`), 'windows-1252', 'utf-16le'],
    ['declared UTF-16 without a mark', utf16le(text), 'utf-16le', 'utf-16le'],
    ['declared windows-1252', latin(text), 'windows-1252', 'windows-1252'],
    ['the name that Python has for it', latin(text), 'cp1252', 'windows-1252'],
    ['declared latin1', latin(text), 'ISO-8859-1', 'windows-1252'],
  ])('%s', async (_, rows, encoding, found) => {
    const { manifest } = await importParts(rows, { ...classes, ...(encoding && { encoding }) });
    expect(manifest).toMatchObject({ classNames: names, source: { encoding: found, header: true } });
  });

  it('reads all of windows-1252, and other code pages', async () => {
    const rows = Buffer.concat([latin('art,x\n'), Buffer.of(0x80), latin(',1\n'), Buffer.of(0x92), latin(',2\n')]);
    const western = await importParts(rows, { ...classes, encoding: 'windows-1252' });
    expect(western.manifest.classNames).toEqual(['’', '€']);
    const kana = Buffer.concat([latin('art,x\n'), Buffer.of(0x83, 0x41), latin(',1\n')]);
    expect((await importParts(kana, { ...classes, encoding: 'shift_jis' })).manifest.classNames).toEqual(['ア']);
  });

  it('says line and byte of what is not UTF-8, wherever it stands', async () => {
    const early = await refusal(importParts(latin(text), classes), 'invalid-dataset');
    expect(early.message).toContain('line 2 is not UTF-8: byte 2 of it is 0xE4');
    expect(early.message).toContain('?encoding=windows-1252');
    expect(early.facts).toMatchObject({ found: { line: 2, byte: 2, value: '0xE4' } });
    const long = Buffer.concat([Buffer.from('art,x\n'), Buffer.from('é,1\n'.repeat(50_000)), latin('Bür,3\n')]);
    expect((await refusal(importParts(long, classes), 'invalid-dataset')).message).toContain(
      'line 50002 is not UTF-8: byte 2 of it is 0xFC',
    );
    const cut = Buffer.concat([Buffer.from('art,x\na,1\nb'), Buffer.of(0xc3)]);
    expect((await refusal(importParts(cut, classes), 'invalid-dataset')).message).toContain('line 3');
    const labels = await refusal(
      importParts({ rows: '1\n2\n', labels: latin('ä\nö\n') }, noHoldOut),
      'invalid-dataset',
    );
    expect(labels.message).toMatch(/^labels: line 1 is not UTF-8/);
    const declared = await refusal(importParts(latin(text), { ...classes, encoding: 'utf-8' }), 'invalid-dataset');
    expect(declared.message).toContain('really has');
  });

  it('keeps characters whole that are cut between chunks', async () => {
    const long = `art,x\n${'ä€😀,1\n'.repeat(20_000)}`;
    expect((await importParts(long, classes)).manifest.classNames).toEqual(['ä€😀']);
    expect((await importParts(utf16be(`\uFEFF${long}`), classes)).manifest.classNames).toEqual(['ä€😀']);
  });

  it('names UTF-16 without a mark, refuses UTF-32, halves of characters and unknown encodings', async () => {
    expect((await refusal(importParts(utf16le(text), classes), 'unsupported-dataset')).message).toContain(
      '?encoding=utf-16le',
    );
    expect((await refusal(importParts(utf16be(text), classes), 'unsupported-dataset')).message).toContain('utf-16be');
    const utf32 = Buffer.from('\uFEFFa,b\n1,2\n').toString('latin1').split('').join('\0\0\0');
    await refusal(
      importParts(Buffer.concat([Buffer.of(0xff, 0xfe, 0, 0), latin(utf32)]), noHoldOut),
      'unsupported-dataset',
    );
    const half = Buffer.concat([utf16le('\uFEFFart,x\n'), Buffer.of(0x00, 0xd8), utf16le(',1\n')]);
    await refusal(importParts(half, classes), 'invalid-dataset');
    await refusal(importParts(text, { ...classes, encoding: 'cp437x' }), 'invalid-request');
  });
});

describe('classes', () => {
  it('are kept as they are written', async () => {
    const rows = 'x,art\n1,"a, b"\n2, a\n3,a\n4,A\n5,007\n6,7\n7,"say ""hi"""\n';
    const { manifest } = await importParts(rows, { ...noHoldOut, labelColumn: 'art' });
    expect(manifest.classNames).toEqual([' a', '007', '7', 'A', 'a', 'a, b', 'say "hi"']);
  });

  it('are missing when they are blank', async () => {
    await refusal(importParts('x,art\n1,a\n2, \n', { ...noHoldOut, labelColumn: 'art' }), 'invalid-dataset');
    await refusal(importParts({ rows: '1\n2\n3\n', labels: 'a\n\nb\n' }, noHoldOut), 'invalid-dataset');
  });
});
