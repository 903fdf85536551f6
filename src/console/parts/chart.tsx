/** Curves by uPlot: colours of the page, a logarithmic scale on demand, values under the pointer. */

import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import { number } from '../format.ts';

export interface Curve {
  readonly label: string;
  /** [x, y], in any order */
  readonly points: readonly (readonly [number, number])[];
  /** which of the colours; default: its place */
  readonly colour?: number;
  readonly isDashed?: boolean;
  /** marks without a line */
  readonly isMarks?: boolean;
}

export interface ChartProps {
  readonly curves: readonly Curve[];
  readonly label: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly isLog?: boolean;
  readonly isLogX?: boolean;
  /** x counts something, such as epochs: marks at whole numbers, and the last values where nothing is pointed at */
  readonly countsX?: boolean;
  readonly height?: number;
}

/** How many colours the style sheet has; a class beyond them takes the first one with another mark. */
export const seriesCount = 12;

export const colourOf = (i: number): string =>
  getComputedStyle(document.documentElement)
    .getPropertyValue(`--series-${(i % seriesCount) + 1}`)
    .trim() || '#888';

const inkOf = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** All x in order, and the y of each curve there. */
function aligned(curves: readonly Curve[]): uPlot.AlignedData {
  const xs = [...new Set(curves.flatMap(({ points }) => points.map(([x]) => x)))].sort((a, b) => a - b);
  const at = new Map(xs.map((x, i) => [x, i]));
  const columns = curves.map(({ points }) => {
    const column: (number | null | undefined)[] = xs.map(() => undefined);
    for (const [x, y] of points) column[at.get(x) ?? 0] = Number.isFinite(y) ? y : null;
    return column;
  });
  return [xs, ...columns] as uPlot.AlignedData;
}

const wholeSteps = [1, 2, 5].flatMap((step) => [1, 10, 100, 1000, 10_000].map((power) => step * power));
wholeSteps.sort((a, b) => a - b);

/** The value of a curve under the pointer, or its last one. */
const lastOf = (column: ArrayLike<number | null | undefined> | undefined): number | undefined => {
  for (let i = (column?.length ?? 0) - 1; i >= 0; i--) {
    const value = column?.[i];
    if (value != null) return value;
  }
  return undefined;
};

export function Chart({
  curves,
  label,
  xLabel,
  yLabel,
  isLog = false,
  isLogX = false,
  countsX = false,
  height = 260,
}: ChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const shape = JSON.stringify([
    curves.map(({ points, ...rest }) => [rest, points.length < 40]),
    isLog,
    isLogX,
    countsX,
    height,
  ]);
  useEffect(() => {
    const home = box.current;
    if (!home) return;
    const make = (): void => {
      plot.current?.destroy();
      const axis = {
        stroke: inkOf('--quiet'),
        grid: { stroke: inkOf('--line'), width: 1 },
        ticks: { stroke: inkOf('--line') },
        font: '12px system-ui, sans-serif',
        labelFont: '12px system-ui, sans-serif',
      };
      const valueAt = (chart: uPlot, value: number | null | undefined, column: number): string => {
        if (value != null) return number(value);
        return countsX && chart.cursor.idx == null ? number(lastOf(chart.data[column])) : '';
      };
      const options: uPlot.Options = {
        width: home.clientWidth,
        height,
        scales: { x: { time: false, distr: isLogX ? 3 : 1 }, y: { distr: isLog ? 3 : 1 } },
        axes: [
          {
            ...axis,
            label: xLabel,
            labelSize: 20,
            size: 34,
            ...(countsX && { incrs: wholeSteps }),
            values: (_, values) => values.map((value) => (value == null ? '' : number(value))),
          },
          {
            ...axis,
            label: yLabel,
            labelSize: 20,
            size: 62,
            values: (_, values) => values.map((value) => (value == null ? '' : number(value))),
          },
        ],
        series: [
          { label: xLabel, value: (chart, value) => valueAt(chart, value, 0) },
          ...curves.map(
            ({ label: name, colour, isDashed, isMarks, points }, i): uPlot.Series => ({
              label: name,
              stroke: colourOf(colour ?? i),
              width: isMarks ? 0 : 2,
              spanGaps: true,
              ...(isDashed && { dash: [5, 4] }),
              points: {
                show: isMarks === true || points.length < 40,
                size: isMarks ? 9 : 5,
                fill: colourOf(colour ?? i),
              } as uPlot.Series.Points,
              value: (chart, value) => valueAt(chart, value, i + 1),
            }),
          ),
        ],
        cursor: { points: { size: 7 } },
        legend: { live: true },
      };
      plot.current = new uPlot(options, aligned(curves), home);
    };
    make();
    const resized = new ResizeObserver(() => plot.current?.setSize({ width: home.clientWidth, height }));
    resized.observe(home);
    const dark = matchMedia('(prefers-color-scheme: dark)');
    dark.addEventListener('change', make);
    return () => {
      resized.disconnect();
      dark.removeEventListener('change', make);
      plot.current?.destroy();
      plot.current = undefined;
    };
  }, [shape]);
  useEffect(() => plot.current?.setData(aligned(curves)), [curves]);
  return <div ref={box} class="chart" role="img" aria-label={label} />;
}
