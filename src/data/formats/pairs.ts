/** Pairs as a table of source and target. Columns are found by their names, else the first two are taken. */

import type { SourceFacts } from '../source-facts.ts';
import { readRecords, readTextHead } from './csv-records.ts';
import { openTextPart } from './detect.ts';
import { invalid, type ParseContext, type StoredPart } from './source.ts';

export interface GivenPair {
  readonly source: string;
  readonly target: string;
}

export interface PairSource {
  readonly facts: SourceFacts;
  readonly pairs: AsyncIterable<GivenPair>;
}

const names = {
  source: /^(source|src|input|from|word|text|grapheme|x)s?$/i,
  target: /^(target|tgt|output|to|pronunciation|translation|phoneme|y)s?$/i,
} as const;
const delimiters = ['\t', ';', '|', ','] as const;

/** Throws `invalid-dataset`, `unsupported-dataset`. */
export async function openPairs(part: StoredPart, context: ParseContext): Promise<PairSource> {
  const { options } = context;
  const text = await openTextPart(part, context);
  const first = (await readTextHead(text)).split(/\r?\n/, 1)[0] ?? '';
  const delimiter = options.delimiter ?? delimiters.find((one) => first.includes(one));
  const cells = first.split(delimiter ?? '\t').map((cell) => cell.trim().replace(/^"(.*)"$/, '$1'));
  if (delimiter === undefined || cells.length < 2) {
    throw invalid(part, 'pairs are lines of source and target with a tab between, but its first line has one column.');
  }
  const found = {
    source: cells.findIndex((cell) => names.source.test(cell)),
    target: cells.findIndex((cell) => names.target.test(cell)),
  };
  const named = found.source >= 0 && found.target >= 0;
  const header = options.header ?? named;
  const [sourceAt, targetAt] = header && named ? [found.source, found.target] : [0, 1];
  async function* pairs(): AsyncGenerator<GivenPair> {
    let line = header ? -1 : 0;
    for await (const record of readRecords(part, text, { delimiter: delimiter as string })) {
      if (line++ < 0) continue;
      const [source, target] = [record[sourceAt], record[targetAt]];
      if (source === undefined || target === undefined) {
        throw invalid(part, `pair ${line} has ${record.length} columns; too few.`, { field: `line ${line}` });
      }
      yield { source, target };
    }
  }
  return { facts: { format: 'csv', encoding: text.encoding, delimiter, header }, pairs: pairs() };
}
