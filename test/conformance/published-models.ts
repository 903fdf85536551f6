// One model of each kind that only some calls ask, small enough to say by hand what it answers.
import type { RecommenderFacts } from '../../src/base/recommender.ts';
import type { SeriesModelFacts } from '../../src/base/series.ts';
import { TextIndex, textFiles } from '../../src/base/text-index.ts';
import type { Registry } from '../../src/registry/registry.ts';
import { fillingGaps, headed, reversing, spelling } from '../helpers/onnx-models.ts';
import { metaOf, times } from '../serve/serving.ts';

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

export async function publishModels(registry: Registry): Promise<void> {
  await registry.publish('full', {
    files: { ...times(2), ...headed(4, 3) },
    meta: metaOf('job-1', {
      operations: ['encode', 'decode', 'classify', 'generate', 'outliers'],
      classes: ['cat', 'dog', 'owl'],
    }),
  });
  const items = [{ id: 'a', name: 'Alien' }, { id: 'b' }, { id: 'c', name: 'Casablanca' }, { id: 'd' }];
  const facts: RecommenderFacts = { scores: 'ratings', range: [1, 5], items };
  await registry.publish('films', {
    files: { 'recommender.onnx': reversing(4), 'recommender.json': Buffer.from(JSON.stringify(facts)) },
    meta: metaOf('job-3', { operations: ['recommend'] }),
  });
  const index = { codes: 'bits', size: 2 } as const;
  const documents = [
    { document: 'a.txt', class: 'sea' },
    { document: 'b.txt', begins: 'Blue' },
  ];
  await registry.publish('texts', {
    files: {
      ...times(1),
      'vocabulary.json': json({ rules: 1, words: ['ship', 'cat', 'wind', 'dog'], documents: [1, 1, 1, 1] }),
      [textFiles.facts]: json(index),
      [textFiles.codes]: TextIndex.bytesOf('bits', Float32Array.of(1, 0, 1, 1), 2),
      [textFiles.names]: json(documents),
    },
    meta: metaOf('job-4', { operations: ['encode', 'decode', 'analyse'] }),
  });
  // Rows of two time steps and two channels, of which the model keeps the first step.
  const deviations = [1, 2];
  const seriesFacts: SeriesModelFacts = {
    ...{ steps: 2, channels: 2, deviations, forecasts: true, threshold: 1 },
    calibration: { rows: 9, quantiles: [0, 1, 2] },
  };
  await registry.publish('waves', {
    files: { ...fillingGaps(4, 2), 'series.json': json(seriesFacts) },
    meta: metaOf('job-5', { operations: ['encode', 'series'], inputShape: [2, 2] }),
  });
  const symbols = {
    source: { units: 'characters', symbols: ['a', 'b'] },
    target: { units: 'words', symbols: ['X', 'Y', 'Z'] },
  };
  await registry.publish('words', {
    files: { 'translator.onnx': spelling(4), 'symbols.json': json(symbols) },
    meta: metaOf('job-6', { operations: ['translate'], inputShape: [4], translates: { beams: 2, symbols: 4 } }),
  });
  await registry.publish('plain', { files: { ...times(2) }, meta: metaOf('job-2') });
}
