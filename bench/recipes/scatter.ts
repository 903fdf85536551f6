/** A scatter plot of two-dimensional codes, one colour for each class, as SVG. */

const side = 640;
const margin = 24;
const shown = 4000;
const colours = [
  '#1f77b4',
  '#ff7f0e',
  '#2ca02c',
  '#d62728',
  '#9467bd',
  '#8c564b',
  '#e377c2',
  '#7f7f7f',
  '#bcbd22',
  '#17becf',
];

/** The outermost 0.5 % on each side are cut off, so that a few far points do not shrink the rest. */
function limits(values: readonly number[]): readonly [number, number] {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.round(share * (sorted.length - 1))] ?? 0;
  return [at(0.005), at(0.995)];
}

export interface Plot {
  readonly title: string;
  readonly classNames: readonly string[];
}

/** `codes` is [rows, 2]. The first 4,000 rows are drawn. */
export function scatter(codes: Float32Array, labels: Uint8Array | Int32Array, { title, classNames }: Plot): string {
  const count = Math.min(shown, codes.length / 2);
  const axis = (d: 0 | 1) => Array.from({ length: count }, (_, i) => codes[2 * i + d] as number);
  const scale = (values: readonly number[]) => {
    const [low, high] = limits(values);
    return values.map((value) => margin + ((value - low) / (high - low || 1)) * (side - 2 * margin));
  };
  const [x, y] = [scale(axis(0)), scale(axis(1))];
  const classes = [...new Set(labels)].toSorted((a, b) => a - b);
  const groups = classes.map((label, n) => {
    const dots: string[] = [];
    for (let i = 0; i < count; i++) {
      const [cx, cy] = [x[i] as number, y[i] as number];
      if (labels[i] === label && cx > 0 && cx < side && cy > 0 && cy < side)
        dots.push(`M${cx.toFixed(1)} ${cy.toFixed(1)}h0`);
    }
    return `<path d="${dots.join('')}" stroke="${colours[n % colours.length]}" stroke-width="3" stroke-linecap="round" opacity=".6"/>`;
  });
  const legend = classes.map(
    (label, n) =>
      `<text x="${side + 12}" y="${margin + 20 * n}" fill="${colours[n % colours.length]}">${classNames[label] ?? label}</text>`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${side + 110} ${side}" font-family="sans-serif" font-size="14"><title>${title}</title><rect width="100%" height="100%" fill="#fff"/>${groups.join('')}${legend.join('')}</svg>\n`;
}
