/** The report of a trained version, as it is stored in report.json. Figures are of test rows, which no training saw. */

import { type Static, Type } from 'typebox';
import { Corruption } from '../jobspec/model.ts';

export const reportSchemaVersion = 1;

/** How near answers are to the rows that they should equal; `src/report/scores.ts` defines each figure. */
export const Scores = Type.Object({
  mse: Type.Number({ description: 'mean squared error of one value' }),
  sse: Type.Number({ description: 'squared error summed over the values of a row, mean over rows' }),
  psnr: Type.Number({ description: 'dB, mean over rows of the PSNR of each' }),
  psnrOfMean: Type.Number({ description: 'dB, PSNR of the mean squared error' }),
  bce: Type.Optional(Type.Number({ description: 'cross-entropy in nats per value; only where the data is in [0, 1]' })),
});
export type Scores = Static<typeof Scores>;

const count = Type.Integer({ minimum: 0 });

export const Baseline = Type.Object(
  {
    components: count,
    fittedRows: Type.Integer({ minimum: 1, description: 'training rows that it was fitted on' }),
    explainedVariance: Type.Number({ description: 'share of the training rows’ variance that the components hold' }),
  },
  { description: 'principal component analysis with as many components as the code has units' },
);

/** What frames of a row cost, from coarse to fine, on rows that were held out from training. */
export const FrameCost = Type.Object({
  bytesPerRow: Type.Number({ description: 'payload in a batch; a frame of one row adds five bytes' }),
  psnr: Type.Number({ description: 'dB, of the mean error' }),
});

export const Origin = Type.Object({
  jobId: Type.String(),
  createdAt: Type.String({ format: 'date-time' }),
  hourglass: Type.String({ description: 'release that trained it' }),
  seconds: Type.Optional(Type.Number({ description: 'that the training took' })),
});

/** Means over the same test pictures. */
export const FileRate = Type.Object({
  bytes: Type.Number({ description: 'of a file' }),
  psnr: Type.Number({ description: 'dB, of the mean error' }),
});

export const FileRates = Type.Object(
  {
    pictures: Type.Integer({ minimum: 1, description: 'test pictures that were written as files, the first ones' }),
    png: Type.Number({ description: 'bytes of a lossless PNG' }),
    webp: Type.Array(FileRate, { description: 'from coarse to fine' }),
    jpeg: Type.Array(FileRate, { description: 'from coarse to fine, by mozjpeg' }),
    webpAsGood: Type.Optional(FileRate),
  },
  { description: 'what test pictures take as files; webpAsGood: at the PSNR of the finest frames, or just above' },
);

export const ClassScore = Type.Object({
  name: Type.String(),
  rows: count,
  psnr: Type.Number({ description: 'dB, mean over its rows' }),
});

/** Answers of the model and of PCA to the same inputs, scored against the same clean rows. */
const answers = {
  model: Scores,
  pca: Type.Optional(Scores),
  pcaClipped: Type.Optional(Scores),
};

/** Measured on the held-out ratings of each person, from the person's other ratings. */
export const RankingScores = Type.Object({
  recall20: Type.Number({
    description:
      'held-out items among the first 20 of those not seen, of all held out (of 20, where more are); mean over people',
  }),
  ndcg100: Type.Number({
    description: 'gain of the first 100 discounted by log₂ of the place + 1, of the best possible',
  }),
});
export type RankingScores = Static<typeof RankingScores>;
export const RatingScores = Type.Object({
  rmse: Type.Number({ description: 'root of the mean squared error of a rating' }),
  mae: Type.Number({ description: 'mean absolute error of a rating' }),
});
export type RatingScores = Static<typeof RatingScores>;

const shownItem = Type.Object({ item: Type.String(), name: Type.Optional(Type.String()), score: Type.Number() });
export const Recommendation = Type.Object({
  people: Type.Integer({ minimum: 0, description: 'with held-out ratings' }),
  ratings: Type.Integer({ minimum: 0, description: 'held out' }),
  positive: Type.Number({ description: 'held-out ratings from here on count as liked when a ranking is scored' }),
  ranking: Type.Object({
    model: RankingScores,
    popularity: RankingScores,
    /** absent where there are too many items, and for models of this type */
    ease: Type.Optional(RankingScores),
  }),
  /** of models whose scores are ratings */
  rating: Type.Optional(Type.Object({ model: RatingScores, biases: RatingScores })),
  examples: Type.Array(
    Type.Object({
      liked: Type.Array(shownItem, { description: 'rated highest by a person, of the ratings trained on' }),
      recommended: Type.Array(Type.Object({ ...shownItem.properties, hit: Type.Boolean() })),
    }),
  ),
});
export type Recommendation = Static<typeof Recommendation>;

