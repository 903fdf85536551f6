/** Parallel coordinates: an axis for each parameter and one for the result, a line for each trial. */

import { number } from '../format.ts';

export interface Axis {
  readonly name: string;
  /** the result: the least value is the best, and stands at the top */
  readonly isResult?: boolean;
}

export interface ParallelProps {
  readonly axes: readonly Axis[];
  /** a value for each axis */
  readonly lines: readonly { readonly id: string; readonly values: readonly unknown[] }[];
  readonly best: string | undefined;
  readonly pointed: string | undefined;
  readonly onPoint: (id: string | undefined) => void;
  readonly onChoose: (id: string) => void;
  readonly label: string;
}

const height = 260;
const [left, right, top, bottom] = [70, 90, 34, 14];
const inner = height - top - bottom;
const longestText = 14;
/** px between two marks of an axis, so that both can be read */
const leastGap = 14;

interface Scale {
  readonly ticks: readonly { readonly at: number; readonly text: string }[];
  /** 0 at the bottom to 1 at the top */
  place(value: unknown): number;
}

export function Parallel({ axes, lines, best, pointed, onPoint, onChoose, label }: ParallelProps) {
  const gaps = Math.max(1, axes.length - 1);
  const axisGap = Math.max(170, Math.min(360, 900 / gaps));
  const width = left + right + gaps * axisGap;
  const scales = axes.map(({ isResult }, i) =>
    scaleOf(
      lines.map(({ values }) => values[i]),
      isResult === true,
    ),
  );
  const x = (axis: number): number => left + axis * axisGap;
  const y = (share: number): number => top + (1 - share) * inner;
  const ordered = [...lines].sort((a, b) => Number(a.id === best) - Number(b.id === best));
  const front = ordered.find(({ id }) => id === pointed);
  const drawn = front ? [...ordered.filter((line) => line !== front), front] : ordered;
  return (
    <svg
      class="parallel"
      viewBox={`0 0 ${width} ${height}`}
      style={{ maxWidth: `${width}px`, minWidth: `${105 * axes.length}px` }}
      role="img"
      aria-label={label}
    >
      {drawn.map(({ id, values }) => (
        // biome-ignore lint/a11y/noStaticElementInteractions: the table below has the same rows as links
        <path
          key={id}
          class={`trial${id === best ? ' winner' : ''}${id === pointed ? ' pointed' : ''}`}
          d={values.map((value, i) => `${i === 0 ? 'M' : 'L'}${x(i)} ${y(scales[i]?.place(value) ?? 0)}`).join('')}
          onMouseEnter={() => onPoint(id)}
          onMouseLeave={() => onPoint(undefined)}
          onClick={() => onChoose(id)}
        />
      ))}
      {axes.map(({ name, isResult }, i) => (
        <g key={name} class="axis">
          <line x1={x(i)} x2={x(i)} y1={top} y2={height - bottom} />
          <text x={x(i)} y={18} text-anchor="middle" class="axis-name">
            {name}
          </text>
          {apart(scales[i]?.ticks ?? []).map(({ at, text }) => (
            <text
              key={text}
              x={x(i) + (isResult ? 8 : -8)}
              y={y(at)}
              dy="0.35em"
              text-anchor={isResult ? 'start' : 'end'}
            >
              {text}
            </text>
          ))}
        </g>
      ))}
    </svg>
  );
}

/** Marks from the ends inwards, without those that would cover another. */
function apart(ticks: Scale['ticks']): Scale['ticks'] {
  const shown: { at: number; text: string }[] = [];
  const ends = [...ticks].sort((a, b) => Math.abs(b.at - 0.5) - Math.abs(a.at - 0.5));
  for (const tick of ends) if (shown.every(({ at }) => Math.abs(at - tick.at) * inner >= leastGap)) shown.push(tick);
  return shown;
}

/** Numbers on a line, logarithmic where they span a factor of 50; anything else in even steps. */
function scaleOf(values: readonly unknown[], isResult: boolean): Scale {
  const numbers = values.filter((value) => typeof value === 'number');
  if (numbers.length < values.length) return stepsOf(values);
  const [low, high] = [Math.min(...numbers), Math.max(...numbers)];
  const isLog = low > 0 && high / low >= 50;
  const map = (value: number): number => (isLog ? Math.log(value) : value);
  const place = (value: unknown): number => {
    const share = high > low ? (map(Number(value)) - map(low)) / (map(high) - map(low)) : 0.5;
    return isResult ? 1 - share : share;
  };
  const distinct = [...new Set(numbers)].sort((a, b) => a - b);
  const shown =
    distinct.length <= 6 ? distinct : isLog ? [low, Math.sqrt(low * high), high] : [low, (low + high) / 2, high];
  return { place, ticks: shown.map((value) => ({ at: place(value), text: number(value) })) };
}

function stepsOf(values: readonly unknown[]): Scale {
  const texts = [...new Set(values.map(textOf))];
  const place = (value: unknown): number =>
    texts.length > 1 ? texts.indexOf(textOf(value)) / (texts.length - 1) : 0.5;
  return {
    place,
    ticks: texts.map((text) => ({
      at: texts.length > 1 ? texts.indexOf(text) / (texts.length - 1) : 0.5,
      text: short(text),
    })),
  };
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));
const short = (text: string): string => (text.length > longestText ? `${text.slice(0, longestText - 1)}…` : text);
