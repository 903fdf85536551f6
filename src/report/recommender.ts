/**
 * Evaluates a model of ratings: what it says of a person's held-out ratings, seeing the person's other ratings, beside baselines.
 *
 *   ratings kept ─┬─► recommender.onnx ─► scores ┐
 *                 ├─► popularity, EASE ─► scores ├─► recall, NDCG; RMSE; report.json, report.html
 *                 └─► biases ───────────► ratings ┘
 */

import { easeWeights } from '../base/ease.ts';
import { float32, type Shape } from '../base/ndarray.ts';
import { bestOf, type RecommenderFacts } from '../base/recommender.ts';
import { entriesOf, filterSparse, type SparseMatrix, scatterRow } from '../base/sparse.ts';
import type { DatasetInfo, Ratings } from '../data/dataset.ts';
import {
  metricsOf,
  type RankingScores,
  type RatingScores,
  type Recommendation,
  type Report,
  reportSchemaVersion,
} from '../figures/report.ts';
import { Session } from '../runtime/session.ts';
import { fitBiases } from './biases.ts';
import type { Evaluation, EvaluationFacts } from './evaluation.ts';
import { reportHtml } from './html.ts';

export interface RecommenderEvaluation extends EvaluationFacts {
  readonly info: DatasetInfo;
  readonly ratings: Ratings;
  readonly facts: RecommenderFacts;
  /** recommender.onnx */
  readonly recommender: Uint8Array;
  readonly codeShape: Shape;
  readonly parameters: number;
}

const batch = 128;
const examplesShown = 5;
/** EASE is fitted for comparison up to so many items: seconds, where its cube would be minutes */
const mostBaselineItems = 2500;
const baselineRegularisation = 200;

export async function evaluateRecommender(options: RecommenderEvaluation): Promise<Evaluation> {
  const { spec, info, epochs, parameters, origin, codeShape } = options;
  const recommendation = await measure(options);
  const report: Report = {
    schema: reportSchemaVersion,
    model: { name: spec.name, type: spec.model.type, codeShape: [...codeShape], parameters },
    dataset: {
      ...{ name: info.name, hash: info.hash, shape: [...info.shape] },
      ...{ trainRows: info.rows.train, testRows: recommendation.people },
    },
    seed: spec.training.seed,
    ...(origin && { origin }),
    notes: recommendation.ratings === 0 ? ['The data set has no held-out ratings, so nothing could be measured.'] : [],
    epochs: epochs.map(({ phase, epoch, metrics }) => ({ phase, epoch, metrics: { ...metrics } })),
    ...(recommendation.ratings > 0 && { recommendation }),
  };
  return {
    report,
    metrics: metricsOf(report),
    files: {
      'report.json': Buffer.from(`${JSON.stringify(report, null, 2)}\n`),
      'report.html': Buffer.from(reportHtml(report, spec)),
    },
  };
}