const shownDocument = Type.Object({
  document: Type.String(),
  begins: Type.Optional(Type.String()),
  class: Type.Optional(Type.String()),
});
/** Of a model of documents, on test documents. */
export const DocumentScores = Type.Object({
  codes: Type.Enum(['topics', 'bits']),
  perplexity: Type.Optional(
    Type.Number({ description: 'of a word; by the evidence bound, or of bits given the code' }),
  ),
  npmi: Type.Optional(
    Type.Number({
      description: 'coherence of the first ten words of a topic over training documents, mean over topics',
    }),
  ),
  diversity: Type.Optional(Type.Number({ description: 'different words among the first ten of all topics' })),
  /** where documents have classes: share of the nearest training documents that are of the same class */
  neighbours: Type.Optional(
    Type.Object({
      counted: Type.Integer({ description: 'nearest documents of each' }),
      documents: Type.Integer({ description: 'test documents' }),
      model: Type.Number(),
      tfidf: Type.Number(),
      lsa: Type.Number({ description: 'of as many dimensions as the code has' }),
      chance: Type.Number(),
    }),
  ),
  topics: Type.Array(
    Type.Object({
      npmi: Type.Number(),
      share: Type.Number({ description: 'of all training documents' }),
      words: Type.Array(Type.String(), { description: 'the most probable first' }),
    }),
  ),
  examples: Type.Array(
    Type.Object({
      document: shownDocument,
      nearest: Type.Array(Type.Object({ ...shownDocument.properties, similarity: Type.Number() })),
    }),
  ),
});
export type DocumentScores = Static<typeof DocumentScores>;

export const AnomalyScores = Type.Object({
  precision: Type.Number({ description: 'share of those called anomalous that are' }),
  recall: Type.Number({ description: 'share of the anomalous ones that are called so' }),
  f1: Type.Number({ description: 'harmonic mean of both' }),
  falseAlarms: Type.Number({ description: 'share of the ordinary ones that are called anomalous' }),
  auroc: Type.Number({ description: 'how often an anomalous one scores higher than an ordinary one' }),
});

const shownStep = Type.Union([Type.Number(), Type.Null()]);
/** Of a model of series, on test series. Errors are in standard deviations of a channel. */
export const SeriesScores = Type.Object({
  rmse: Type.Object({
    model: Type.Number(),
    mean: Type.Number({ description: 'of the mean series of the training' }),
    pca: Type.Optional(Type.Number({ description: 'of as many components as the code has numbers' })),
  }),
  forecast: Type.Optional(
    Type.Object({
      share: Type.Number({ description: 'of each series, at its end, that was foretold from what is before' }),
      season: Type.Integer({ minimum: 0, description: 'time steps after which series repeat; 0: not found' }),
      model: Type.Number(),
      lastValue: Type.Number(),
      seasonal: Type.Number({ description: 'the value one season before; the last one where there is no season' }),
      mean: Type.Number({ description: 'of the mean series of the training' }),
    }),
  ),
  threshold: Type.Number({ description: 'score above which a series is called anomalous' }),
  calibrated: Type.Integer({ description: 'ordinary series that the threshold was set on' }),
  /** where the job says which classes are ordinary */
  anomalies: Type.Optional(
    Type.Object({
      ordinary: count,
      anomalous: count,
      model: AnomalyScores,
      pca: Type.Optional(AnomalyScores),
      classes: Type.Array(Type.Object({ name: Type.String(), series: count, flagged: count })),
      /** how the scores lie: equal steps of their logarithm */
      histogram: Type.Object({
        from: Type.Number(),
        to: Type.Number(),
        ordinary: Type.Array(count),
        anomalous: Type.Array(count),
      }),
    }),
  ),
  examples: Type.Array(
    Type.Object({
      what: Type.String(),
      score: Type.Number(),
      values: Type.Array(shownStep, { description: 'of the first channel' }),
      model: Type.Array(Type.Number()),
      seen: Type.Integer({ description: 'time steps that the model was shown' }),
    }),
  ),
});
export type SeriesScores = Static<typeof SeriesScores>;

/** Of a model of pairs, on test sources. */
export const TranslationScores = Type.Object({
  sources: count,
  sequenceErrors: Type.Number({ description: 'share of the sources whose most probable target is not right' }),
  bestErrors: Type.Number({ description: 'share of the sources for which no target that is followed is right' }),
  symbolErrors: Type.Number({ description: 'edits to the nearest right target, of its symbols' }),
  lengths: Type.Array(Type.Object({ length: count, sources: count, wrong: count })),
  confusions: Type.Array(Type.Object({ right: Type.String(), answered: Type.String(), count })),
  examples: Type.Array(Type.Object({ source: Type.String(), target: Type.String(), right: Type.Array(Type.String()) })),
});
export type TranslationScores = Static<typeof TranslationScores>;

