/** From what a person has rated to ranked items and predicted ratings, for every transport. */

import type { Caller } from '../base/caller.ts';
import { HourglassError } from '../base/errors.ts';
import { float32 } from '../base/ndarray.ts';
import { bestOf, type RecommenderFacts, recommenderFile } from '../base/recommender.ts';
import type { Registry } from '../registry/registry.ts';
import { LruMemo } from './lru-memo.ts';
import type { Demand, Predictor } from './predictor.ts';

export interface GivenRating {
  /** as the data set calls it */
  readonly item: string;
  /** absent: the highest of the data set */
  readonly rating?: number | undefined;
}

export interface RecommendRequest {
  readonly model?: string | undefined;
  /** of one person; without any the answer is what suits everybody */
  readonly ratings: readonly GivenRating[];
  /** items to recommend; default 10 */
  readonly count?: number | undefined;
  /** also recommend what the person has rated */
  readonly includeSeen?: boolean | undefined;
  /** items whose scores are wanted, recommended or not */
  readonly items?: readonly string[] | undefined;
  readonly demand?: Demand;
}

export interface ScoredItem {
  readonly item: string;
  readonly name?: string;
  readonly score: number;
}

export interface Recommendation {
  readonly model: string;
  readonly version: number;
  readonly scores: RecommenderFacts['scores'];
  /** the best first */
  readonly recommended: readonly ScoredItem[];
  /** of the items that were asked for, in their order */
  readonly asked: readonly ScoredItem[];
  /** rated or asked-for items that the model does not know */
  readonly unknown: readonly string[];
}

interface Catalogue extends RecommenderFacts {
  readonly numbers: ReadonlyMap<string, number>;
}

const cataloguesKept = 20;
const defaultCount = 10;

export class RecommendationService {
  readonly #registry: Registry;
  readonly #predictor: Predictor;
  /** by `films@2` */
  readonly #catalogues = new LruMemo<Catalogue>(cataloguesKept);

  constructor({ registry, predictor }: { readonly registry: Registry; readonly predictor: Predictor }) {
    this.#registry = registry;
    this.#predictor = predictor;
  }

  /**
   * Throws what `Predictor.predict` throws: `operation-not-supported` for a model that does not recommend; and `invalid-request`
   * for a rating outside of the data set's range.
   */
  async recommend(caller: Caller, request: RecommendRequest): Promise<Recommendation> {
    const { ratings, count = defaultCount, includeSeen = false, items = [], demand } = request;
    const target = await this.#predictor.resolve(caller, 'recommend', request.model);
    const reference = `${target.model}@${target.version}`;
    const catalogue = await this.#catalogues.get(reference, () => this.#read(reference));
    const row = new Float32Array(catalogue.items.length);
    const unknown: string[] = [];
    for (const [i, { item, rating = catalogue.range[1] }] of ratings.entries()) {
      checkRating(rating, catalogue, i);
      const number = catalogue.numbers.get(item);
      if (number === undefined) unknown.push(item);
      else row[number] = rating;
    }
    const { outputs, model, version } = await this.#predictor.predict(caller, {
      operation: 'recommend',
      model: reference,
      inputs: float32([1, row.length], row),
      ...(demand && { demand }),
    });
    const scored = (number: number): ScoredItem => {
      const { id, name } = catalogue.items[number] ?? { id: String(number) };
      return { item: id, ...(name !== undefined && { name }), score: outputs.data[number] as number };
    };
    const asked: ScoredItem[] = [];
    for (const item of items) {
      const number = catalogue.numbers.get(item);
      if (number === undefined) unknown.push(item);
      else asked.push(scored(number));
    }
    const best = bestOf(outputs.data, count, (number) => !includeSeen && row[number] !== 0);
    return { model, version, scores: catalogue.scores, recommended: best.map(scored), asked, unknown };
  }

  async #read(reference: string): Promise<Catalogue> {
    const manifest = await this.#registry.resolve(reference);
    const bytes = await this.#registry.readFile(manifest, recommenderFile);
    const facts = JSON.parse(Buffer.from(bytes).toString()) as RecommenderFacts;
    return { ...facts, numbers: new Map(facts.items.map(({ id }, number) => [id, number])) };
  }
}

function checkRating(rating: number, { range: [low, high] }: RecommenderFacts, i: number): void {
  if (rating >= low && rating <= high) return;
  throw new HourglassError(
    'invalid-request',
    `Rating ${i} is ${rating}, but the ratings that the model was trained on go from ${low} to ${high}. Send ratings on the same scale, or leave the rating out for an item that is liked.`,
    { field: `/ratings/${i}/rating`, expected: [low, high], found: String(rating) },
  );
}
