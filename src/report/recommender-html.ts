/** The parts of a report that only a model of ratings has. */

import { text } from './escape.ts';
import type { Recommendation, Report } from './report.ts';

const percent = (value: number): string => `${(100 * value).toFixed(1)} %`;

export function recommendationFacts({ model, dataset }: Report, { rating, ranking }: Recommendation): string {
  const [items = 0] = dataset.shape;
  const facts: [string, string][] = [
    [`${dataset.trainRows.toLocaleString('en')} × ${items.toLocaleString('en')}`, 'people × items'],
    ...(rating ? [[rating.model.rmse.toFixed(4), 'RMSE of held-out ratings'] as [string, string]] : []),
    [percent(ranking.model.recall20), 'recall at 20'],
    [ranking.model.ndcg100.toFixed(4), 'NDCG at 100'],
    ...(model.parameters === undefined ? [] : [[model.parameters.toLocaleString('en'), 'weights'] as [string, string]]),
  ];
  const list = facts.map(([value, what]) => `<li><b>${text(value)}</b><span>${text(what)}</span></li>`);
  return `<ul class="tiles">${list.join('')}</ul>`;
}

interface Line {
  readonly name: string;
  readonly values: readonly number[];
}

interface Head {
  readonly name: string;
  readonly best: 'least' | 'most';
}

function table(heads: readonly Head[], lines: readonly Line[]): string {
  const rows = lines.map(({ name, values }) => {
    const cells = heads.map(({ name: head, best }, column) => {
      const all = lines.map((line) => line.values[column] as number);
      const wins = values[column] === (best === 'least' ? Math.min(...all) : Math.max(...all));
      return `<td data-head="${text(head)}"${wins ? ' class="best"' : ''}>${(values[column] as number).toFixed(4)}</td>`;
    });
    return `<tr><td>${text(name)}</td>${cells.join('')}</tr>`;
  });
  const head = heads.map(({ name }) => `<th scope="col">${text(name)}</th>`).join('');
  return `<div class="wide"><table><thead><tr><th></th>${head}</tr></thead><tbody>${rows.join('')}</tbody></table></div>`;
}

export function recommendationFigures({ rating, ranking, people, positive, examples }: Recommendation): string {
  const rated = rating
    ? `<section class="card"><h2>Held-out ratings</h2>${table(
        [
          { name: 'RMSE', best: 'least' },
          { name: 'MAE', best: 'least' },
        ],
        [
          { name: 'this model', values: [rating.model.rmse, rating.model.mae] },
          { name: 'biases of people and items', values: [rating.biases.rmse, rating.biases.mae] },
        ],
      )}</section>`
    : '';
  const ranked = [
    { name: 'this model', scores: ranking.model },
    { name: 'popularity', scores: ranking.popularity },
    ...(ranking.ease ? [{ name: 'EASE, λ 200', scores: ranking.ease }] : []),
  ];
  const liked = positive > 0 ? ` rated ${positive} or higher` : '';
  return `${rated}<section class="card"><h2>Ranking of items not seen</h2><p class="soft">Held-out items${liked} of ${people.toLocaleString('en')} people are to come first.</p>${table(
    [
      { name: 'recall at 20', best: 'most' },
      { name: 'NDCG at 100', best: 'most' },
    ],
    ranked.map(({ name, scores }) => ({ name, values: [scores.recall20, scores.ndcg100] })),
  )}</section>${shown(examples)}`;
}

const nameOf = ({ item, name }: { item: string; name?: string }): string => name ?? item;

function shown(examples: Recommendation['examples']): string {
  if (examples.length === 0) return '';
  const rows = examples.map(({ liked, recommended }, i) => {
    const hits = recommended.map((one) => (one.hit ? `<b class="best">${text(nameOf(one))}</b>` : text(nameOf(one))));
    return `<tr><td>person ${i + 1}</td><td data-head="rated highest" style="text-align:left;white-space:normal">${liked.map((one) => text(nameOf(one))).join(' · ')}</td><td data-head="recommended" style="text-align:left;white-space:normal">${hits.join(' · ')}</td></tr>`;
  });
  return `<section class="card"><h2>What some people are recommended</h2><p class="soft">Held-out items that the person really rated are marked.</p><div class="wide"><table><thead><tr><th></th><th scope="col" style="text-align:left">rated highest</th><th scope="col" style="text-align:left">recommended</th></tr></thead><tbody>${rows.join('')}</tbody></table></div></section>`;
}

export const ratingDefinitions = `<details><summary>What the figures mean</summary><dl>
<dt>RMSE, MAE</dt><dd>Root of the mean squared, and mean absolute, difference of a held-out rating and the predicted one.</dd>
<dt>Recall at 20</dt><dd>Of the items held out of a person's, how many are among the first 20 that the person has not seen, of at most 20; averaged over people.</dd>
<dt>NDCG at 100</dt><dd>A held-out item at place k counts 1/log₂(k + 1); the sum over the first 100, of the best possible one.</dd>
<dt>Popularity, EASE, biases</dt><dd>Items by the number of their ratings; the linear autoencoder in closed form; the mean rating, and how far each person and item is from it.</dd></dl></details>`;
