/** The parts of a report that only a model of ratings has. */

import { type Child, el, type Markup } from './markup.ts';
import {
  counted,
  definitionList,
  note,
  percent,
  type ScoreHead,
  type Section,
  scoreTable,
  section,
  table,
  tiles,
} from './parts.ts';
import type { Recommendation, Report } from './report.ts';

export function ratingTiles({ model, dataset }: Report, { rating, ranking }: Recommendation): Markup {
  const [items = 0] = dataset.shape;
  return tiles([
    [`${counted(dataset.trainRows)} × ${counted(items)}`, 'people × items'],
    ...(rating ? [[fourDigits(rating.model.rmse), 'RMSE of held-out ratings'] as const] : []),
    [percent(ranking.model.recall20), 'recall at 20'],
    [fourDigits(ranking.model.ndcg100), 'NDCG at 100'],
    ...(model.parameters === undefined ? [] : [[counted(model.parameters), 'weights'] as const]),
  ]);
}

const fourDigits = (value: number): string => value.toFixed(4);
const column = (name: string, best: ScoreHead['best']): ScoreHead => ({ name, best, show: fourDigits });

export const ratingSections = (scores: Recommendation): (Section | undefined)[] => [
  heldOut(scores),
  ranking(scores),
  examples(scores),
];

function heldOut({ rating }: Recommendation): Section | undefined {
  if (!rating) return undefined;
  const { model, biases } = rating;
  return section(
    'Held-out ratings',
    scoreTable(
      [column('RMSE', 'least'), column('MAE', 'least')],
      [
        { name: 'this model', values: [model.rmse, model.mae] },
        { name: 'biases of people and items', values: [biases.rmse, biases.mae] },
      ],
    ),
  );
}

function ranking({ ranking, people, positive }: Recommendation): Section {
  const ranked = [
    { name: 'this model', scores: ranking.model },
    { name: 'popularity', scores: ranking.popularity },
    ...(ranking.ease ? [{ name: 'EASE, λ 200', scores: ranking.ease }] : []),
  ];
  const liked = positive > 0 ? ` rated ${positive} or higher` : '';
  return section(
    'Ranking of items not seen',
    note(`Held-out items${liked} of ${counted(people)} people are to come first.`),
    scoreTable(
      [column('recall at 20', 'most'), column('NDCG at 100', 'most')],
      ranked.map(({ name, scores }) => ({ name, values: [scores.recall20, scores.ndcg100] })),
    ),
  );
}

const nameOf = ({ item, name }: { item: string; name?: string }): string => name ?? item;

const joined = (parts: readonly Child[]): Child[] => parts.flatMap((part, i) => (i === 0 ? [part] : [' · ', part]));

function examples({ examples }: Recommendation): Section | undefined {
  if (examples.length === 0) return undefined;
  return section(
    'What some people are recommended',
    note('Held-out items that the person really rated are marked.'),
    table(
      '',
      [
        { name: 'rated highest', isText: true },
        { name: 'recommended', isText: true },
      ],
      examples.map(({ liked, recommended }, i) => ({
        name: `person ${i + 1}`,
        cells: [
          { content: joined(liked.map(nameOf)) },
          {
            content: joined(
              recommended.map((one) => (one.hit ? el('b', { class: 'best' }, nameOf(one)) : nameOf(one))),
            ),
          },
        ],
      })),
    ),
  );
}

export const ratingDefinitions = definitionList({
  'RMSE, MAE': 'Root of the mean squared, and mean absolute, difference of a held-out rating and the predicted one.',
  'Recall at 20':
    "Of the items held out of a person's, how many are among the first 20 that the person has not seen, of at most 20; averaged over people.",
  'NDCG at 100':
    'A held-out item at place k counts 1/log₂(k + 1); the sum over the first 100, of the best possible one.',
  'Popularity, EASE, biases':
    'Items by the number of their ratings; the linear autoencoder in closed form; the mean rating, and how far each person and item is from it.',
});