export const Report = Type.Object({
  schema: Type.Literal(reportSchemaVersion),
  model: Type.Object({
    name: Type.String(),
    type: Type.String(),
    codeShape: Type.Array(count),
    parameters: Type.Optional(count),
  }),
  dataset: Type.Object({
    name: Type.String(),
    hash: Type.String(),
    shape: Type.Array(count),
    trainRows: count,
    testRows: Type.Integer({ minimum: 0, description: 'rows that the figures are of' }),
  }),
  seed: Type.Integer(),
  origin: Type.Optional(Origin),
  frames: Type.Optional(Type.Array(FrameCost)),
  rates: Type.Optional(FileRates),
  /** reconstruction of the test rows of each class, where rows are labelled */
  classes: Type.Optional(Type.Array(ClassScore)),
  /** codes of the first test rows, in a plane */
  map: Type.Optional(
    Type.Object({
      points: Type.Array(Type.Tuple([Type.Number(), Type.Number()])),
      labels: Type.Optional(Type.Array(Type.Integer())),
      share: Type.Number({
        description: 'of the variance of the codes that the plane holds; 1 for codes of two numbers',
      }),
    }),
  ),
  /** scores of held-out rows by which new rows are judged */
  outliers: Type.Optional(Type.Object({ rows: count, quantiles: Type.Array(Type.Number()) })),
  /** sentences about what could not be measured and why */
  notes: Type.Array(Type.String()),
  epochs: Type.Array(
    Type.Object({ phase: Type.String(), epoch: count, metrics: Type.Record(Type.String(), Type.Number()) }),
  ),
  baseline: Type.Optional(Baseline),
  /** of clean rows */
  reconstruction: Type.Optional(Type.Object(answers)),
  /** of rows with fresh noise; `input` scores the noisy rows themselves */
  denoising: Type.Optional(Type.Object({ corruption: Corruption, input: Scores, ...answers })),
  /** of a model of ratings, on held-out ratings of people who were trained on */
  recommendation: Type.Optional(Recommendation),
  documents: Type.Optional(DocumentScores),
  series: Type.Optional(SeriesScores),
  translation: Type.Optional(TranslationScores),
  pictures: Type.Optional(
    Type.Object({ file: Type.String(), rows: Type.Array(Type.String(), { description: 'what each row shows' }) }),
  ),
  /** rows that come back best, around the median, and worst: a third of the columns each */
  extremes: Type.Optional(
    Type.Object({ file: Type.String(), rows: Type.Array(Type.String(), { description: 'what each row shows' }) }),
  ),
});
export type Report = Static<typeof Report>;

/** The figures by the names under which a version's manifest and a finished job show them. */
export function metricsOf(report: Report): Record<string, number> {
  const metrics: Record<string, number> = {};
  const put = (
    prefix: string,
    scores: Scores | RankingScores | RatingScores | Static<typeof AnomalyScores> | undefined,
  ) => {
    for (const [name, value] of Object.entries(scores ?? {})) metrics[`${prefix}.${name}`] = value;
  };
  put('test', report.reconstruction?.model);
  put('test.pca', report.reconstruction?.pca);
  put('test.pcaClipped', report.reconstruction?.pcaClipped);
  put('test.noisy', report.denoising?.input);
  put('test.denoised', report.denoising?.model);
  put('test.pcaDenoised', report.denoising?.pca);
  put('test', report.recommendation?.rating?.model);
  put('test.biases', report.recommendation?.rating?.biases);
  put('test', report.recommendation?.ranking.model);
  put('test.popularity', report.recommendation?.ranking.popularity);
  put('test.ease', report.recommendation?.ranking.ease);
  const { perplexity, npmi, diversity, neighbours } = report.documents ?? {};
  const documents = {
    'test.perplexity': perplexity,
    ...{ 'topics.npmi': npmi, 'topics.diversity': diversity },
    ...{ 'test.precision10': neighbours?.model, 'test.tfidf.precision10': neighbours?.tfidf },
    ...{ 'test.lsa.precision10': neighbours?.lsa, 'test.chance.precision10': neighbours?.chance },
  };
  const { rmse, forecast, anomalies } = report.series ?? {};
  const series = {
    ...{ 'test.seriesRmse': rmse?.model, 'test.mean.seriesRmse': rmse?.mean, 'test.pca.seriesRmse': rmse?.pca },
    ...{ 'test.forecastRmse': forecast?.model, 'test.mean.forecastRmse': forecast?.mean },
    ...{ 'test.lastValue.forecastRmse': forecast?.lastValue, 'test.seasonal.forecastRmse': forecast?.seasonal },
  };
  const { sequenceErrors, bestErrors, symbolErrors } = report.translation ?? {};
  const translation = { 'test.wer': sequenceErrors, 'test.best.wer': bestErrors, 'test.per': symbolErrors };
  put('test', anomalies?.model);
  put('test.pca', anomalies?.pca);
  for (const [name, value] of Object.entries({ ...documents, ...series, ...translation }))
    if (value !== undefined) metrics[name] = value;
  return metrics;
}
