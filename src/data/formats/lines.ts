/** The lines of a text, one after the other, in bounded memory. */

import { invalid, type StoredPart } from './source.ts';
import type { Text } from './text.ts';

/** Throws `invalid-dataset` for a line of more than `most` characters. */
export async function* linesOf(part: StoredPart, text: Text, most: number): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of text.stream()) {
    const pieces = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = pieces.pop() ?? '';
    if (rest.length > most) throw invalid(part, `it has a line of more than ${most} characters.`);
    yield* pieces;
  }
  if (rest !== '') yield rest;
}
