// Pairs of sources and targets to rows of numbers of symbols, and what is refused on the way.
import { describe, expect, it } from 'vitest';
import type { SplitName } from '../../src/data/dataset.ts';
import { failure, uploads } from './uploads.ts';

const { store, upload } = uploads({ kind: 'pairs', testFraction: 0 });

/** Pairs as text again. */
async function pairsOf(name: string, split: SplitName = 'train'): Promise<string[]> {
  const set = await store.open(name);
  const tables = await set.pairs?.symbols();
  const source = set.split(split);
  const values = new Float32Array(source.length * source.rowSize);
  await source.readRange(0, source.length, values);
  const { sourceLength = 0 } = set.info.pairs ?? {};
  return Array.from({ length: source.length }, (_, row) => {
    const own = values.subarray(row * source.rowSize, (row + 1) * source.rowSize);
    const text = (numbers: Float32Array, symbols: readonly string[] = []) =>
      [...numbers].flatMap((number) => (number === 0 ? [] : [symbols[number - 1]])).join('');
    return `${text(own.subarray(0, sourceLength), tables?.source.symbols)}:${text(own.subarray(sourceLength), tables?.target.symbols)}`;
  });
}

describe('pairs', () => {
  it('are lines of characters and symbols between blanks', async () => {
    const info = await upload({ rows: 'cat\tK AE T\nsea\tS IY\nsee\tS IY\n' });
    expect(info).toMatchObject({
      shape: [7],
      rows: { train: 3, test: 0 },
      pairs: { sourceLength: 3, targetLength: 4, sourceSymbols: 5, targetSymbols: 5, sources: { train: 3, test: 0 } },
    });
    expect((await pairsOf(info.name)).toSorted()).toEqual(['cat:KAET', 'sea:SIY', 'see:SIY']);
    expect(await (await store.open(info.name)).pairs?.symbols()).toMatchObject({
      source: { units: 'characters' },
      target: { units: 'words' },
    });
  });

  it('are found by the names of their columns, and divided as asked', async () => {
    const rows = 'id,target,source\n1,der hund,the dog\n2,die katze,the cat\n';
    const info = await upload({ rows }, { symbols: { source: 'words', target: 'characters' } });
    expect(info.pairs).toMatchObject({ sourceLength: 2, targetLength: 10, sourceSymbols: 3 });
    expect((await pairsOf(info.name)).toSorted()).toEqual(['thecat:die katze', 'thedog:der hund']);
  });

  it('with the same source are in the same split', async () => {
    const words = Array.from({ length: 60 }, (_, i) =>
      String.fromCharCode(97 + (i % 26)).repeat(1 + Math.floor(i / 26)),
    );
    const rows = words.flatMap((word) => [`${word}\t1 2`, `${word}\t2 1`]).join('\n');
    const info = await upload({ rows }, { testFraction: 0.2, header: false });
    expect(info.pairs?.sources).toEqual({ train: 48, test: 12 });
    const sources = async (split: SplitName) =>
      new Set((await pairsOf(info.name, split)).map((pair) => pair.split(':')[0]));
    const [train, test] = [await sources('train'), await sources('test')];
    expect([...test].filter((source) => train.has(source))).toEqual([]);
    expect((await upload({ rows }, { testFraction: 0.2, header: false })).hash).toBe(info.hash);
    const long = await upload({ rows: `ab\tc\nde\tf\n${'x'.repeat(65)}\ty\n` });
    expect(long.warnings).toEqual([expect.stringMatching(/1 pairs with more than 64 symbols/)]);
  });

  it('say what is wrong with them', async () => {
    expect(await failure(upload({ rows: 'only\nsources\n' }))).toMatch(/its first line has one column/);
    expect(await failure(upload({ rows: 'a\tb\n' }))).toMatch(/1 sources are left for training/);
    expect(await failure(upload({ rows: 'a\tb\n\tc\n' }))).toMatch(/pair 2 has no source/);
    expect(await failure(upload({ rows: 'a\tb\nc\td\n', labels: 'x\n' }))).toMatch(/pairs have no classes/);
  });
});
