/**
 * The words of a text, the same when documents are imported and when a text is asked about. A vocabulary records the version of
 * these rules; a change of them needs a new version.
 *
 *   NFKC, lower case ─► runs of letters and marks, digits within, apostrophes between ─► words of two characters or more
 *
 * Scripts that write no blanks between words (Chinese, Japanese, Thai …) are divided by the dictionaries of Intl.Segmenter.
 */

export const wordRules = 1;

/** Longer runs of letters are data, such as base64, not words. */
const longestWord = 40;

const word = /\p{L}[\p{L}\p{M}\p{N}]*(?:['’][\p{L}\p{M}]+)*/gu;
const withoutBlanks =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;

let segmenter: Intl.Segmenter | undefined;

export function* wordsOf(text: string): Generator<string> {
  for (const [found] of text.normalize('NFKC').toLowerCase().matchAll(word)) {
    if (found.charCodeAt(found.length - 1) > 0x7f && withoutBlanks.test(found)) {
      segmenter ??= new Intl.Segmenter('und', { granularity: 'word' });
      for (const { segment, isWordLike } of segmenter.segment(found)) if (isWordLike) yield segment;
      continue;
    }
    // the possessive of English is no word of its own
    const plain = found.replaceAll('’', "'").replace(/'s$/, '');
    if (plain.length >= 2 && plain.length <= longestWord) yield plain;
  }
}

/** Which words a data set and its models know: `vocabulary.json`. Column i counts word i. */
export interface Vocabulary {
  /** version of the rules that divide a text into words */
  readonly rules: number;
  readonly words: readonly string[];
  /** of the documents to train on, how many have the word */
  readonly documents: readonly number[];
}

export const vocabularyFile = 'vocabulary.json';

export const numbersOf = ({ words }: Vocabulary): ReadonlyMap<string, number> =>
  new Map(words.map((text, number) => [text, number]));

export interface CountedText {
  /** times of each word, in the order of the vocabulary */
  readonly counts: Float32Array<ArrayBuffer>;
  /** words of the text that are in the vocabulary, with repetitions, and that are not */
  readonly known: number;
  readonly unknown: number;
}

export function countWords(text: string, numbers: ReadonlyMap<string, number>): CountedText {
  const counts = new Float32Array(numbers.size);
  let [known, unknown] = [0, 0];
  for (const found of wordsOf(text)) {
    const number = numbers.get(found);
    if (number === undefined) unknown++;
    else {
      counts[number] = (counts[number] as number) + 1;
      known++;
    }
  }
  return { counts, known, unknown };
}
