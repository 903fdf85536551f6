/** The parts of a report that only a model of documents has. */

import { el, type Markup } from './markup.ts';
import {
  counted,
  definitionList,
  note,
  percent,
  type Section,
  scoreTable,
  section,
  shareBar,
  table,
  tiles,
} from './parts.ts';
import type { DocumentScores, Report } from './report.ts';

export function documentTiles({ model, dataset }: Report, scores: DocumentScores): Markup {
  const [words = 0] = dataset.shape;
  const [code = 0] = model.codeShape;
  const { npmi, perplexity, neighbours } = scores;
  return tiles([
    [`${counted(dataset.trainRows)} × ${counted(words)}`, 'documents × words'],
    [counted(code), scores.codes === 'bits' ? 'bits of a code' : 'topics'],
    ...(npmi === undefined ? [] : [[npmi.toFixed(3), 'NPMI of the topics'] as const]),
    ...(perplexity === undefined ? [] : [[perplexity.toFixed(0), perplexityName(scores)] as const]),
    ...(neighbours
      ? [[percent(neighbours.model), `of the ${neighbours.counted} nearest are of the same class`] as const]
      : []),
  ]);
}

const perplexityName = ({ codes }: DocumentScores): string =>
  codes === 'bits' ? 'perplexity of test documents, given their codes' : 'perplexity of test documents';

export const documentSections = (scores: DocumentScores): (Section | undefined)[] => [
  nearest(scores),
  topics(scores),
  examples(scores),
];

function nearest({ neighbours, codes }: DocumentScores): Section | undefined {
  if (!neighbours) return undefined;
  const { model, tfidf, lsa, chance, counted: count, documents } = neighbours;
  return section(
    'Nearest documents',
    note(
      `Of the ${count} training documents nearest to each of ${counted(documents)} test documents, how many are of its class.`,
    ),
    scoreTable(
      [{ name: 'precision', best: 'most', show: percent }],
      [
        { name: codes === 'bits' ? 'this model, by its bits' : 'this model, by its topics', values: [model] },
        { name: 'TF-IDF', values: [tfidf] },
        { name: 'LSA of the same size', values: [lsa] },
        { name: 'documents at random', values: [chance] },
      ],
    ),
  );
}

function topics({ topics }: DocumentScores): Section | undefined {
  if (topics.length === 0) return undefined;
  const order = topics.map((topic, number) => ({ ...topic, number })).sort((a, b) => b.npmi - a.npmi);
  const widest = Math.max(...topics.map(({ share }) => share));
  return section(
    'Topics',
    note('The most coherent first; bars show the share of all documents.'),
    table(
      'topic',
      [{ name: 'words', isText: true }, { name: 'NPMI' }, { name: 'share' }],
      order.map(({ number, npmi, share, words }) => ({
        name: number,
        cells: [
          { content: [words.slice(0, 10).join(' · '), shareBar(share / widest)] },
          { content: npmi.toFixed(2) },
          { content: percent(share) },
        ],
      })),
    ),
  );
}

type Shown = DocumentScores['examples'][number]['document'];

const named = ({ document, begins, class: label }: Shown): Markup =>
  el(
    'p',
    {},
    el('b', {}, document),
    label === undefined ? undefined : ` (${label})`,
    begins === undefined ? undefined : [el('br'), begins],
  );

function examples({ examples }: DocumentScores): Section | undefined {
  if (examples.length === 0) return undefined;
  return section(
    'Some test documents and the nearest to them',
    table(
      'test document',
      [{ name: 'nearest training documents', isText: true }],
      examples.map(({ document, nearest }) => ({ name: named(document), cells: [{ content: nearest.map(named) }] })),
    ),
  );
}

export const documentDefinitions = definitionList({
  NPMI: 'How often the first ten words of a topic come together in documents, beyond chance: 1 always, 0 as by chance, −1 never. Over the training documents.',
  Perplexity:
    'e to the mean surprise of a word of a test document, in nats; of a model of topics by the evidence bound, which pays for the mixture of topics as well. As if each word were drawn from so many equally likely ones.',
  'Nearest documents':
    'By equal bits or by like mixtures of topics; TF-IDF by the cosine of all words, rare ones counting more; LSA by the cosine in the best plane of as many dimensions as the code has.',
});
