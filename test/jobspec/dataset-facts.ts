// What is known of the data sets that recipes of ratings, documents and series train on.
import type { DatasetFacts } from '../../src/jobspec/resolve.ts';

const films: DatasetFacts = {
  shape: [1682],
  range: [0, 5],
  rows: { train: 943 },
  ratings: { range: [1, 5], train: 80_000, test: 20_000 },
};
const mails: DatasetFacts = {
  shape: [4000],
  range: [0, 225],
  rows: { train: 5441 },
  classes: 5,
  documents: { train: { entries: 374_614 }, test: { entries: 45_161 } },
};
const beats: DatasetFacts = {
  shape: [140, 1],
  range: [-7.1, 7.4],
  rows: { train: 500 },
  classes: 5,
  classNames: ['1', '2', '3', '4', '5'],
  series: {
    ...{ shortest: 140, longest: 140, train: 70_000, test: 630_000, missing: 0 },
    ...{ means: [0], deviations: [1] },
  },
};
const words: DatasetFacts = {
  shape: [57],
  range: [0, 39],
  rows: { train: 121_378 },
  pairs: {
    ...{ sourceLength: 28, targetLength: 29, sourceSymbols: 29, targetSymbols: 39 },
    sources: { train: 113_442, test: 12_604 },
  },
};
const pictures: DatasetFacts = { shape: [28, 28, 1], range: [0, 1], rows: { train: 60_000 }, classes: 10 };

/** By the data set of a job. */
export function factsOf(dataset: string): DatasetFacts {
  if (dataset.startsWith('movielens')) return films;
  if (dataset === 'ecg5000') return beats;
  if (dataset === 'pronunciation') return words;
  return dataset === 'brown' || dataset === 'spam-assassin' ? mails : pictures;
}
