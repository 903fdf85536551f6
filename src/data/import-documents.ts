/**
 * From texts to stored documents: counts of the words of a vocabulary, a sparse row for each. The vocabulary comes from the documents
 * to train on alone.
 *
 *   documents ─► hold-out ─► words ─► counts of all words ─► vocabulary ─► counts of its words
 *
 *   set/train.rows       counts, as src/base/sparse.ts stores them; in random order, so that any stretch is a fair sample
 *   set/test.rows
 *   set/train.labels     class numbers, where documents have classes
 *   set/test.labels
 *   set/vocabulary.json  src/base/words.ts
 *   set/documents.json   {"train": [{"document": "spam/1.txt", "begins": "Dear friend …"}, …], "test": […]}
 */

import path from 'node:path';
import { RandomStream } from '../base/random.ts';
import { entriesOf, rowOfEntries, type SparseMatrix, sparseFromTriples, sparseToBytes } from '../base/sparse.ts';
import { type Vocabulary, vocabularyFile, wordRules, wordsOf } from '../base/words.ts';
import type { SplitName } from './dataset.ts';
import type { DocumentName } from './document-facts.ts';
import { type DocumentSource, openDocuments } from './formats/documents.ts';
import { type AlignedLabels, alignLabels, type LabelColumn } from './formats/label-file.ts';
import { LabelTable } from './formats/labels.ts';
import { invalid, type ParseContext, type StoredPart } from './formats/source.ts';
import { HoldOut } from './hold-out.ts';
import type { StoredContent } from './manifest.ts';
import type { SourceFacts } from './source-facts.ts';
import { writeSynced } from './sparse-file.ts';
import { englishStopWords } from './stop-words.ts';
import { Numbering, TripleList } from './triple-list.ts';

export interface DocumentParts {
  readonly rows: StoredPart;
  readonly testRows?: StoredPart | undefined;
  readonly labels?: LabelColumn | undefined;
  readonly testLabels?: LabelColumn | undefined;
  /** default: by the first bytes of the part */
  readonly open?: (part: StoredPart, context: ParseContext) => Promise<DocumentSource>;
}

/** different words before the vocabulary is chosen: some hundred bytes each */
const mostWords = 1_000_000;
const shownCharacters = 80;

class Collected {
  readonly counts = new TripleList();
  readonly names: DocumentName[] = [];
  readonly labels: string[] = [];
}

/** Throws `invalid-dataset` where no word or no document is left, and what the readers throw. */
export async function importDocuments(
  folder: string,
  { rows, testRows, labels, testLabels, open = openDocuments }: DocumentParts,
  context: ParseContext,
): Promise<StoredContent> {
  const { testFraction = 0.1, seed = 0 } = context.options;
  const words = new Numbering();
  const collected = { train: new Collected(), test: new Collected() };
  const collect = async (part: StoredPart, holdOut: () => HoldOut, separate: LabelColumn | undefined) => {
    const source = await open(part, context);
    const header = await collectFrom({ part, source, words, collected, separate, context }, holdOut);
    return { ...source.facts, ...(header !== undefined && { labelsHeader: header }) } satisfies SourceFacts;
  };
  const facts = await collect(rows, () => new HoldOut(seed, testRows ? 0 : testFraction), labels);
  if (testRows) await collect(testRows, () => new HoldOut(seed, 1), testLabels);
  const { train, test } = collected;
  if (train.names.length < 2) {
    throw invalid(rows, `${train.names.length} documents are left for training; at least 2 are needed.`);
  }
  const vocabulary = chooseWords(rows, { train, words: words.names }, context);
  const order = new RandomStream(seed, 'documents').permutation(train.names.length);
  const matrices = {
    train: countsOf(train, { words: words.names, vocabulary }, order),
    test: countsOf(test, { words: words.names, vocabulary }),
  };
  const names = { train: Array.from(order, (from) => train.names[from] as DocumentName), test: test.names };
  tellEmpty(rows, matrices.train, context);
  const classes = classesOf(rows, collected, order, context);
  const entry = async (split: SplitName) => ({
    rows: names[split].length,
    sha256: await writeSynced(path.join(folder, `${split}.rows`), sparseToBytes(matrices[split])),
    ...(classes && {
      labelsSha256: await writeSynced(
        path.join(folder, `${split}.labels`),
        new Uint8Array(classes.labels[split].buffer.slice(0)),
      ),
    }),
  });
  const json = (name: string, value: unknown) =>
    writeSynced(path.join(folder, name), Buffer.from(JSON.stringify(value)));
  return {
    shape: [vocabulary.words.length],
    dtype: 'float32',
    divisor: 1,
    range: [0, largest(matrices.train, matrices.test)],
    ...(classes && { classNames: classes.names }),
    splits: { train: await entry('train'), test: await entry('test') },
    documents: {
      train: factsOf(matrices.train),
      test: factsOf(matrices.test),
      vocabularySha256: await json(vocabularyFile, vocabulary satisfies Vocabulary),
      namesSha256: await json('documents.json', names),
    },
    source: facts,
  };
}

interface Collecting {
  readonly part: StoredPart;
  readonly source: DocumentSource;
  readonly words: Numbering;
  readonly collected: Readonly<Record<SplitName, Collected>>;
  readonly separate: LabelColumn | undefined;
  readonly context: ParseContext;
}

