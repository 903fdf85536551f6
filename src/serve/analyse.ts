/** From texts to topics or bits, and the documents nearest to them, for every transport. */

import type { Caller } from '../base/caller.ts';
import { HourglassError } from '../base/errors.ts';
import { float32 } from '../base/ndarray.ts';
import { bestOf } from '../base/recommender.ts';
import { type IndexedDocument, packBits, type TextFacts, TextIndex, textFiles } from '../base/text-index.ts';
import { type CountedText, countWords, numbersOf, type Vocabulary, vocabularyFile } from '../base/words.ts';
import type { Registry } from '../registry/registry.ts';
import { LruMemo } from './lru-memo.ts';
import type { Demand, Predictor } from './predictor.ts';

export interface AnalyseRequest {
  readonly model?: string | undefined;
  readonly texts: readonly string[];
  /** documents to find for each; default 10 */
  readonly nearest?: number | undefined;
  /** words of each topic, and words expected in each text; default 10 */
  readonly words?: number | undefined;
  readonly demand?: Demand;
}

export interface NearDocument extends IndexedDocument {
  /** 1 is the same code */
  readonly similarity: number;
}

export interface AnalysedText {
  /** words that are in the vocabulary, with repetitions, and that are not */
  readonly known: number;
  readonly unknown: number;
  /** of a model of topics: those with the largest shares, which come first */
  readonly topics?: readonly { readonly topic: number; readonly share: number; readonly words: readonly string[] }[];
  /** of a model of bits, the first bit lowest in the first byte */
  readonly code?: Uint8Array;
  /** the most probable words by the code */
  readonly expected: readonly { readonly word: string; readonly probability: number }[];
  readonly nearest: readonly NearDocument[];
}

export interface Analysis {
  readonly model: string;
  readonly version: number;
  readonly codes: TextFacts['codes'];
  readonly texts: readonly AnalysedText[];
}

/** The limits of REST's schema. */
export const analyseLimits = { texts: 64, nearest: 100, words: 100 } as const;

interface Library {
  readonly facts: TextFacts;
  readonly vocabulary: Vocabulary;
  readonly numbers: ReadonlyMap<string, number>;
  readonly index: TextIndex;
  readonly names: readonly IndexedDocument[];
}

const librariesKept = 10;
const [defaultNearest, defaultWords, topicsShown] = [10, 10, 10];

export class AnalysisService {
  readonly #registry: Registry;
  readonly #predictor: Predictor;
  /** by `mails@2` */
  readonly #libraries = new LruMemo<Library>(librariesKept);

  constructor({ registry, predictor }: { readonly registry: Registry; readonly predictor: Predictor }) {
    this.#registry = registry;
    this.#predictor = predictor;
  }

  /** Throws what `Predictor.predict` throws: `operation-not-supported` for a model that is not of documents, `empty-batch`. */
  async analyse(caller: Caller, request: AnalyseRequest): Promise<Analysis> {
    const { texts, nearest = defaultNearest, words = defaultWords, demand } = request;
    const target = await this.#predictor.resolve(caller, 'analyse', request.model);
    const model = `${target.model}@${target.version}`;
    const library = await this.#libraries.get(model, () => this.#read(model));
    const counted = texts.map((text) => countWords(text, library.numbers));
    const size = library.vocabulary.words.length;
    const x = new Float32Array(texts.length * size);
    for (const [i, { counts }] of counted.entries()) x.set(counts, i * size);
    const more = demand && { demand };
    const { outputs: codes, version } = await this.#predictor.predict(caller, {
      ...{ operation: 'analyse', model, inputs: float32([texts.length, size], x) },
      ...more,
    });
    const { outputs: expected } = await this.#predictor.predict(caller, {
      ...{ operation: 'decode', model, inputs: float32([texts.length, library.facts.size], codes.data) },
      ...more,
    });
    return {
      ...{ model: target.model, version, codes: library.facts.codes },
      texts: counted.map((text, i) =>
        answerOf(library, text, {
          code: codes.data.subarray(i * library.facts.size, (i + 1) * library.facts.size),
          expected: expected.data.subarray(i * size, (i + 1) * size),
          nearest,
          words,
        }),
      ),
    };
  }

  async #read(reference: string): Promise<Library> {
    const manifest = await this.#registry.resolve(reference);
    const file = (name: string): Promise<Uint8Array> => this.#registry.readFile(manifest, name);
    const json = async <T>(name: string): Promise<T> => JSON.parse(Buffer.from(await file(name)).toString()) as T;
    const vocabulary = await json<Vocabulary>(vocabularyFile);
    const facts = await json<TextFacts>(textFiles.facts);
    return {
      ...{ facts, vocabulary, numbers: numbersOf(vocabulary) },
      index: new TextIndex(facts, await file(textFiles.codes)),
      names: await json<IndexedDocument[]>(textFiles.names),
    };
  }
}

interface Found {
  readonly code: Float32Array;
  /** probability of each word */
  readonly expected: Float32Array;
  readonly nearest: number;
  readonly words: number;
}

function answerOf(library: Library, { known, unknown }: CountedText, found: Found): AnalysedText {
  const { facts, vocabulary, index, names } = library;
  const { code, expected, nearest, words } = found;
  const { topics = [] } = facts;
  const best = (values: Float32Array, count: number): number[] => bestOf(values, count, () => false);
  return {
    ...{ known, unknown },
    ...(facts.codes === 'topics'
      ? {
          topics: best(code, topicsShown).map((topic) => ({
            ...{ topic, share: code[topic] as number },
            words: topics[topic]?.slice(0, words) ?? [],
          })),
        }
      : { code: packBits(code) }),
    expected: best(expected, words).map((word) => ({
      word: vocabulary.words[word] as string,
      probability: expected[word] as number,
    })),
    nearest: index
      .nearest(code, nearest)
      .map(({ row, similarity }) => ({ ...(names[row] as IndexedDocument), similarity })),
  };
}

/** Throws `invalid-request` for more than is allowed, for transports whose schemas do not say it. */
export function checkAnalysis(found: Readonly<Record<keyof typeof analyseLimits, number>>): void {
  for (const [field, most] of Object.entries(analyseLimits) as [keyof typeof analyseLimits, number][]) {
    if (found[field] <= most) continue;
    throw new HourglassError('invalid-request', `"${field}" is ${found[field]}; at most ${most} are allowed.`, {
      field: `/${field}`,
      expected: most,
      found: found[field],
    });
  }
}