async function measure(options: RecommenderEvaluation): Promise<Recommendation> {
  const { spec, ratings, facts, recommender, threads, signal } = options;
  const [train, test] = [await ratings.train.matrix(), await ratings.test.matrix()];
  const positive = 'positive' in spec.model ? spec.model.positive : 0;
  const isLiked = (value: number): boolean => value >= positive;
  const liked = filterSparse(train, (entry) => isLiked(train.values[entry] as number));
  const relevant = filterSparse(test, (entry) => isLiked(test.values[entry] as number));
  const popular = new Float32Array(train.columns);
  for (const item of liked.indices) popular[item] = (popular[item] as number) + 1;
  const comparesEase = spec.model.type !== 'ease' && train.columns <= mostBaselineItems;
  const ease = comparesEase ? easeWeights(liked, baselineRegularisation, () => signal?.throwIfAborted()) : undefined;
  const biases = facts.scores === 'ratings' ? fitBiases(train) : undefined;
  const keepers = { model: new RankingKeeper(), popularity: new RankingKeeper(), ease: new RankingKeeper() };
  const errors = { model: new RatingKeeper(), biases: new RatingKeeper() };
  const examples: Recommendation['examples'] = [];
  const session = Session.create(recommender, { threads });
  try {
    for (let start = 0; start < train.rows; start += batch) {
      await new Promise(setImmediate);
      signal?.throwIfAborted();
      const end = Math.min(start + batch, train.rows);
      const x = new Float32Array((end - start) * train.columns);
      for (let person = start; person < end; person++) scatterRow(train, person, x, (person - start) * train.columns);
      const [answer] = Object.values(session.runSync({ x: float32([end - start, train.columns], x) }));
      const all = answer?.data as Float32Array;
      for (let person = start; person < end; person++) {
        const at = (person - start) * train.columns;
        const scores = all.subarray(at, at + train.columns);
        const seen = new Set(rowOf(train, person));
        const wanted = new Set(rowOf(relevant, person));
        for (
          let entry = test.starts[person] as number;
          biases && entry < (test.starts[person + 1] as number);
          entry++
        ) {
          const [item, value] = [test.indices[entry] as number, test.values[entry] as number];
          errors.model.add(scores[item] as number, value);
          errors.biases.add(biases(person, item), value);
        }
        if (wanted.size === 0) continue;
        const best = keepers.model.add(scores, seen, wanted);
        keepers.popularity.add(popular, seen, wanted);
        if (ease) keepers.ease.add(scoreByEase(ease, rowOf(liked, person), train.columns), seen, wanted);
        if (examples.length < examplesShown) examples.push(exampleOf({ train, person, best, scores, wanted, facts }));
      }
    }
  } finally {
    session.dispose();
  }
  return {
    people: keepers.model.people,
    ratings: entriesOf(test),
    positive,
    ranking: {
      model: keepers.model.scores(),
      popularity: keepers.popularity.scores(),
      ...(ease && { ease: keepers.ease.scores() }),
    },
    ...(biases && entriesOf(test) > 0 && { rating: { model: errors.model.scores(), biases: errors.biases.scores() } }),
    examples,
  };
}

const rowOf = ({ indices, starts }: SparseMatrix, row: number): Uint32Array =>
  indices.subarray(starts[row], starts[row + 1]);

function scoreByEase(weights: Float32Array, own: Uint32Array, items: number): Float32Array {
  const scores = new Float32Array(items);
  for (const item of own) {
    const at = item * items;
    for (let i = 0; i < items; i++) scores[i] = (scores[i] as number) + (weights[at + i] as number);
  }
  return scores;
}

class RankingKeeper {
  people = 0;
  #recall = 0;
  #gain = 0;

  /** The answer is the first 100 items that were not seen. */
  add(scores: Float32Array, seen: ReadonlySet<number>, wanted: ReadonlySet<number>): number[] {
    const best = bestOf(scores, 100, (item) => seen.has(item));
    let [hits, gain, possible] = [0, 0, 0];
    for (let place = 0; place < 100; place++) {
      const worth = 1 / Math.log2(place + 2);
      if (place < wanted.size) possible += worth;
      if (!wanted.has(best[place] as number)) continue;
      gain += worth;
      if (place < 20) hits++;
    }
    this.people++;
    this.#recall += hits / Math.min(20, wanted.size);
    this.#gain += gain / possible;
    return best;
  }

  scores(): RankingScores {
    const people = Math.max(1, this.people);
    return { recall20: this.#recall / people, ndcg100: this.#gain / people };
  }
}

class RatingKeeper {
  #count = 0;
  #squares = 0;
  #absolutes = 0;

  add(predicted: number, given: number): void {
    this.#count++;
    this.#squares += (predicted - given) ** 2;
    this.#absolutes += Math.abs(predicted - given);
  }

  scores(): RatingScores {
    return { rmse: Math.sqrt(this.#squares / this.#count), mae: this.#absolutes / this.#count };
  }
}

interface ExampleParts {
  readonly train: SparseMatrix;
  readonly person: number;
  readonly best: readonly number[];
  readonly scores: Float32Array;
  readonly wanted: ReadonlySet<number>;
  readonly facts: RecommenderFacts;
}

function exampleOf({ train, person, best, scores, wanted, facts }: ExampleParts): Recommendation['examples'][number] {
  const named = (number: number) => {
    const { id, name } = facts.items[number] ?? { id: String(number) };
    return { item: id, ...(name !== undefined && { name }) };
  };
  const own = [...rowOf(train, person)].map((item, i) => ({
    item,
    rating: train.values[(train.starts[person] as number) + i] as number,
  }));
  own.sort((a, b) => b.rating - a.rating);
  return {
    liked: own.slice(0, 5).map(({ item, rating }) => ({ ...named(item), score: rating })),
    recommended: best
      .slice(0, 5)
      .map((item) => ({ ...named(item), score: scores[item] as number, hit: wanted.has(item) })),
  };
}
