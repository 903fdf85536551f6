/** Codes of two numbers as a map: a point for each row, coloured by class. Points can be looked at, decoded and connected. */

import { useEffect, useRef, useState } from 'preact/hooks';
import { number } from '../format.ts';
import { theme } from '../theme.ts';
import { colourOf, seriesCount } from './chart.tsx';

export interface LatentMapProps {
  readonly points: readonly (readonly number[])[];
  readonly labels?: readonly number[] | undefined;
  readonly classNames?: readonly string[] | undefined;
  readonly label: string;
  /** the pointer is on the point of a row, or on none */
  readonly onHover?: (row: number | undefined) => void;
  /** a place was chosen */
  readonly onChoose?: (code: readonly [number, number]) => void;
  /** a way from one place to another was drawn */
  readonly onDrag?: (from: readonly [number, number], to: readonly [number, number]) => void;
}

const side = 420;
const margin = 14;
const nearby = 12;

export function LatentMap({ points, labels, classNames, label, onHover, onChoose, onDrag }: LatentMapProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const pressed = useRef<readonly [number, number] | undefined>(undefined);
  const [cursor, setCursor] = useState<readonly [number, number] | undefined>(undefined);
  const [x0, x1] = extent(points, 0);
  const [y0, y1] = extent(points, 1);
  const inner = side - 2 * margin;
  const toPixel = ([x = 0, y = 0]: readonly number[]): [number, number] => [
    margin + ((x - x0) / (x1 - x0)) * inner,
    side - margin - ((y - y0) / (y1 - y0)) * inner,
  ];
  const toCode = ([left, top]: readonly [number, number]): [number, number] => [
    x0 + ((left - margin) / inner) * (x1 - x0),
    y0 + ((side - margin - top) / inner) * (y1 - y0),
  ];
  useEffect(() => {
    const context = canvas.current?.getContext('2d');
    if (!context) return;
    context.clearRect(0, 0, side, side);
    context.globalAlpha = 0.85;
    const colours = Array.from({ length: seriesCount }, (_, i) => colourOf(i));
    for (const [i, point] of points.entries()) {
      const [left, top] = toPixel(point);
      context.fillStyle = colours[(labels?.[i] ?? 0) % seriesCount] ?? '';
      drawMark(context, left, top, markOf(labels?.[i] ?? 0));
    }
    if (!cursor) return;
    const [left, top] = toPixel(cursor);
    context.globalAlpha = 1;
    context.strokeStyle = getComputedStyle(context.canvas).color;
    context.lineWidth = 2;
    context.strokeRect(left - 6, top - 6, 12, 12);
  }, [points, labels, cursor, x0, x1, y0, y1, theme.value]);

  const at = (event: MouseEvent): [number, number] => {
    const box = (event.currentTarget as HTMLElement).getBoundingClientRect();
    const scale = side / box.width;
    return [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
  };
  const hover = (event: MouseEvent): void => {
    if (!onHover) return;
    const [left, top] = at(event);
    let [best, distance] = [-1, nearby];
    for (const [i, point] of points.entries()) {
      const [x, y] = toPixel(point);
      const away = Math.hypot(x - left, y - top);
      if (away < distance) [best, distance] = [i, away];
    }
    onHover(best < 0 ? undefined : best);
  };
  const choose = (code: readonly [number, number]): void => {
    setCursor(code);
    onChoose?.(code);
  };
  const release = (event: MouseEvent): void => {
    const from = pressed.current;
    pressed.current = undefined;
    if (!from) return;
    const to = at(event);
    if (Math.hypot(to[0] - from[0], to[1] - from[1]) > nearby) onDrag?.(toCode(from), toCode(to));
    else choose(toCode(to));
  };
  const step = (event: KeyboardEvent): void => {
    const [dx, dy] = ({ ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] } as const)[
      event.key as 'ArrowLeft'
    ] ?? [0, 0];
    if (dx === 0 && dy === 0) return;
    event.preventDefault();
    const [x, y] = cursor ?? [(x0 + x1) / 2, (y0 + y1) / 2];
    choose([x + (dx * (x1 - x0)) / 30, y + (dy * (y1 - y0)) / 30]);
  };
  const canAct = onChoose !== undefined;
  const classes = [...new Set(labels ?? [])].sort((a, b) => a - b);
  return (
    <div class="latent">
      <canvas
        ref={canvas}
        width={side}
        height={side}
        role="img"
        aria-label={canAct ? `${label}. Arrow keys move the place that is decoded.` : label}
        tabIndex={canAct ? 0 : -1}
        onMouseMove={hover}
        onMouseLeave={() => onHover?.(undefined)}
        onMouseDown={(event) => {
          if (canAct) pressed.current = at(event);
        }}
        onMouseUp={release}
        onKeyDown={canAct ? step : undefined}
      />
      {cursor && (
        <p class="quiet">
          code {number(cursor[0])}, {number(cursor[1])}
        </p>
      )}
      {classes.length > 1 && (
        <ul class="legend">
          {classes.map((one) => (
            <li key={one}>
              <Dot of={one} /> {classNames?.[one] ?? one}
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

const marks = ['disc', 'square', 'triangle'] as const;
type Mark = (typeof marks)[number];

/** Classes share colours from the thirteenth on, but not their marks. */
const markOf = (one: number): Mark => marks[Math.floor(one / seriesCount) % marks.length] ?? 'disc';

function Dot({ of }: { of: number }) {
  return <i class={`dot ${markOf(of)} series-${(of % seriesCount) + 1}`} />;
}

function drawMark(context: CanvasRenderingContext2D, x: number, y: number, mark: Mark): void {
  context.beginPath();
  if (mark === 'disc') context.arc(x, y, 3.2, 0, 2 * Math.PI);
  else if (mark === 'square') context.rect(x - 3, y - 3, 6, 6);
  else {
    context.moveTo(x, y - 4);
    context.lineTo(x + 4, y + 3);
    context.lineTo(x - 4, y + 3);
  }
  context.fill();
}

function extent(points: readonly (readonly number[])[], axis: 0 | 1): [number, number] {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const point of points) {
    low = Math.min(low, point[axis] ?? 0);
    high = Math.max(high, point[axis] ?? 0);
  }
  return high > low ? [low, high] : [low - 1, low + 1];
}
