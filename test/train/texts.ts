// Texts of two topics in two classes, as lines to upload and as an open data set of documents.
import { sparseFromTriples } from '../../src/base/sparse.ts';
import type { Dataset, SplitName } from '../../src/data/dataset.ts';
import { sparseSplit } from './ratings.ts';

export const words = ['cat', 'dog', 'fur', 'paw', 'ship', 'sail', 'sea', 'wind', 'day', 'light'] as const;
const counts = { train: 60, test: 12 } as const;

/** Class 0 is of animals, class 1 of the sea; the last two words are in either. */
function documentsOf(split: SplitName): { readonly text: string; readonly label: number; readonly counts: number[] }[] {
  const shift = split === 'train' ? 0 : 5;
  return Array.from({ length: counts[split] }, (_, i) => {
    const label = i % 2;
    const row = words.map((_, word) => {
      const own = word >= 8 || Math.floor(word / 4) === label;
      return own ? (i * 7 + word * 5 + shift) % 4 : (i * 3 + word) % 13 === 0 ? 1 : 0;
    });
    row[4 * label] = (row[4 * label] as number) + 1;
    return { text: row.flatMap((times, word) => new Array(times).fill(words[word])).join(' '), label, counts: row };
  });
}

export const linesOf = (split: SplitName): string =>
  `topic\ttext\n${documentsOf(split)
    .map(({ text, label }) => `${label === 0 ? 'animals' : 'sea'}\t${text}`)
    .join('\n')}\n`;

export function textsOfTopics(): Dataset {
  const open = (split: SplitName) => {
    const own = documentsOf(split);
    const entries = own.flatMap(({ counts }, row) =>
      counts.flatMap((value, column) => (value ? [{ row, column, value }] : [])),
    );
    const matrix = sparseFromTriples(
      {
        rows: Uint32Array.from(entries, ({ row }) => row),
        columns: Uint32Array.from(entries, ({ column }) => column),
        values: Float32Array.from(entries, ({ value }) => value),
      },
      own.length,
      words.length,
    );
    return {
      ...sparseSplit(matrix),
      labels: async () => Int32Array.from(own, ({ label }) => label),
      entries: entries.length,
    };
  };
  const splits = { train: open('train'), test: open('test') };
  const facts = {
    train: { words: 1, entries: splits.train.entries },
    test: { words: 1, entries: splits.test.entries },
  };
  return {
    info: {
      ...{ name: 'texts', hash: '0', shape: [words.length], range: [0, 4], scaling: { divisor: 1 } },
      ...{ rows: counts, documents: facts, classes: 2, classNames: ['animals', 'sea'], warnings: [], builtIn: false },
    },
    documents: {
      ...splits,
      vocabulary: async () => ({ rules: 1, words, documents: words.map(() => 30) }),
      names: async (split) => documentsOf(split).map((_, row) => ({ document: `${split}-${row}` })),
    },
    split: (name) => splits[name],
    close: async () => {},
  };
}
