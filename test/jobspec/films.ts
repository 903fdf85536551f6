// What is known of the data sets that recipes of ratings train on.
import type { DatasetFacts } from '../../src/jobspec/resolve.ts';

export const films: DatasetFacts = {
  shape: [1682],
  range: [0, 5],
  rows: { train: 943 },
  ratings: { range: [1, 5], train: 80_000, test: 20_000 },
};
