/**
 * Ratings as a table of triples: person, item, rating, and perhaps a time, which is not used. Columns are found by their
 * names, else taken in this order; without a rating every line is a rating of 1.
 */

import { toNumber } from './cells.ts';
import { findLayout } from './csv-layout.ts';
import { readRecords } from './csv-records.ts';
import { openTextPart } from './detect.ts';
import { invalid, nonFinite, type ParseContext, type StoredPart } from './source.ts';

export interface Triple {
  readonly person: string;
  readonly item: string;
  readonly rating: number;
}

const names = {
  person: /^(user|person|customer|member|reader|profile)[ _-]?(id|name)?$/i,
  item: /^(item|movie|film|book|product|track|artist|song|article|anime|business|isbn|asin)[ _-]?(id|name)?$/i,
  rating: /^(rating|score|stars|value|count|plays|weight)$/i,
} as const;
type Field = keyof typeof names;

interface Places {
  readonly person: number;
  readonly item: number;
  /** -1: every rating is 1 */
  readonly rating: number;
}

/** Reads all lines. Throws `invalid-dataset` for a line that is not a rating, with its number. */
export async function* readTriples(part: StoredPart, context: ParseContext): AsyncGenerator<Triple> {
  const { options } = context;
  const text = await openTextPart(part, context);
  const layout = await findLayout(part, text, { options });
  if (layout.columns < 2) {
    throw invalid(part, 'ratings are lines of person, item and rating, but its first line has one column.');
  }
  const places = placesOf(layout.header, layout.columns);
  if (layout.doubt) context.warn(part, layout.doubt);
  const { delimiter, skipLines, header } = layout;
  let line = header ? -1 : 0;
  for await (const record of readRecords(part, text, { delimiter, skipLines })) {
    if (line++ < 0) continue;
    if (record.length !== layout.columns) {
      const facts = { field: `line ${line}`, expected: layout.columns, found: record.length };
      throw invalid(part, `rating ${line} has ${record.length} columns, the first line has ${layout.columns}.`, facts);
    }
    const [person = '', item = ''] = [record[places.person]?.trim(), record[places.item]?.trim()];
    if (person === '' || item === '')
      throw invalid(part, `rating ${line} names no ${person === '' ? 'person' : 'item'}.`);
    const rating = places.rating < 0 ? 1 : toNumber(record[places.rating] ?? '', options.decimal);
    checkRating(part, rating, line, record[places.rating] ?? '');
    yield { person, item, rating };
  }
}

function checkRating(part: StoredPart, rating: number, line: number, cell: string): void {
  const where = `rating ${line}`;
  if (Number.isNaN(rating)) {
    const what = `${where} is ${JSON.stringify(cell.slice(0, 40))}, which is not a number. Lines are person, item, rating; name other columns in a header (user_id, item_id, rating).`;
    throw invalid(part, what, { field: where, found: cell.slice(0, 40) });
  }
  if (!Number.isFinite(Math.fround(rating))) throw nonFinite(part, where, rating);
  if (rating > 0) return;
  throw invalid(
    part,
    `${where} is ${rating}. Ratings must be above 0, which stands for "not rated": add a constant to all, or leave out lines that are no rating.`,
    { field: where, expected: 'above 0', found: rating },
  );
}

/** `user_id:token` of RecBole is user_id. */
function placesOf(header: readonly string[] | undefined, columns: number): Places {
  const plain = header?.map((name) => name.replace(/:\w+$/, ''));
  const find = (field: Field): number => plain?.findIndex((name) => names[field].test(name.trim())) ?? -1;
  const [person, item, rating] = [find('person'), find('item'), find('rating')];
  if (person >= 0 && item >= 0) return { person, item, rating };
  return { person: 0, item: 1, rating: columns > 2 ? 2 : -1 };
}

/** What items are called: a table of item and name, further columns are not used. */
export async function readItemNames(part: StoredPart, context: ParseContext): Promise<Map<string, string>> {
  const text = await openTextPart(part, context);
  const { delimiter, skipLines, header, columns } = await findLayout(part, text, { options: context.options });
  if (columns < 2) throw invalid(part, 'names of items are lines of item and name, but its first line has one column.');
  const found = new Map<string, string>();
  let line = header ? -1 : 0;
  for await (const [item = '', name = ''] of readRecords(part, text, { delimiter, skipLines })) {
    if (line++ < 0) continue;
    if (item.trim() !== '' && name.trim() !== '') found.set(item.trim(), name.trim().slice(0, 200));
  }
  return found;
}
