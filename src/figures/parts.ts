/** What all parts of a report are made of: sections, tiles, tables, numbers as people read them. */

import { type Child, el, type Markup } from './markup.ts';

export interface Section {
  readonly title: string;
  readonly body: readonly Child[];
}

export const section = (title: string, ...body: readonly Child[]): Section => ({ title, body });

/** A section as a card with its heading. */
export const card = ({ title, body }: Section): Markup => el('section', { class: 'card' }, el('h2', {}, title), body);

export const note = (...text: readonly Child[]): Markup => el('p', { class: 'quiet' }, text);

/** Figures that are read first: value and meaning. */
export const tiles = (facts: readonly (readonly [value: string, meaning: string])[]): Markup =>
  el(
    'ul',
    { class: 'tiles' },
    facts.map(([value, meaning]) => el('li', {}, el('b', {}, value), el('span', {}, meaning))),
  );

export interface TableHead {
  readonly name: string;
  /** cells are text, on the left */
  readonly isText?: boolean;
}

export interface Cell {
  readonly content: Child;
  readonly isBest?: boolean;
}

/** A table whose rows become blocks on a phone. The first column names the rows. */
export function table(
  first: string,
  heads: readonly TableHead[],
  rows: readonly { readonly name: Child; readonly cells: readonly Cell[] }[],
): Markup {
  const textClass = (head: TableHead | undefined): string | undefined => (head?.isText ? 'text' : undefined);
  const classOf = (cell: Cell, head: TableHead | undefined): string | undefined =>
    [cell.isBest && 'best', head?.isText && 'text'].filter(Boolean).join(' ') || undefined;
  return el(
    'div',
    { class: 'wide' },
    el(
      'table',
      {},
      el(
        'thead',
        {},
        el(
          'tr',
          {},
          el('th', {}, first),
          heads.map((head) => el('th', { scope: 'col', class: textClass(head) }, head.name)),
        ),
      ),
      el(
        'tbody',
        {},
        rows.map(({ name, cells }) =>
          el(
            'tr',
            {},
            el('td', {}, name),
            cells.map((cell, i) =>
              el('td', { 'data-head': heads[i]?.name, class: classOf(cell, heads[i]) }, cell.content),
            ),
          ),
        ),
      ),
    ),
  );
}

export interface ScoreHead {
  readonly name: string;
  readonly best: 'least' | 'most';
  readonly show: (value: number) => string;
}

/** Scores of several, the best of each column marked. */
export function scoreTable(
  heads: readonly ScoreHead[],
  lines: readonly { readonly name: string; readonly values: readonly (number | undefined)[] }[],
): Markup {
  const winners = heads.map(({ best }, column) => {
    const known = lines.flatMap(({ values }) => values[column] ?? []);
    return best === 'least' ? Math.min(...known) : Math.max(...known);
  });
  return table(
    '',
    heads,
    lines.map(({ name, values }) => ({
      name,
      cells: heads.map(({ show }, column) => {
        const value = values[column];
        return { content: value === undefined ? '–' : show(value), isBest: value === winners[column] };
      }),
    })),
  );
}

/** What cannot be seen of a figure itself, folded. */
export const definitionList = (entries: Readonly<Record<string, string>>): Markup =>
  el(
    'details',
    {},
    el('summary', {}, 'What the figures mean'),
    el(
      'dl',
      {},
      Object.entries(entries).map(([term, meaning]) => [el('dt', {}, term), el('dd', {}, meaning)]),
    ),
  );

/** Names of what is drawn, with their colours (numbers from 1). */
export const legend = (entries: readonly { readonly name: string; readonly colour: number }[]): Markup =>
  el(
    'p',
    { class: 'key' },
    entries.map(({ name, colour }) => el('span', {}, el('i', { class: `dot series-${colour}` }), ` ${name}`)),
  );

/** A share of 1 as a bar that fills its cell. */
export const shareBar = (share: number): Markup =>
  el(
    'svg',
    { class: 'share', viewBox: '0 0 100 6', preserveAspectRatio: 'none', 'aria-hidden': 'true' },
    el('rect', { class: 'c1', width: Number((100 * share).toFixed(1)), height: 6 }),
  );

export const percent = (value: number): string => `${(100 * value).toFixed(1)} %`;
export const decibels = (value: number): string => value.toFixed(2);
export const counted = (value: number): string => value.toLocaleString('en');
/** Four significant digits, without the zeros that they do not need. */
export const short = (value: number): string => String(Number(value.toPrecision(4)));
