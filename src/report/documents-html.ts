/** The parts of a report that only a model of documents has. */

import { text } from './escape.ts';
import type { DocumentScores, Report } from './report.ts';

const percent = (value: number): string => `${(100 * value).toFixed(1)} %`;

export function documentFacts({ model, dataset }: Report, scores: DocumentScores): string {
  const [words = 0] = dataset.shape;
  const [code = 0] = model.codeShape;
  const { npmi, perplexity, neighbours } = scores;
  const facts: [string, string][] = [
    [`${dataset.trainRows.toLocaleString('en')} × ${words.toLocaleString('en')}`, 'documents × words'],
    [code.toLocaleString('en'), scores.codes === 'bits' ? 'bits of a code' : 'topics'],
    ...(npmi === undefined ? [] : [[npmi.toFixed(3), 'NPMI of the topics'] as [string, string]]),
    ...(perplexity === undefined ? [] : [[perplexity.toFixed(0), perplexityName(scores)] as [string, string]]),
    ...(neighbours
      ? [[percent(neighbours.model), `of the ${neighbours.counted} nearest are of the same class`] as [string, string]]
      : []),
  ];
  const list = facts.map(([value, what]) => `<li><b>${text(value)}</b><span>${text(what)}</span></li>`);
  return `<ul class="tiles">${list.join('')}</ul>`;
}

const perplexityName = ({ codes }: DocumentScores): string =>
  codes === 'bits' ? 'perplexity of test documents, given their codes' : 'perplexity of test documents';

export function documentFigures(scores: DocumentScores): string {
  return `${nearest(scores)}${topics(scores)}${examples(scores)}`;
}

function nearest({ neighbours, codes }: DocumentScores): string {
  if (!neighbours) return '';
  const { model, tfidf, lsa, chance, counted, documents } = neighbours;
  const lines = [
    [codes === 'bits' ? 'this model, by its bits' : 'this model, by its topics', model],
    ['TF-IDF', tfidf],
    ['LSA of the same size', lsa],
    ['documents at random', chance],
  ] as const;
  const best = Math.max(...lines.map(([, value]) => value));
  const rows = lines.map(
    ([name, value]) =>
      `<tr><td>${name}</td><td data-head="precision"${value === best ? ' class="best"' : ''}>${percent(value)}</td></tr>`,
  );
  return `<section class="card"><h2>Nearest documents</h2><p class="soft">Of the ${counted} training documents nearest to each of ${documents.toLocaleString('en')} test documents, how many are of its class.</p><div class="wide"><table><thead><tr><th></th><th scope="col">precision</th></tr></thead><tbody>${rows.join('')}</tbody></table></div></section>`;
}

function topics({ topics }: DocumentScores): string {
  if (topics.length === 0) return '';
  const order = topics.map((topic, number) => ({ ...topic, number })).toSorted((a, b) => b.npmi - a.npmi);
  const widest = Math.max(...topics.map(({ share }) => share));
  const rows = order.map(({ number, npmi, share, words }) => {
    const bar = `<i style="display:block;height:6px;width:${((100 * share) / widest).toFixed(0)}%;background:var(--series-1)"></i>`;
    return `<tr><td>${number}</td><td data-head="words" style="text-align:left;white-space:normal">${text(words.slice(0, 10).join(' · '))}${bar}</td><td data-head="NPMI">${npmi.toFixed(2)}</td><td data-head="share">${percent(share)}</td></tr>`;
  });
  return `<section class="card"><h2>Topics</h2><p class="soft">The most coherent first; bars show the share of all documents.</p><div class="wide"><table><thead><tr><th>topic</th><th scope="col" style="text-align:left">words</th><th scope="col">NPMI</th><th scope="col">share</th></tr></thead><tbody>${rows.join('')}</tbody></table></div></section>`;
}

type Shown = DocumentScores['examples'][number]['document'];
const nameOf = ({ document, begins, class: label }: Shown): string =>
  `<b>${text(document)}</b>${label === undefined ? '' : ` (${text(label)})`}${begins === undefined ? '' : `<br>${text(begins)}`}`;

function examples({ examples }: DocumentScores): string {
  if (examples.length === 0) return '';
  const rows = examples.map(({ document, nearest }) => {
    const found = nearest.map((near) => `<p>${nameOf(near)}</p>`).join('');
    return `<tr><td style="vertical-align:top">${nameOf(document)}</td><td data-head="nearest" style="text-align:left;white-space:normal">${found}</td></tr>`;
  });
  return `<section class="card"><h2>Some test documents and the nearest to them</h2><div class="wide"><table><thead><tr><th>test document</th><th scope="col" style="text-align:left">nearest training documents</th></tr></thead><tbody>${rows.join('')}</tbody></table></div></section>`;
}

export const documentDefinitions = `<details><summary>What the figures mean</summary><dl>
<dt>NPMI</dt><dd>How often the first ten words of a topic come together in documents, beyond chance: 1 always, 0 as by chance, −1 never. Over the training documents.</dd>
<dt>Perplexity</dt><dd>e to the mean surprise of a word of a test document, in nats; of a model of topics by the evidence bound, which pays for the mixture of topics as well. As if each word were drawn from so many equally likely ones.</dd>
<dt>Nearest documents</dt><dd>By equal bits or by like mixtures of topics; TF-IDF by the cosine of all words, rare ones counting more; LSA by the cosine in the best plane of as many dimensions as the code has.</dd></dl></details>`;
