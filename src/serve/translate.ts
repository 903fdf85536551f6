/** From sources to the most probable targets, for every transport. */

import type { Caller } from '../base/caller.ts';
import { HourglassError } from '../base/errors.ts';
import { float32 } from '../base/ndarray.ts';
import { type SymbolTable, type SymbolTables, symbolsFile, symbolsOf, textOf } from '../base/symbols.ts';
import type { Registry } from '../registry/registry.ts';
import { LruMemo } from './lru-memo.ts';
import type { Demand, Predictor } from './predictor.ts';

export interface TranslateRequest {
  readonly model?: string | undefined;
  readonly sources: readonly string[];
  /** targets of each, at most as many as the model follows; default 1 */
  readonly best?: number | undefined;
  readonly demand?: Demand;
}

export interface TranslatedTarget {
  readonly target: string;
  /** of the whole target, given its source */
  readonly probability: number;
}

export interface TranslatedSource {
  /** the most probable first */
  readonly targets: readonly TranslatedTarget[];
  /** symbols that the model does not know, which were passed over */
  readonly unknown: readonly string[];
}

export interface Translations {
  readonly model: string;
  readonly version: number;
  /** in the order of the request */
  readonly translations: readonly TranslatedSource[];
}

/** The limits of REST's schema. */
export const translateLimits = { sources: 64, best: 16 } as const;

interface Tables extends SymbolTables {
  readonly numbers: ReadonlyMap<string, number>;
}

const tablesKept = 100;

export class TranslationService {
  readonly #registry: Registry;
  readonly #predictor: Predictor;
  /** by `words@2` */
  readonly #tables = new LruMemo<Tables>(tablesKept);

  constructor({ registry, predictor }: { readonly registry: Registry; readonly predictor: Predictor }) {
    this.#registry = registry;
    this.#predictor = predictor;
  }

  /**
   * Throws what `Predictor.predict` throws: `operation-not-supported` for a model that does not translate, `empty-batch`; and
   * `shape-mismatch` for a source that is too long.
   */
  async translate(caller: Caller, { sources, best = 1, demand, ...request }: TranslateRequest): Promise<Translations> {
    const target = await this.#predictor.resolve(caller, 'translate', request.model);
    const model = `${target.model}@${target.version}`;
    const tables = await this.#tables.get(model, () => this.#read(model));
    const [length = 1] = target.inputShape;
    const x = new Float32Array(sources.length * length);
    const unknown = sources.map((source, i) => {
      const symbols = symbolsOf(source, tables.source.units);
      const known = symbols.flatMap((symbol) => tables.numbers.get(symbol) ?? []);
      checkLength(known.length, i, length, model);
      x.set(known, i * length);
      return symbols.filter((symbol) => !tables.numbers.has(symbol));
    });
    const { outputs, version } = await this.#predictor.predict(caller, {
      ...{ operation: 'translate', model, inputs: float32([sources.length, length], x) },
      ...(demand && { demand }),
    });
    const [, beams = 1, width = 1] = outputs.shape;
    return {
      ...{ model: target.model, version },
      translations: unknown.map((missing, i) => ({
        unknown: [...new Set(missing)],
        targets: targetsOf(
          outputs.data.subarray(i * beams * width, (i + 1) * beams * width),
          width,
          tables.target,
        ).slice(0, best),
      })),
    };
  }

  async #read(reference: string): Promise<Tables> {
    const manifest = await this.#registry.resolve(reference);
    const bytes = await this.#registry.readFile(manifest, symbolsFile);
    const tables = JSON.parse(Buffer.from(bytes).toString()) as SymbolTables;
    return { ...tables, numbers: new Map(tables.source.symbols.map((symbol, i) => [symbol, i + 1])) };
  }
}

function checkLength(found: number, i: number, most: number, model: string): void {
  if (found > 0 && found <= most) return;
  const field = `/sources/${i}`;
  if (found === 0) {
    throw new HourglassError('empty-batch', `Source ${i} has no symbol that ${model} knows.`, { field });
  }
  throw new HourglassError(
    'shape-mismatch',
    `Source ${i} has ${found} symbols; ${model} takes at most ${most}, as many as the longest source that it was trained on.`,
    { field, expected: most, found },
  );
}

/** Of one source: [beams, symbols and log-probability]. Beams that led nowhere are left out. */
export function targetsOf(found: Float32Array, width: number, table: SymbolTable): TranslatedTarget[] {
  return Array.from({ length: found.length / width }, (_, beam) => {
    const own = found.subarray(beam * width, (beam + 1) * width);
    const numbers = Array.from(own.subarray(0, width - 1), (value) => Math.round(value));
    const end = numbers.indexOf(0);
    const symbols = numbers.slice(0, end < 0 ? numbers.length : end).map((number) => table.symbols[number - 1] ?? '');
    return { target: textOf(symbols, table.units), probability: Math.exp(own[width - 1] as number) };
  }).filter(({ probability }) => probability > 0);
}

/** Throws `invalid-request` for more than is allowed, for transports whose schemas do not say it. */
export function checkTranslation(found: Readonly<Record<keyof typeof translateLimits, number>>): void {
  for (const [field, most] of Object.entries(translateLimits) as [keyof typeof translateLimits, number][]) {
    if (found[field] <= most) continue;
    throw new HourglassError('invalid-request', `"${field}" is ${found[field]}; at most ${most} are allowed.`, {
      ...{ field: `/${field}`, expected: most, found: found[field] },
    });
  }
}
