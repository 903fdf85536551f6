/** Charts as SVG that takes its colours from the page around it: rate and quality, points of a plane, histograms. No scripts. */

import { el, type Markup } from './markup.ts';
import { legend, short } from './parts.ts';

export interface PlotCurve {
  readonly name: string;
  /** number of its colour, from 1 */
  readonly colour: number;
  readonly points: readonly (readonly [x: number, y: number])[];
  readonly isDashed?: boolean;
  /** points that no line connects */
  readonly isMarks?: boolean;
}

export interface AxisNames {
  readonly xLabel: string;
  readonly yLabel: string;
  /** for whoever cannot see the chart */
  readonly label: string;
}

// narrow, so that its text can be read on a phone
const [width, height] = [480, 280];
const [left, right, top, bottom] = [46, 14, 10, 42];

interface Scale {
  readonly x: (value: number) => number;
  readonly y: (value: number) => number;
}

/** Curves over a logarithmic x; a curve of one point is a mark. The values of a point are its title. */
export function ratePlot(curves: readonly PlotCurve[], { xLabel, yLabel, label }: AxisNames): Markup[] {
  const points = curves.flatMap((curve) => curve.points);
  const [x0, x1] = padded(points.map(([x]) => Math.log10(x)));
  const [y0, y1] = padded(points.map(([, y]) => y));
  const scale: Scale = {
    x: (value) => left + ((Math.log10(value) - x0) / (x1 - x0)) * (width - left - right),
    y: (value) => height - bottom - ((value - y0) / (y1 - y0)) * (height - top - bottom),
  };
  const powers = Array.from({ length: 9 }, (_, i) => i - 2).flatMap((power) =>
    [1, 2, 5].map((step) => step * 10 ** power),
  );
  const xTicks = powers.filter((value) => Math.log10(value) >= x0 && Math.log10(value) <= x1);
  const step = [1, 2, 5, 10, 20].find((one) => (y1 - y0) / one <= 7) ?? 50;
  const yTicks = Array.from({ length: 60 }, (_, i) => Math.ceil(y0 / step) * step + i * step).filter((y) => y <= y1);
  const middle = (top + height - bottom) / 2;
  return [
    legend(curves),
    el(
      'svg',
      { class: 'plot', viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': label },
      xTicks.map((value) => vertical(scale.x(value), short(value))),
      yTicks.map((value) => horizontal(scale.y(value), short(value))),
      el('text', { x: (left + width - right) / 2, y: height - 4, 'text-anchor': 'middle' }, xLabel),
      el('text', { x: 12, y: middle, 'text-anchor': 'middle', transform: `rotate(-90 12 ${middle})` }, yLabel),
      curves.map((curve) => drawnCurve(curve, scale, { xLabel, yLabel })),
    ),
  ];
}

function drawnCurve(
  { name, points, colour, isDashed, isMarks }: PlotCurve,
  { x, y }: Scale,
  { xLabel, yLabel }: Pick<AxisNames, 'xLabel' | 'yLabel'>,
): (Markup | undefined)[] {
  const at = points.map((point) => [x(point[0]).toFixed(1), y(point[1]).toFixed(1)] as const);
  const isLine = at.length > 1 && !isMarks;
  return [
    isLine
      ? el('path', {
          class: `c${colour}`,
          d: `M${at.map((point) => point.join(' ')).join('L')}`,
          'stroke-dasharray': isDashed ? '5 4' : undefined,
        })
      : undefined,
    ...at.map(([cx, cy], i) => {
      const [own, quality] = points[i] ?? [0, 0];
      const title = `${name}: ${short(own)} ${xLabel}, ${short(quality)} (${yLabel})`;
      return el('circle', { class: `c${colour}`, cx, cy, r: isLine ? 2.5 : 5 }, el('title', {}, title));
    }),
  ];
}

/** side of a map, in its own units */
export const mapSide = 360;
/** how many colours there are; a class beyond them takes the first one again, with another mark */
export const colours = 12;

export interface MapScale {
  readonly toPlace: (point: readonly number[]) => readonly [x: number, y: number];
  readonly toPoint: (place: readonly [x: number, y: number]) => [number, number];
}

/** Between points and places of a map. */
export function mapScale(points: readonly (readonly number[])[]): MapScale {
  const [x0, x1] = padded(points.map(([x = 0]) => x));
  const [y0, y1] = padded(points.map(([, y = 0]) => y));
  return {
    toPlace: ([x = 0, y = 0]) => [((x - x0) / (x1 - x0)) * mapSide, mapSide - ((y - y0) / (y1 - y0)) * mapSide],
    toPoint: ([left, up]) => [x0 + (left / mapSide) * (x1 - x0), y0 + ((mapSide - up) / mapSide) * (y1 - y0)],
  };
}

/** The points of a map, a colour for each class: what stands in its `svg`. */
export function mapMarks(
  points: readonly (readonly number[])[],
  labels: readonly number[] | undefined,
  { toPlace }: MapScale,
): Markup[] {
  return points.map((point, i) => {
    const [x, y] = toPlace(point);
    return mark(x, y, labels?.[i] ?? 0);
  });
}

const round = (value: number): number => Number(value.toFixed(1));

function mark(x: number, y: number, of: number): Markup {
  const name = `c${(of % colours) + 1}`;
  switch (markOf(of)) {
    case 'disc':
      return el('circle', { class: name, cx: round(x), cy: round(y), r: 2.6 });
    case 'square':
      return el('rect', { class: name, x: round(x - 2.5), y: round(y - 2.5), width: 5, height: 5 });
    default:
      return el('polygon', {
        class: name,
        points: `${round(x)},${round(y - 3.5)} ${round(x + 3.5)},${round(y + 2.5)} ${round(x - 3.5)},${round(y + 2.5)}`,
      });
  }
}

const marks = ['disc', 'square', 'triangle'] as const;

const markOf = (of: number): (typeof marks)[number] => marks[Math.floor(of / colours) % marks.length] ?? 'disc';

/** Colours and marks of classes; undefined where there is but one. */
export function classLegend(labels: readonly number[] | undefined, names: readonly string[]): Markup | undefined {
  const classes = [...new Set(labels ?? [])].sort((a, b) => a - b);
  if (classes.length < 2) return undefined;
  return el(
    'p',
    { class: 'key' },
    classes.map((one) =>
      el(
        'span',
        {},
        el('i', { class: `dot ${markOf(one)} series-${(one % colours) + 1}` }),
        ` ${names[one] ?? String(one)}`,
      ),
    ),
  );
}

export function mapPlot(
  points: readonly (readonly number[])[],
  labels: readonly number[] | undefined,
  names: readonly string[],
  label: string,
): (Markup | undefined)[] {
  return [
    classLegend(labels, names),
    el(
      'svg',
      { class: 'map', viewBox: `0 0 ${mapSide} ${mapSide}`, role: 'img', 'aria-label': label },
      mapMarks(points, labels, mapScale(points)),
    ),
  ];
}

const bins = 30;
const histogramHeight = 150;

export interface Histogram {
  readonly name: string;
  readonly colour: number;
  readonly values: readonly number[];
}

/** How many values lie where, of one or several beside each other in the same bins. Undefined where all values are equal. */
export function histogramPlot(of: readonly Histogram[], xLabel: string, label: string): Markup | undefined {
  const all = of.flatMap(({ values }) => values);
  const [low, high] = [all.reduce((a, b) => Math.min(a, b), Infinity), all.reduce((a, b) => Math.max(a, b), -Infinity)];
  if (!(high > low)) return undefined;
  const counts = of.map(({ values }) => countsIn(values, low, high));
  const most = Math.max(...counts.flat());
  const base = histogramHeight - 34;
  const wide = (width - left - right) / bins;
  const bars = counts.flatMap((own, one) =>
    own.map((count, bin) => {
      const size = (count / most) * (base - top);
      return el('rect', {
        ...{ class: `c${of[one]?.colour ?? 1}`, 'fill-opacity': of.length > 1 ? 0.55 : undefined },
        ...{ x: round(left + bin * wide), y: round(base - size), width: round(wide - 1), height: round(size) },
      });
    }),
  );
  const place = (value: number): number => left + ((value - low) / (high - low)) * (width - left - right);
  const ticks = [low, (low + high) / 2, high].map((value, i) =>
    el(
      'text',
      { x: round(place(value)), y: histogramHeight - 18, 'text-anchor': ['start', 'middle', 'end'][i] },
      String(Number(value.toPrecision(3))),
    ),
  );
  return el(
    'svg',
    { class: 'plot', viewBox: `0 0 ${width} ${histogramHeight}`, role: 'img', 'aria-label': label },
    el('text', { x: left - 6, y: top + 8, 'text-anchor': 'end' }, String(most)),
    el('line', { class: 'rule', x1: left, x2: width - right, y1: base, y2: base }),
    ...[bars, ticks],
    el('text', { x: (left + width - right) / 2, y: histogramHeight - 3, 'text-anchor': 'middle' }, xLabel),
  );
}

function countsIn(values: readonly number[], low: number, high: number): number[] {
  const counts = new Array<number>(bins).fill(0);
  for (const value of values) {
    const bin = Math.min(bins - 1, Math.floor(((value - low) / (high - low)) * bins));
    counts[bin] = (counts[bin] ?? 0) + 1;
  }
  return counts;
}

const vertical = (x: number, name: string): Markup[] => [
  el('line', { class: 'rule', x1: round(x), x2: round(x), y1: top, y2: height - bottom }),
  el('text', { x: round(x), y: height - bottom + 16, 'text-anchor': 'middle' }, name),
];

const horizontal = (y: number, name: string): Markup[] => [
  el('line', { class: 'rule', x1: left, x2: width - right, y1: round(y), y2: round(y) }),
  el('text', { x: left - 6, y: round(y), dy: '.35em', 'text-anchor': 'end' }, name),
];

/** A range with some room on both sides. */
function padded(values: readonly number[]): [number, number] {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const room = high > low ? 0.06 * (high - low) : 0.5;
  return [low - room, high + room];
}
