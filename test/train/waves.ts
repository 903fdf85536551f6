// Waves of one period in two classes, of different lengths and with gaps: as lines to upload and as an open data set of series.
import type { Dataset, Split, SplitName } from '../../src/data/dataset.ts';

export const period = 8;
export const longest = 24;
const counts = { train: 80, test: 24 } as const;

/** Class `wave` goes up and down; class `jump` has three steps in the middle that do not belong there. */
function wavesOf(split: SplitName): { readonly values: (number | null)[]; readonly label: 'wave' | 'jump' }[] {
  const shift = split === 'train' ? 0 : 1.1;
  return Array.from({ length: counts[split] }, (_, i) => {
    const label = i % 4 === 3 ? 'jump' : 'wave';
    const steps = longest - (i % 3) * 2;
    const height = 1 + (i % 5) / 4;
    const values = Array.from({ length: steps }, (_, t) => {
      if (i % 7 === 0 && t === 5) return null;
      const odd = label === 'jump' && t >= 9 && t < 12;
      return 10 + height * Math.sin((2 * Math.PI * t) / period + 2.4 * i + shift) + (odd ? 4 : 0);
    });
    return { values, label };
  });
}

/** JSON Lines. */
export const waveLines = (split: SplitName): string =>
  `${wavesOf(split)
    .map((wave) => JSON.stringify(wave))
    .join('\n')}\n`;

export function waves(): Dataset {
  const classNames = ['jump', 'wave'];
  const open = (split: SplitName): Split => {
    const own = wavesOf(split);
    const write = (row: number, out: Float32Array, at: number): void => {
      for (let t = 0; t < longest; t++) out[at + t] = own[row]?.values[t] ?? Number.NaN;
    };
    return {
      ...{ length: own.length, inMemory: true, storedBytes: 4 * own.length * longest, rowSize: longest },
      async readRange(start, end, out) {
        for (let row = start; row < end; row++) write(row, out, (row - start) * longest);
      },
      async readRows(rows, out) {
        for (const [i, row] of rows.entries()) write(row, out, i * longest);
      },
      labels: async () => Int32Array.from(own, ({ label }) => classNames.indexOf(label)),
    };
  };
  const splits = { train: open('train'), test: open('test') };
  const observed = wavesOf('train').flatMap(({ values }) => values.filter((value) => value !== null));
  const mean = observed.reduce((sum, value) => sum + value, 0) / observed.length;
  const variance = observed.reduce((sum, value) => sum + (value - mean) ** 2, 0) / observed.length;
  return {
    info: {
      ...{ name: 'waves', hash: '0', shape: [longest, 1], range: [7, 16], scaling: { divisor: 1 }, rows: counts },
      ...{ classes: 2, classNames, warnings: [], builtIn: false },
      series: {
        ...{ shortest: longest - 4, longest, train: observed.length, test: 500, missing: 16 },
        ...{ means: [mean], deviations: [Math.sqrt(variance)] },
      },
    },
    split: (name) => splits[name],
    close: async () => {},
  };
}
