/**
 * Evaluates a model of documents by its published files: topics and their coherence, how surprising held-out documents are, and
 * whether the nearest documents by code are of the same class, beside TF-IDF and latent semantic analysis.
 *
 *   counts ─► encoder.onnx ─► codes ─┬─► index of the training documents
 *                                    └─► nearest of test documents ─► precision
 *   each topic alone ─► decoder.onnx ─► its words ─► NPMI
 */

import { float32 } from '../base/ndarray.ts';
import { bestOf } from '../base/recommender.ts';
import type { SparseMatrix } from '../base/sparse.ts';
import { scatterRow } from '../base/sparse.ts';
import { type IndexedDocument, type TextFacts, TextIndex, textFiles } from '../base/text-index.ts';
import { type Vocabulary, vocabularyFile } from '../base/words.ts';
import type { DatasetInfo, Documents } from '../data/dataset.ts';
import { type DocumentScores, metricsOf, type Report, reportSchemaVersion } from '../figures/report.ts';
import { Session } from '../runtime/session.ts';
import { coherences, diversity } from './coherence.ts';
import type { Evaluation, EvaluationFacts } from './evaluation.ts';
import { reportHtml } from './html.ts';
import { fitPlane, project, weighted } from './lsa.ts';
import { cosineSearch, neighboursCounted, precision, type Search, sparseSearch } from './neighbours.ts';

export interface DocumentEvaluation extends EvaluationFacts {
  readonly info: DatasetInfo;
  readonly documents: Documents;
  readonly codes: TextFacts['codes'];
  /** encoder.onnx, decoder.onnx */
  readonly encoder: Uint8Array;
  readonly decoder: Uint8Array;
  readonly codeSize: number;
  /** of the training, `test.document.…` among them */
  readonly metrics: Readonly<Record<string, number>>;
}

const batch = 64;
/** documents of the index; the first ones, which are a fair sample */
const mostIndexed = 200_000;
/** training and test documents that neighbours are measured on */
const mostCompared = { train: 20_000, test: 1000 };
const wordsShown = 20;
const wordsScored = 10;
const examplesShown = 5;

export async function evaluateDocuments(options: DocumentEvaluation): Promise<Evaluation> {
  const { spec, info, documents, codes, codeSize, epochs, metrics, origin } = options;
  const vocabulary = await documents.vocabulary();
  const { train, test } = await encodeBoth(options);
  const topics = codes === 'topics' ? await topicWords(options) : undefined;
  const scores = await score(options, { train, test, vocabulary, topics });
  const report: Report = {
    schema: reportSchemaVersion,
    model: { name: spec.name, type: spec.model.type, codeShape: [codeSize], parameters: metrics.parameters ?? 0 },
    dataset: {
      ...{ name: info.name, hash: info.hash, shape: [...info.shape] },
      ...{ trainRows: info.rows.train, testRows: info.rows.test },
    },
    seed: spec.training.seed,
    ...(origin && { origin }),
    notes: notesOf(info),
    epochs: epochs.map(({ phase, epoch, metrics: own }) => ({ phase, epoch, metrics: { ...own } })),
    documents: scores,
  };
  const facts: TextFacts = {
    ...{ codes, size: codeSize },
    ...(topics && { topics: topics.map((words) => words.map((word) => vocabulary.words[word] as string)) }),
  };
  const indexed = train.codes.subarray(0, mostIndexed * codeSize);
  const json = (value: unknown): Buffer => Buffer.from(`${JSON.stringify(value)}\n`);
  return {
    report,
    metrics: metricsOf(report),
    files: {
      [vocabularyFile]: json(vocabulary),
      [textFiles.facts]: json(facts),
      [textFiles.codes]: TextIndex.bytesOf(codes, indexed, codeSize),
      [textFiles.names]: json(train.names.slice(0, mostIndexed)),
      'report.json': Buffer.from(`${JSON.stringify(report, null, 2)}\n`),
      'report.html': Buffer.from(reportHtml(report, spec)),
    },
  };
}

const notesOf = ({ rows, classes = 0 }: DatasetInfo): string[] => [
  ...(rows.test === 0 ? ['The data set has no documents held out for testing, so nothing could be measured.'] : []),
  ...(classes < 2 ? ['The documents have no classes, so the nearest ones could not be scored.'] : []),
];

interface Encoded {
  readonly counts: SparseMatrix;
  /** [rows, code] */
  readonly codes: Float32Array;
  readonly labels: Uint8Array | Int32Array | undefined;
  readonly names: readonly IndexedDocument[];
}

async function encodeBoth(options: DocumentEvaluation): Promise<Readonly<Record<'train' | 'test', Encoded>>> {
  const { documents, info, encoder, codeSize, threads, signal } = options;
  const session = Session.create(encoder, { threads });
  try {
    const encoded = async (split: 'train' | 'test'): Promise<Encoded> => {
      const counts = await documents[split].matrix();
      const codes = new Float32Array(counts.rows * codeSize);
      for (let start = 0; start < counts.rows; start += batch) {
        await new Promise(setImmediate);
        signal?.throwIfAborted();
        const rows = Math.min(batch, counts.rows - start);
        const x = new Float32Array(rows * counts.columns);
        for (let i = 0; i < rows; i++) scatterRow(counts, start + i, x, i * counts.columns);
        const [answer] = Object.values(session.runSync({ x: float32([rows, counts.columns], x) }));
        codes.set(answer?.data as Float32Array, start * codeSize);
      }
      const labels = await documents[split].labels();
      const names = (await documents.names(split)).map((name, row) => {
        const label = labels && info.classNames?.[labels[row] as number];
        return { ...name, ...(label !== undefined && { class: label }) };
      });
      return { counts, codes, labels, names };
    };
    return { train: await encoded('train'), test: await encoded('test') };
  } finally {
    session.dispose();
  }
}

