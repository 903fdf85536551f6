/** A line chart as SVG that takes its colors from the page around it. Pure text, no scripts. */

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

/** Series of one value per epoch, the first being epoch 1. The vertical axis is logarithmic when values span a factor of 20. */
export function lineChart(series: readonly Series[], label: string): string {
  const values = series.flatMap((one) => one.values).filter(Number.isFinite);
  const epochs = Math.max(1, ...series.map((one) => one.values.length));
  if (values.length === 0) return '';
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const logarithmic = least > 0 && most / least > 20;
  const map = (value: number) => (logarithmic ? Math.log10(value) : value);
  const [low, high] = most > least ? [map(least), map(most)] : [map(least) - 0.5, map(least) + 0.5];
  const x = (epoch: number) => left + ((width - left - right) * (epoch - 1)) / Math.max(1, epochs - 1);
  const y = (value: number) => top + ((height - top - bottom) * (high - map(value))) / (high - low);
  const lines = series.map(({ values: points }, i) => {
    const at = points.map((value, j) => `${x(j + 1).toFixed(1)},${y(value).toFixed(1)}`);
    const marks = at.length <= 60 ? at.map((point) => mark(point, i)).join('') : '';
    return `<polyline class="s${i}" points="${at.join(' ')}"/>${marks}`;
  });
  const rules = ticks(low, high).map((tick) => {
    const value = logarithmic ? 10 ** tick : tick;
    const level = y(value).toFixed(1);
    return `<line class="rule" x1="${left}" x2="${width - right}" y1="${level}" y2="${level}"/><text x="${left - 8}" y="${level}" dy=".35em" text-anchor="end">${shown(value)}</text>`;
  });
  const ends = [...new Set([1, epochs])].map(
    (epoch) => `<text x="${x(epoch)}" y="${height - bottom + 18}" text-anchor="middle">${epoch}</text>`,
  );
  const axis = `<text x="${(left + width - right) / 2}" y="${height - 4}" text-anchor="middle">epoch</text>`;
  return `<svg class="chart" viewBox="0 0 ${width} ${height}" role="img" aria-label="${label}">${rules.join('')}${ends.join('')}${axis}${lines.join('')}</svg>`;
}

function mark(point: string, series: number): string {
  const [cx, cy] = point.split(',');
  return `<circle class="s${series}" cx="${cx}" cy="${cy}" r="2.5"/>`;
}

/** Round numbers (1, 2 or 5 times a power of ten apart) within the range. */
function ticks(low: number, high: number): number[] {
  const rough = (high - low) / tickTarget;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10);
  const first = Math.ceil(low / step);
  return Array.from({ length: Math.floor(high / step) - first + 1 }, (_, i) => (first + i) * step);
}

/** Four significant digits, without the zeros that they do not need. */
export const shown = (value: number): string => String(Number(value.toPrecision(4)));
