/**
 * From pairs of sources and targets to stored numbers of symbols: a row is [source | target], 0 behind the end of each. A source with
 * several targets makes several rows, all of them in one split.
 *
 *   set/symbols.json   {"source": {"units": "characters", "symbols": ["a", "b", …]}, "target": …}; symbol i has the number i + 1
 */

import path from 'node:path';
import { RandomStream } from '../base/random.ts';
import { type SymbolTables, symbolsFile, symbolsOf, type UnitOfText } from '../base/symbols.ts';
import type { PairFacts } from '../jobspec/pair-facts.ts';
import { mostSymbols } from '../jobspec/pair-model.ts';
import type { SplitName } from './dataset.ts';
import { type GivenPair, openPairs } from './formats/pairs.ts';
import { invalid, type ParseContext, type StoredPart } from './formats/source.ts';
import { HoldOut } from './hold-out.ts';
import type { StoredContent } from './manifest.ts';
import { writeSynced } from './sparse-file.ts';
import { DatasetWriter } from './writer.ts';

export interface PairParts {
  readonly rows: StoredPart;
  readonly testRows?: StoredPart | undefined;
}

/** symbols of all pairs together that are held in memory */
const mostHeld = 2 ** 27;
const mostDifferent = 4096;

class Symbols {
  readonly names: string[] = [];
  readonly #numbers = new Map<string, number>();
  longest = 0;

  numbersOf(symbols: readonly string[]): Uint16Array {
    this.longest = Math.max(this.longest, symbols.length);
    return Uint16Array.from(symbols, (symbol) => {
      let number = this.#numbers.get(symbol);
      if (number === undefined) {
        this.names.push(symbol);
        number = this.names.length;
        this.#numbers.set(symbol, number);
      }
      return number;
    });
  }
}

interface Pair {
  readonly source: Uint16Array;
  readonly target: Uint16Array;
}

/** Throws `invalid-dataset` where nothing is left or there are too many different symbols, and what the readers throw. */
export async function importPairs(
  folder: string,
  { rows, testRows }: PairParts,
  context: ParseContext,
): Promise<StoredContent> {
  const { options, limits, warn } = context;
  const { testFraction = 0.1, seed = 0 } = options;
  const units = {
    source: options.symbols?.source ?? 'characters',
    target: options.symbols?.target ?? (await guessTarget(rows, context)),
  };
  const tables = { source: new Symbols(), target: new Symbols() };
  const groups: Record<SplitName, Map<string, Pair[]>> = { train: new Map(), test: new Map() };
  let [held, tooLong] = [0, 0];
  const read = async (part: StoredPart, holdOut: HoldOut, only?: SplitName) => {
    const { facts, pairs } = await openPairs(part, context);
    const splits = new Map<string, SplitName>();
    let line = 0;
    for await (const { source: written, target } of pairs) {
      if (line++ >= limits.rows) throw invalid(part, `it has more than the ${limits.rows} pairs that are allowed.`);
      const symbols = { source: symbolsOf(written, units.source), target: symbolsOf(target, units.target) };
      if (symbols.source.length === 0) throw invalid(part, `pair ${line} has no source.`, { field: `line ${line}` });
      if (Math.max(symbols.source.length, symbols.target.length + 1) > mostSymbols) {
        tooLong++;
        continue;
      }
      const key = symbols.source.join('\u0000');
      let split = splits.get(key);
      if (split === undefined) {
        split = only ?? holdOut.split(splits.size);
        splits.set(key, split);
      }
      held += symbols.source.length + symbols.target.length;
      if (held > mostHeld) throw invalid(part, `it has more than the ${mostHeld} symbols that are allowed.`);
      const own = groups[split].get(key) ?? [];
      own.push({ source: tables.source.numbersOf(symbols.source), target: tables.target.numbersOf(symbols.target) });
      groups[split].set(key, own);
      for (const [side, { names }] of Object.entries(tables)) {
        if (names.length > mostDifferent) {
          const what = `its ${side}s have more than ${mostDifferent} different symbols. Divide them into characters: "symbols": {"${side}": "characters"}.`;
          throw invalid(part, what, { field: 'symbols' });
        }
      }
    }
    return facts;
  };
  const facts = await read(rows, new HoldOut(seed, testRows ? 0 : testFraction));
  if (testRows) await read(testRows, new HoldOut(seed, 1), 'test');
  if (tooLong > 0) warn(rows, `${tooLong} pairs with more than ${mostSymbols} symbols on a side were left out.`);
  const shared = [...groups.test.keys()].filter((key) => groups.train.has(key)).length;
  if (shared > 0) warn(testRows ?? rows, `${shared} of the sources for testing are among those for training as well.`);
  if (groups.train.size < 2)
    throw invalid(rows, `${groups.train.size} sources are left for training; at least 2 are needed.`);
  const [sourceLength, targetLength] = [tables.source.longest, tables.target.longest + 1];
  const writer = await DatasetWriter.create({
    ...{ folder, shape: [sourceLength + targetLength], kind: 'whole', scale: 'none', maxBytes: limits.expandedBytes },
  });
  try {
    for (const split of ['train', 'test'] as const) {
      const own = [...groups[split].values()];
      // In random order, so that any stretch is a fair sample.
      const order = new RandomStream(seed, `pairs/${split}`).permutation(own.length);
      for (const place of order) {
        for (const { source, target } of own[place] as Pair[]) {
          const row = new Float32Array(sourceLength + targetLength);
          row.set(source);
          row.set(target, sourceLength);
          await writer.append(split, row);
        }
      }
    }
    const symbols: SymbolTables = {
      source: { units: units.source, symbols: tables.source.names },
      target: { units: units.target, symbols: tables.target.names },
    };
    const pairs: PairFacts = {
      ...{ sourceLength, targetLength },
      ...{ sourceSymbols: tables.source.names.length, targetSymbols: tables.target.names.length },
      ...{ sources: { train: groups.train.size, test: groups.test.size } },
    };
    const symbolsSha256 = await writeSynced(path.join(folder, symbolsFile), Buffer.from(JSON.stringify(symbols)));
    return { ...(await writer.finish()), pairs: { ...pairs, symbolsSha256 }, source: facts };
  } finally {
    await writer.close();
  }
}

const looked = 1000;

/** Targets in which blanks stand are divided at them, as phonemes and sentences are. */
async function guessTarget(part: StoredPart, context: ParseContext): Promise<UnitOfText> {
  const { pairs } = await openPairs(part, context);
  let seen = 0;
  for await (const { target } of pairs as AsyncIterable<GivenPair>) {
    if (/\S\s+\S/.test(target)) return 'words';
    if (++seen >= looked) break;
  }
  return 'characters';
}
