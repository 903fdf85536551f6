/** A chart of values by epoch as SVG that takes its colours from the page around it. No scripts. */

import { el, type Markup } from './markup.ts';
import { short } from './parts.ts';

export interface Series {
  readonly name: string;
  readonly values: readonly number[];
}

// narrow, so that its text can be read on a phone
const width = 480;
const height = 200;
const left = 64;
const right = 12;
const top = 12;
const bottom = 34;
const tickTarget = 4;

/**
 * Series of one value per epoch, the first being epoch 1. The vertical axis is logarithmic when values span a factor of 20. Undefined
 * without values.
 */
export function lineChart(series: readonly Series[], label: string): Markup | undefined {
  const values = series.flatMap((one) => one.values).filter(Number.isFinite);
  const epochs = Math.max(1, ...series.map((one) => one.values.length));
  if (values.length === 0) return undefined;
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const isLog = least > 0 && most / least > 20;
  const map = (value: number): number => (isLog ? Math.log10(value) : value);
  const [low, high] = most > least ? [map(least), map(most)] : [map(least) - 0.5, map(least) + 0.5];
  const x = (epoch: number): number => left + ((width - left - right) * (epoch - 1)) / Math.max(1, epochs - 1);
  const y = (value: number): number => top + ((height - top - bottom) * (high - map(value))) / (high - low);
  const lines = series.map(({ name, values: points }, i) => {
    const at = points.map((value, j) => [x(j + 1).toFixed(1), y(value).toFixed(1)] as const);
    const marks = at.length <= 60 ? at : [];
    return [
      el('polyline', { class: `c${i + 1}`, points: at.map((point) => point.join(',')).join(' ') }),
      marks.map(([cx, cy], j) =>
        el(
          'circle',
          { class: `c${i + 1}`, cx, cy, r: 2.5 },
          el('title', {}, `${name} after epoch ${j + 1}: ${short(points[j] ?? Number.NaN)}`),
        ),
      ),
    ];
  });
  const rules = (isLog ? powers(least, most) : ticks(low, high)).map((value) => {
    const level = y(value).toFixed(1);
    return [
      el('line', { class: 'rule', x1: left, x2: width - right, y1: level, y2: level }),
      el('text', { x: left - 8, y: level, dy: '.35em', 'text-anchor': 'end' }, short(value)),
    ];
  });
  const ends = [...new Set([1, epochs])].map((epoch) =>
    el('text', { x: x(epoch), y: height - bottom + 18, 'text-anchor': 'middle' }, epoch),
  );
  return el(
    'svg',
    { class: 'plot', viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': label },
    ...[rules, ends],
    el('text', { x: (left + width - right) / 2, y: height - 4, 'text-anchor': 'middle' }, 'epoch'),
    lines,
  );
}

/** 1, 2 and 5 times each power of ten within the range; the powers alone where that would be many. */
function powers(least: number, most: number): number[] {
  const first = Math.floor(Math.log10(least));
  const all = Array.from({ length: Math.ceil(Math.log10(most)) - first + 1 }, (_, i) => first + i);
  const within = (steps: readonly number[]): number[] =>
    all.flatMap((power) => steps.map((step) => step * 10 ** power)).filter((value) => value >= least && value <= most);
  const fine = within([1, 2, 5]);
  return fine.length <= 2 * tickTarget ? fine : within([1]);
}

/** Round numbers (1, 2 or 5 times a power of ten apart) within the range. */
function ticks(low: number, high: number): number[] {
  const rough = (high - low) / tickTarget;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10);
  const first = Math.ceil(low / step);
  return Array.from({ length: Math.floor(high / step) - first + 1 }, (_, i) => (first + i) * step);
}
