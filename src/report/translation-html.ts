/** The parts of a report that only a model of pairs has. */

import { text } from './escape.ts';
import type { Report, TranslationScores } from './report.ts';

const percent = (value: number): string => `${(100 * value).toFixed(1)} %`;

export function translationFacts({ model, dataset }: Report, scores: TranslationScores): string {
  const facts: [string, string][] = [
    [percent(scores.sequenceErrors), 'of test sources translated wrongly'],
    [percent(scores.symbolErrors), 'of symbols wrong'],
    [percent(scores.bestErrors), 'not among the targets that are followed'],
    [dataset.trainRows.toLocaleString('en'), 'sources to train on'],
    ...(model.parameters === undefined ? [] : [[model.parameters.toLocaleString('en'), 'weights'] as [string, string]]),
  ];
  const list = facts.map(([value, what]) => `<li><b>${text(value)}</b><span>${text(what)}</span></li>`);
  return `<ul class="tiles">${list.join('')}</ul>`;
}

const card = (title: string, body: string): string => `<section class="card"><h2>${title}</h2>${body}</section>`;

export const translationFigures = (scores: TranslationScores): string =>
  `${byLength(scores)}${confusions(scores)}${examples(scores)}`;

function byLength({ lengths }: TranslationScores): string {
  const rows = lengths
    .filter(({ sources }) => sources >= 5)
    .map(({ length, sources, wrong }) => {
      const share = wrong / sources;
      const bar = `<i style="display:block;height:6px;width:${(100 * share).toFixed(0)}%;background:var(--series-1)"></i>`;
      return `<tr><td>${length}</td><td data-head="test sources">${sources.toLocaleString('en')}</td><td data-head="wrong" style="min-width:10rem">${percent(share)}${bar}</td></tr>`;
    });
  return card(
    'By the length of the source',
    `<div class="wide"><table><thead><tr><th>symbols</th><th scope="col">test sources</th><th scope="col">wrong</th></tr></thead><tbody>${rows.join('')}</tbody></table></div>`,
  );
}

function confusions({ confusions }: TranslationScores): string {
  if (confusions.length === 0) return '';
  const rows = confusions.map(
    ({ right, answered, count }) =>
      `<tr><td>${text(right)}</td><td data-head="answered">${text(answered)}</td><td data-head="times">${count.toLocaleString('en')}</td></tr>`,
  );
  return card(
    'Symbols that are taken for others',
    `<p class="soft">In wrong translations of the right length.</p><div class="wide"><table><thead><tr><th>right</th><th scope="col">answered</th><th scope="col">times</th></tr></thead><tbody>${rows.join('')}</tbody></table></div>`,
  );
}

function examples({ examples }: TranslationScores): string {
  const rows = examples.map(({ source, target, right }) => {
    const isRight = right.includes(target);
    return `<tr><td>${text(source)}</td><td data-head="answer"${isRight ? ' class="best"' : ''}>${text(target)}</td><td data-head="right">${text(right.join(' · '))}</td></tr>`;
  });
  return card(
    'Some test sources',
    `<div class="wide"><table><thead><tr><th>source</th><th scope="col">answer</th><th scope="col">right</th></tr></thead><tbody>${rows.join('')}</tbody></table></div>`,
  );
}

export const translationDefinitions = `<details><summary>What the figures mean</summary><dl>
<dt>Translated wrongly</dt><dd>The most probable target is none of those that the source has: word error rate, where sources are words.</dd>
<dt>Symbols wrong</dt><dd>Insertions, deletions and replacements to the nearest right target, of all symbols of those: phoneme or character error rate.</dd>
<dt>Not among those followed</dt><dd>None of the targets that beam search ends with is right.</dd></dl></details>`;
