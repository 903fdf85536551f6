// Words of a made-up language and how they are spoken, as lines to upload and as an open data set of pairs.
import { type SymbolTables, symbolsOf } from '../../src/base/symbols.ts';
import type { Dataset, Split, SplitName } from '../../src/data/dataset.ts';

const sourceLength = 6;
const targetLength = 7;

/** `sh` is one sound, an `e` at the end none; all other letters are spoken as they are written. */
export function spoken(word: string): string {
  return word
    .replace(/e$/, '')
    .replaceAll('sh', 'X')
    .split('')
    .map((letter) => letter.toUpperCase())
    .join(' ');
}

const letters = 'aehns';

function wordsOf(split: SplitName): string[] {
  const words = new Set<string>();
  for (
    let i = split === 'train' ? 0 : 7;
    words.size < (split === 'train' ? 300 : 40);
    i += split === 'train' ? 1 : 13
  ) {
    const length = 3 + (i % 4);
    let [word, rest] = ['', (i * 2_654_435_761) % 2 ** 32];
    for (let at = 0; at < length; at++) {
      word += letters[rest % letters.length];
      rest = Math.floor(rest / letters.length);
    }
    const isTest = [...word].reduce((sum, letter) => sum + letter.charCodeAt(0) * 7, word.length) % 8 === 0;
    if (isTest === (split === 'test') && spoken(word) !== '') words.add(word);
  }
  return [...words];
}

export const spellingLines = (split: SplitName): string =>
  `${wordsOf(split)
    .map((word) => `${word}\t${spoken(word)}`)
    .join('\n')}\n`;

export function spellings(): Dataset {
  const tables: SymbolTables = {
    source: { units: 'characters', symbols: [...letters] },
    target: { units: 'words', symbols: ['A', 'E', 'H', 'N', 'S', 'X'] },
  };
  const numbers = (text: string, { units, symbols }: SymbolTables['source']): number[] =>
    symbolsOf(text, units).map((symbol) => symbols.indexOf(symbol) + 1);
  const open = (split: SplitName): Split => {
    const own = wordsOf(split);
    const rowSize = sourceLength + targetLength;
    const write = (row: number, out: Float32Array, at: number): void => {
      out.fill(0, at, at + rowSize);
      out.set(numbers(own[row] as string, tables.source), at);
      out.set(numbers(spoken(own[row] as string), tables.target), at + sourceLength);
    };
    return {
      ...{ length: own.length, inMemory: true, storedBytes: own.length * rowSize, rowSize },
      async readRange(start, end, out) {
        for (let row = start; row < end; row++) write(row, out, (row - start) * rowSize);
      },
      async readRows(rows, out) {
        for (const [i, row] of rows.entries()) write(row, out, i * rowSize);
      },
      labels: async () => undefined,
    };
  };
  const splits = { train: open('train'), test: open('test') };
  const rows = { train: splits.train.length, test: splits.test.length };
  return {
    info: {
      ...{ name: 'spellings', hash: '0', shape: [sourceLength + targetLength], range: [0, 6], rows },
      ...{ scaling: { divisor: 1 }, warnings: [], builtIn: false },
      pairs: { sourceLength, targetLength, sourceSymbols: 5, targetSymbols: 6, sources: rows },
    },
    pairs: { symbols: async () => tables },
    split: (name) => splits[name],
    close: async () => {},
  };
}
