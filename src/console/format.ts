/** Numbers, times and sizes as people read them. */

import type { DatasetInfo } from '../sdk/index.ts';

type Counted = Pick<DatasetInfo, 'shape' | 'sizes' | 'ratings' | 'documents' | 'series' | 'pairs'>;

export function ago(iso: string | undefined, now = Date.now()): string {
  if (iso === undefined) return '–';
  const seconds = (now - Date.parse(iso)) / 1000;
  // an age in seconds matters only while it is young
  return `${duration(seconds < 60 ? seconds : 60 * Math.floor(seconds / 60))} ago`;
}

export function duration(seconds: number | undefined): string {
  if (seconds === undefined || !Number.isFinite(seconds)) return '–';
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60 > 0 && s < 600 ? `${s % 60} s` : ''}`.trim();
  if (s < 86_400) return `${Math.floor(s / 3600)} h ${Math.round((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86_400)} d ${Math.round((s % 86_400) / 3600)} h`;
}

/** Four significant digits; very small and very large ones with an exponent. */
export function number(value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value)) return '–';
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e10) return value.toLocaleString('en');
  if (size !== 0 && (size < 1e-4 || size >= 1e7)) return value.toExponential(2);
  return Number(value.toPrecision(4)).toLocaleString('en', { maximumFractionDigits: 6 });
}

export function bytes(value: number | undefined): string {
  if (value === undefined) return '–';
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const power = value < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(value) / 3));
  return `${(value / 1000 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`;
}

export const shapeText = (shape: readonly number[]): string => shape.join(' × ');

export const time = (iso: string | undefined): string =>
  iso === undefined ? '–' : new Date(iso).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short' });

/** What one row of a data set is, with its unit: `28 × 28 × 1`, `any size, up to 481 × 481`, `96 steps`, `1,574 words`. */
export function rowText({ shape, sizes, ratings, documents, series, pairs }: Counted): string {
  const [first = 0, second = 1] = shape;
  if (sizes === 'mixed') return `any size, up to ${first} × ${second}`;
  if (ratings) return `${number(first)} items`;
  if (documents) return `${number(first)} words`;
  if (series) return `${number(first)} steps${second > 1 ? ` of ${second} channels` : ''}`;
  if (pairs) return `${pairs.sourceLength} → ${pairs.targetLength} symbols`;
  return shape.length === 1 ? `${number(first)} ${first === 1 ? 'value' : 'values'}` : shapeText(shape);
}

/** The type of model that a new job on a data set begins with. */
export function firstModelOf({ shape, sizes, ratings, documents, series, pairs }: Counted): string {
  if (ratings) return 'autorec';
  if (documents) return 'topics';
  if (series) return 'sequence';
  if (pairs) return 'sequence-to-sequence';
  if (sizes === 'mixed') return 'picture';
  // noise is added to pictures; a table's columns seldom have one scale
  return shape.length === 3 ? 'denoising' : 'dense';
}

/** What rows of a data set are called. */
export function rowsName({ shape, sizes, ratings, documents, series, pairs }: Counted): string {
  if (ratings) return 'people';
  if (documents) return 'documents';
  if (series) return 'series';
  if (pairs) return 'pairs';
  return sizes === 'mixed' || shape.length === 3 ? 'pictures' : 'rows';
}