/** The most probable words of each topic alone. */
async function topicWords({ decoder, codeSize, threads }: DocumentEvaluation): Promise<number[][]> {
  const session = Session.create(decoder, { threads });
  try {
    const alone = new Float32Array(codeSize * codeSize);
    for (let i = 0; i < codeSize; i++) alone[i * codeSize + i] = 1;
    const [answer] = Object.values(session.runSync({ z: float32([codeSize, codeSize], alone) }));
    const all = answer?.data as Float32Array;
    const words = all.length / codeSize;
    return Array.from({ length: codeSize }, (_, topic) =>
      bestOf(all.subarray(topic * words, (topic + 1) * words), wordsShown, () => false),
    );
  } finally {
    session.dispose();
  }
}

interface Measured {
  readonly train: Encoded;
  readonly test: Encoded;
  readonly vocabulary: Vocabulary;
  readonly topics: readonly (readonly number[])[] | undefined;
}

async function score(
  options: DocumentEvaluation,
  { train, test, vocabulary, topics }: Measured,
): Promise<DocumentScores> {
  const { metrics, codes, codeSize, signal } = options;
  const nats = metrics['test.document.nats'];
  const words = metrics['test.document.words'] ?? 0;
  const firsts = topics?.map((own) => own.slice(0, wordsScored));
  const npmi = firsts && coherences(firsts, train.counts);
  const index = new TextIndex({ codes, size: codeSize }, TextIndex.bytesOf(codes, train.codes, codeSize));
  const tick = (): void => signal?.throwIfAborted();
  const byCode: Search = (row, count) =>
    index.nearest(test.codes.subarray(row * codeSize, (row + 1) * codeSize), count).map(({ row: near }) => near);
  return {
    codes,
    ...(nats !== undefined && words > 0 && { perplexity: Math.exp(nats / words) }),
    ...(npmi && firsts && { npmi: mean(npmi), diversity: diversity(firsts) }),
    ...(train.labels &&
      test.labels &&
      test.counts.rows > 0 && { neighbours: await compare(train, test, vocabulary, { byCode, tick, codeSize }) }),
    topics: (topics ?? []).map((own, topic) => ({
      npmi: npmi?.[topic] ?? 0,
      share: meanShare(train.codes, codeSize, topic),
      words: own.map((word) => vocabulary.words[word] as string),
    })),
    examples: test.names.slice(0, examplesShown).map((name, row) => ({
      document: name,
      nearest: index
        .nearest(test.codes.subarray(row * codeSize, (row + 1) * codeSize), 3)
        .map(({ row: near, similarity }) => ({ ...(train.names[near] as IndexedDocument), similarity })),
    })),
  };
}

interface Comparison {
  readonly byCode: Search;
  readonly tick: () => void;
  readonly codeSize: number;
}

async function compare(
  train: Encoded,
  test: Encoded,
  { documents: having }: Vocabulary,
  { byCode, tick, codeSize }: Comparison,
): Promise<NonNullable<DocumentScores['neighbours']>> {
  const first = ({ counts }: Encoded, most: number): SparseMatrix => ({ ...counts, rows: Math.min(counts.rows, most) });
  const classes = { train: train.labels ?? [], test: test.labels ?? [] };
  const seen = first(train, mostCompared.train);
  const asked = first(test, mostCompared.test);
  const [a, b] = [seen, asked].map((counts) => weighted(counts, having, train.counts.rows)) as [
    SparseMatrix,
    SparseMatrix,
  ];
  const trimmed: SparseMatrix = {
    ...a,
    indices: a.indices.subarray(0, a.starts[a.rows]),
    values: a.values.subarray(0, a.starts[a.rows]),
  };
  await new Promise(setImmediate);
  const width = Math.min(codeSize, seen.rows, seen.columns);
  const basis = fitPlane(trimmed, width, tick);
  const lsa = cosineSearch(project(trimmed, basis, width), project(b, basis, width), width);
  return {
    counted: neighboursCounted,
    documents: asked.rows,
    model: precision(byCode, asked.rows, classes, tick),
    tfidf: precision(sparseSearch(trimmed, b), asked.rows, classes, tick),
    lsa: precision(lsa, asked.rows, classes, tick),
    chance: chanceOf(classes, asked.rows),
  };
}

/** Of a document drawn at random. */
function chanceOf({ train, test }: { train: ArrayLike<number>; test: ArrayLike<number> }, rows: number): number {
  const counts = new Map<number, number>();
  for (const label of Array.from(train)) counts.set(label, (counts.get(label) ?? 0) + 1);
  let sum = 0;
  for (let row = 0; row < rows; row++) sum += (counts.get(test[row] as number) ?? 0) / Math.max(1, train.length);
  return sum / Math.max(1, rows);
}

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / Math.max(1, values.length);

function meanShare(codes: Float32Array, size: number, topic: number): number {
  let sum = 0;
  for (let at = topic; at < codes.length; at += size) sum += codes[at] as number;
  return sum / Math.max(1, codes.length / size);
}