/** The answer: whether separate labels had a header. */
async function collectFrom(
  { part, source, words, collected, separate, context }: Collecting,
  holdOut: () => HoldOut,
): Promise<boolean | undefined> {
  const { options, limits, warn } = context;
  const chooser = holdOut();
  let number = 0;
  for await (const { text, name, label } of source.documents) {
    if (number >= limits.rows) throw invalid(part, `it has more than the ${limits.rows} documents that are allowed.`);
    const to = collected[chooser.split(number++)];
    const row = to.names.length;
    const begins = options.titles === false ? '' : text.trimStart().slice(0, 4 * shownCharacters);
    const shown = begins.replace(/\s+/g, ' ').slice(0, shownCharacters).trimEnd();
    to.names.push({ document: name, ...(shown !== '' && { begins: shown }) });
    const counts = new Map<number, number>();
    for (const word of wordsOf(text)) {
      const column = words.of(word);
      counts.set(column, (counts.get(column) ?? 0) + 1);
    }
    for (const [column, count] of counts) to.counts.add(row, column, count);
    if (words.names.length > mostWords) {
      throw invalid(part, `it has more than ${mostWords} different words, more than any language uses. Is it text?`);
    }
    if (label !== undefined && !separate) to.labels.push(label);
  }
  if (!separate) return undefined;
  const aligned: AlignedLabels = alignLabels(separate, number, options, warn);
  const again = holdOut();
  for (let row = 0; row < number; row++) collected[again.split(row)].labels.push(aligned.at(row));
  return aligned.header;
}

interface Counted {
  readonly train: Collected;
  readonly words: readonly string[];
}

/** The words that enough documents have and not too many, the most frequent ones first. */
function chooseWords(part: StoredPart, { train, words }: Counted, { options }: ParseContext): Vocabulary {
  const { stopWords = 'english', minDocuments = 3, maxShare = 0.5, most = 2000 } = options.vocabulary ?? {};
  const documents = train.names.length;
  const { indices } = train.counts.matrix(documents, words.length);
  const having = new Uint32Array(words.length);
  for (const word of indices) having[word] = (having[word] as number) + 1;
  const left = stopWords === 'english' ? englishStopWords : new Set(stopWords === 'none' ? [] : stopWords);
  const upTo = Math.max(maxShare * documents, 1);
  const chosen = [...having.keys()].filter((word) => {
    const count = having[word] as number;
    return count >= minDocuments && count <= upTo && !left.has(words[word] as string);
  });
  chosen.sort(
    (a, b) => (having[b] as number) - (having[a] as number) || ((words[a] as string) < (words[b] as string) ? -1 : 1),
  );
  const kept = chosen.slice(0, most);
  if (kept.length < 2) {
    throw invalid(
      part,
      `${kept.length} of its ${words.length} words are in at least ${minDocuments} documents and at most ${maxShare} of them. Lower "vocabulary.minDocuments", or upload more documents.`,
      { field: 'vocabulary', found: kept.length },
    );
  }
  return {
    rules: wordRules,
    words: kept.map((word) => words[word] as string),
    documents: kept.map((word) => having[word] as number),
  };
}

interface Chosen {
  /** every word that was seen */
  readonly words: readonly string[];
  readonly vocabulary: Vocabulary;
}

/** Counts of the words of the vocabulary; row i is row `order[i]` as it was collected. */
function countsOf({ counts, names }: Collected, { words, vocabulary }: Chosen, order?: Uint32Array): SparseMatrix {
  const all = counts.matrix(names.length, words.length);
  const numbers = new Map(vocabulary.words.map((word, number) => [word, number]));
  const columnOf = words.map((word) => numbers.get(word) ?? -1);
  const rowOf = new Uint32Array(names.length);
  for (let i = 0; i < names.length; i++) rowOf[order?.[i] ?? i] = i;
  const rows = rowOfEntries(all);
  const kept = Uint32Array.from(all.indices.keys()).filter(
    (entry) => (columnOf[all.indices[entry] as number] as number) >= 0,
  );
  return sparseFromTriples(
    {
      rows: kept.map((entry) => rowOf[rows[entry] as number] as number),
      columns: kept.map((entry) => columnOf[all.indices[entry] as number] as number),
      values: Float32Array.from(kept, (entry) => all.values[entry] as number),
    },
    names.length,
    vocabulary.words.length,
  );
}

const factsOf = (counts: SparseMatrix) => ({
  words: counts.values.reduce((sum, count) => sum + count, 0),
  entries: entriesOf(counts),
});

const largest = (...all: readonly SparseMatrix[]): number =>
  all.reduce((most, { values }) => values.reduce((a, b) => Math.max(a, b), most), 1);

function tellEmpty(part: StoredPart, { starts, rows }: SparseMatrix, { warn }: ParseContext): void {
  let empty = 0;
  for (let row = 0; row < rows; row++) if (starts[row] === starts[row + 1]) empty++;
  if (empty > 0) warn(part, `${empty} documents to train on have no word of the vocabulary.`);
}

function classesOf(
  part: StoredPart,
  { train, test }: Readonly<Record<SplitName, Collected>>,
  order: Uint32Array,
  { limits }: ParseContext,
) {
  if (train.labels.length + test.labels.length === 0) return undefined;
  const table = new LabelTable(limits.classes);
  for (const from of order) table.add('train', train.labels[from] ?? '');
  for (const row of test.names.keys()) table.add('test', test.labels[row] ?? '');
  if (table.classes < 2) return undefined;
  if (table.has(''))
    throw invalid(part, 'some documents have a class, others have none. Give every document its class.');
  return table.finish();
}
