/** Charts of a report besides losses, as SVG that takes its colours from the page around it. Pure text, no scripts. */

import { text } from './escape.ts';

export interface PlotCurve {
  readonly name: string;
  /** number of its colour, from 1 */
  readonly colour: number;
  readonly points: readonly (readonly [x: number, y: number])[];
  readonly isDashed?: boolean;
}

// narrow, so that its text can be read on a phone
const [width, height] = [480, 280];
const [left, right, top, bottom] = [46, 14, 10, 42];

interface Frame {
  readonly x: (value: number) => number;
  readonly y: (value: number) => number;
}

const key = (curves: readonly Pick<PlotCurve, 'name' | 'colour'>[]): string =>
  `<p class="key">${curves.map(({ name, colour }) => `<span><i class="dot series-${colour}"></i> ${text(name)}</span>`).join('')}</p>`;

/** Curves over a logarithmic x; a curve of one point is a mark. */
export function ratePlot(
  curves: readonly PlotCurve[],
  { xLabel, yLabel, label }: { readonly xLabel: string; readonly yLabel: string; readonly label: string },
): string {
  const points = curves.flatMap((curve) => curve.points);
  const [x0, x1] = padded(points.map(([x]) => Math.log10(x)));
  const [y0, y1] = padded(points.map(([, y]) => y));
  const frame: Frame = {
    x: (value) => left + ((Math.log10(value) - x0) / (x1 - x0)) * (width - left - right),
    y: (value) => height - bottom - ((value - y0) / (y1 - y0)) * (height - top - bottom),
  };
  const powers = Array.from({ length: 9 }, (_, i) => i - 2).flatMap((power) =>
    [1, 2, 5].map((step) => step * 10 ** power),
  );
  const xTicks = powers.filter((value) => Math.log10(value) >= x0 && Math.log10(value) <= x1);
  const step = [1, 2, 5, 10, 20].find((one) => (y1 - y0) / one <= 7) ?? 50;
  const yTicks = Array.from({ length: 60 }, (_, i) => Math.ceil(y0 / step) * step + i * step).filter((y) => y <= y1);
  const rules = [
    ...xTicks.map((value) => vertical(frame.x(value), String(value))),
    ...yTicks.map((value) => horizontal(frame.y(value), String(value))),
  ];
  const drawn = curves.map(({ points: own, colour, isDashed }) => {
    const at = own.map(([x, y]) => [frame.x(x).toFixed(1), frame.y(y).toFixed(1)] as const);
    const dash = isDashed ? ' stroke-dasharray="5 4"' : '';
    const line =
      at.length > 1 ? `<path class="c${colour}" d="M${at.map((point) => point.join(' ')).join('L')}"${dash}/>` : '';
    const marks = at.map(([x, y]) => `<circle class="c${colour}" cx="${x}" cy="${y}" r="${at.length > 1 ? 2.5 : 5}"/>`);
    return line + marks.join('');
  });
  const axes = `<text x="${(left + width - right) / 2}" y="${height - 4}" text-anchor="middle">${text(xLabel)}</text><text x="12" y="${(top + height - bottom) / 2}" text-anchor="middle" transform="rotate(-90 12 ${(top + height - bottom) / 2})">${text(yLabel)}</text>`;
  return `${key(curves)}<svg class="plot" viewBox="0 0 ${width} ${height}" role="img" aria-label="${text(label)}">${rules.join('')}${axes}${drawn.join('')}</svg>`;
}

/** Points of a plane, a colour for each class. */
export function mapPlot(
  points: readonly (readonly [number, number])[],
  labels: readonly number[] | undefined,
  names: readonly string[],
  label: string,
): string {
  const side = 360;
  const [x0, x1] = padded(points.map(([x]) => x));
  const [y0, y1] = padded(points.map(([, y]) => y));
  const colour = (i: number): number => ((labels?.[i] ?? 0) % 12) + 1;
  const dots = points.map(([x, y], i) => {
    const at = [((x - x0) / (x1 - x0)) * side, side - ((y - y0) / (y1 - y0)) * side].map((value) => value.toFixed(1));
    return `<circle class="c${colour(i)}" cx="${at[0]}" cy="${at[1]}" r="2.6"/>`;
  });
  const classes = [...new Set(labels ?? [])].sort((a, b) => a - b);
  const keys =
    classes.length > 1 ? key(classes.map((one) => ({ name: names[one] ?? String(one), colour: (one % 12) + 1 }))) : '';
  return `${keys}<svg class="map" viewBox="0 0 ${side} ${side}" role="img" aria-label="${text(label)}">${dots.join('')}</svg>`;
}

const bins = 30;

/** How many of the values that quantiles stand for lie where. */
export function histogramPlot(quantiles: readonly number[], xLabel: string, label: string): string {
  const [low, high] = [quantiles[0] ?? 0, quantiles.at(-1) ?? 0];
  if (!(high > low)) return '';
  const tall = 150;
  const counts = new Array<number>(bins).fill(0);
  for (const value of quantiles) {
    const bin = Math.min(bins - 1, Math.floor(((value - low) / (high - low)) * bins));
    counts[bin] = (counts[bin] ?? 0) + 1;
  }
  const most = Math.max(...counts);
  const wide = (width - left - right) / bins;
  const bars = counts.map((count, i) => {
    const size = (count / most) * (tall - top - 34);
    return `<rect class="c1" x="${(left + i * wide).toFixed(1)}" y="${(tall - 34 - size).toFixed(1)}" width="${(wide - 1).toFixed(1)}" height="${size.toFixed(1)}"/>`;
  });
  const at = (value: number): number => left + ((value - low) / (high - low)) * (width - left - right);
  const ticks = [low, (low + high) / 2, high].map(
    (value, i) =>
      `<text x="${at(value).toFixed(1)}" y="${tall - 18}" text-anchor="${['start', 'middle', 'end'][i]}">${Number(value.toPrecision(3))}</text>`,
  );
  return `<svg class="plot" viewBox="0 0 ${width} ${tall}" role="img" aria-label="${text(label)}">${bars.join('')}${ticks.join('')}<text x="${(left + width - right) / 2}" y="${tall - 3}" text-anchor="middle">${text(xLabel)}</text></svg>`;
}

const vertical = (x: number, name: string): string =>
  `<line class="rule" x1="${x.toFixed(1)}" x2="${x.toFixed(1)}" y1="${top}" y2="${height - bottom}"/><text x="${x.toFixed(1)}" y="${height - bottom + 16}" text-anchor="middle">${name}</text>`;

const horizontal = (y: number, name: string): string =>
  `<line class="rule" x1="${left}" x2="${width - right}" y1="${y.toFixed(1)}" y2="${y.toFixed(1)}"/><text x="${left - 6}" y="${y.toFixed(1)}" dy=".35em" text-anchor="end">${name}</text>`;

/** A range with some room on both sides. */
function padded(values: readonly number[]): [number, number] {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const room = high > low ? 0.06 * (high - low) : 0.5;
  return [low - room, high + room];
}
