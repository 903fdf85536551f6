/** The parts of a report that only a model of pairs has. */

import type { Markup } from './markup.ts';
import { counted, definitionList, note, percent, type Section, section, shareBar, table, tiles } from './parts.ts';
import type { Report, TranslationScores } from './report.ts';

export function translationTiles({ model, dataset }: Report, scores: TranslationScores): Markup {
  return tiles([
    [percent(scores.sequenceErrors), 'of test sources translated wrongly'],
    [percent(scores.symbolErrors), 'of symbols wrong'],
    [percent(scores.bestErrors), 'not among the targets that are followed'],
    [counted(dataset.trainRows), 'sources to train on'],
    ...(model.parameters === undefined ? [] : [[counted(model.parameters), 'weights'] as const]),
  ]);
}

export const translationSections = (scores: TranslationScores): (Section | undefined)[] => [
  byLength(scores),
  confusions(scores),
  examples(scores),
];

const fewestSources = 5;

function byLength({ lengths }: TranslationScores): Section | undefined {
  const shown = lengths.filter(({ sources }) => sources >= fewestSources);
  if (shown.length === 0) return undefined;
  return section(
    'By the length of the source',
    table(
      'symbols',
      [{ name: 'test sources' }, { name: 'wrong' }],
      shown.map(({ length, sources, wrong }) => ({
        name: length,
        cells: [{ content: counted(sources) }, { content: [percent(wrong / sources), shareBar(wrong / sources)] }],
      })),
    ),
  );
}

function confusions({ confusions }: TranslationScores): Section | undefined {
  if (confusions.length === 0) return undefined;
  return section(
    'Symbols that are taken for others',
    note('In wrong translations of the right length.'),
    table(
      'right',
      [{ name: 'answered' }, { name: 'times' }],
      confusions.map(({ right, answered, count }) => ({
        name: right,
        cells: [{ content: answered }, { content: counted(count) }],
      })),
    ),
  );
}

function examples({ examples }: TranslationScores): Section | undefined {
  if (examples.length === 0) return undefined;
  return section(
    'Some test sources',
    table(
      'source',
      [{ name: 'answer' }, { name: 'right' }],
      examples.map(({ source, target, right }) => ({
        name: source,
        cells: [{ content: target, isBest: right.includes(target) }, { content: right.join(' · ') }],
      })),
    ),
  );
}

export const translationDefinitions = definitionList({
  'Translated wrongly':
    'The most probable target is none of those that the source has: word error rate, where sources are words.',
  'Symbols wrong':
    'Insertions, deletions and replacements to the nearest right target, of all symbols of those: phoneme or character error rate.',
  'Not among those followed': 'None of the targets that beam search ends with is right.',
});
