/** Codes of two numbers as a map: a point for each row, coloured by class. Points can be looked at, decoded and connected. */

import { useMemo, useRef, useState } from 'preact/hooks';
import { classLegend, mapMarks, mapScale, mapSide } from '../../figures/plot.ts';
import { number } from '../format.ts';
import { Drawn } from './drawn.tsx';

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

type Place = readonly [x: number, y: number];

/** distances on the map up to which two places are one */
const nearby = 10;
/** an arrow key's step, of the map's side */
const stepShare = 1 / 30;
const arrows: Readonly<Record<string, Place>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

export function LatentMap({ points, labels, classNames = [], label, onHover, onChoose, onDrag }: LatentMapProps) {
  const pressed = useRef<Place | undefined>(undefined);
  const [cursor, setCursor] = useState<Place | undefined>(undefined);
  const [way, setWay] = useState<readonly [from: Place, to: Place] | undefined>(undefined);
  const scale = useMemo(() => mapScale(points), [points]);
  const marks = useMemo(() => <Drawn of={mapMarks(points, labels, scale)} />, [points, labels, scale]);
  const canAct = onChoose !== undefined;

  const at = (event: MouseEvent): Place => {
    const box = (event.currentTarget as Element).getBoundingClientRect();
    return [((event.clientX - box.left) * mapSide) / box.width, ((event.clientY - box.top) * mapSide) / box.height];
  };
  const move = (event: PointerEvent): void => {
    const place = at(event);
    if (pressed.current && away(pressed.current, place) > nearby) setWay([pressed.current, place]);
    if (!onHover) return;
    let [best, distance] = [-1, nearby];
    for (const [i, point] of points.entries()) {
      const own = away(scale.toPlace(point), place);
      if (own < distance) [best, distance] = [i, own];
    }
    onHover(best < 0 ? undefined : best);
  };
  const choose = (place: Place): void => {
    setCursor(place);
    setWay(undefined);
    onChoose?.(scale.toPoint(place));
  };
  const press = (event: PointerEvent): void => {
    if (!canAct) return;
    pressed.current = at(event);
    (event.currentTarget as Element).setPointerCapture(event.pointerId);
  };
  const release = (event: PointerEvent): void => {
    const from = pressed.current;
    pressed.current = undefined;
    if (!from) return;
    const to = at(event);
    if (away(from, to) <= nearby) return choose(to);
    setWay([from, to]);
    onDrag?.(scale.toPoint(from), scale.toPoint(to));
  };
  const step = (event: KeyboardEvent): void => {
    const arrow = arrows[event.key];
    if (!arrow) return;
    event.preventDefault();
    const [x, y] = cursor ?? [mapSide / 2, mapSide / 2];
    choose([x + arrow[0] * mapSide * stepShare, y + arrow[1] * mapSide * stepShare]);
  };
  const code = cursor && scale.toPoint(cursor);
  return (
    <div class={canAct ? 'latent active' : 'latent'}>
      <svg
        class="map"
        viewBox={`0 0 ${mapSide} ${mapSide}`}
        role="img"
        aria-label={canAct ? `${label}. Arrow keys move the place that is decoded.` : label}
        tabIndex={canAct ? 0 : -1}
        onPointerMove={move}
        onPointerLeave={() => onHover?.(undefined)}
        onPointerDown={press}
        onPointerUp={release}
        onKeyDown={canAct ? step : undefined}
      >
        {marks}
        {way && <line class="cursor" x1={way[0][0]} y1={way[0][1]} x2={way[1][0]} y2={way[1][1]} />}
        {cursor && <rect class="cursor" x={cursor[0] - 5} y={cursor[1] - 5} width={10} height={10} />}
      </svg>
      {code && (
        <p class="quiet">
          code {number(code[0])}, {number(code[1])}
        </p>
      )}
      <Drawn of={classLegend(labels, classNames)} />
    </div>
  );
}

const away = (a: Place, b: Place): number => Math.hypot(a[0] - b[0], a[1] - b[1]);
