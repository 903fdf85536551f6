/** What is in a data set, some rows at a time: pictures, curves, texts, or columns with histograms. */

import { useMemo, useState } from 'preact/hooks';
import type { DatasetInfo } from '../../sdk/index.ts';
import { number, rowsName } from '../format.ts';
import { useLoaded } from '../load.ts';
import { client, rowsOf } from '../server.ts';
import { Shown } from './notices.tsx';
import { isPicture, Sheet, toBytes } from './pictures.tsx';

const lookedAt = 48;
/** side of the squares that the server makes of pictures of several sizes */
const squareSide = 96;
/** rows that histograms are of, as many as one answer may hold */
const counted = 1000;
const maxValues = 1_000_000;

export function Preview({ of, classNames }: { of: DatasetInfo; classNames: readonly string[] }) {
  const [split, setSplit] = useState<'train' | 'test'>('train');
  const [page, setPage] = useState(0);
  const { name, range, rows } = of;
  const kind = kindOf(of);
  const noun = rowsName(of);
  const shape = of.sizes === 'mixed' ? [squareSide, squareSide, of.shape[2] ?? 3] : of.shape;
  const size = shape.reduce((product, side) => product * side, 1);
  const wanted = { pictures: lookedAt, series: 24, texts: 20, columns: counted }[kind];
  const atOnce = Math.max(1, Math.min(wanted, Math.floor(maxValues / size)));
  const loaded = useLoaded(async () => {
    const offset = page * atOnce;
    const asTexts = kind === 'texts';
    const [values, told] = await Promise.all([
      asTexts ? undefined : rowsOf(name, split, offset, atOnce),
      asTexts || of.classes !== undefined
        ? client.datasets.rows(name, { split, offset, limit: asTexts ? atOnce : Math.min(atOnce, 24) })
        : undefined,
    ]);
    return { values, labels: told?.labels, classCounts: told?.classCounts, texts: told?.texts };
  }, [name, split, page]);
  const last = Math.max(0, Math.ceil(rows[split] / atOnce) - 1);
  return (
    <section class="card">
      <div class="head">
        <h2>{kind === 'columns' ? 'Columns' : noun.replace(/^./, (letter) => letter.toUpperCase())}</h2>
        <span class="buttons">
          <select
            aria-label="Split"
            value={split}
            onChange={(event) => {
              setPage(0);
              setSplit(event.currentTarget.value === 'test' ? 'test' : 'train');
            }}
          >
            <option value="train">training {noun}</option>
            <option value="test">test {noun}</option>
          </select>
          <button type="button" disabled={page === 0} onClick={() => setPage(page - 1)}>
            Previous
          </button>
          <button type="button" disabled={page >= last} onClick={() => setPage(page + 1)}>
            Next
          </button>
        </span>
      </div>
      {loaded.data?.classCounts && <Classes counts={loaded.data.classCounts} names={classNames} />}
      <Shown of={loaded}>
        {({ values, labels, texts }) => {
          const first = page * atOnce;
          const there = values?.rows ?? texts?.length ?? 0;
          if (there === 0) return <p class="quiet">This split has no {noun}.</p>;
          const names = labels?.map((label) => classNames[label] ?? String(label));
          const place = `${number(first + 1)} to ${number(first + there)} of ${number(rows[split])}`;
          if (!values) return <Texts of={texts ?? []} first={first} names={names} place={place} />;
          if (kind === 'series') return <SeriesRows {...{ values, shape, names, first, place }} />;
          if (kind === 'columns')
            return <Columns data={values.data} rows={values.rows} size={size} names={of.columns ?? []} />;
          return (
            <figure>
              <Sheet
                bytes={toBytes(values.data, range)}
                shape={shape}
                rows={values.rows}
                columns={12}
                label={`Rows ${first + 1} to ${first + values.rows} of ${name}`}
              />
              <figcaption>
                {noun} {place}
                {of.sizes === 'mixed' && ', each cut to a square'}
                {names && ` · first line: ${names.slice(0, 12).join(', ')}`}
              </figcaption>
            </figure>
          );
        }}
      </Shown>
    </section>
  );
}

type Kind = 'pictures' | 'series' | 'texts' | 'columns';

function kindOf({ shape, sizes, documents, ratings, pairs, series }: DatasetInfo): Kind {
  if (documents || ratings || pairs) return 'texts';
  if (series) return 'series';
  return sizes === 'mixed' || isPicture(shape) ? 'pictures' : 'columns';
}

interface TextsProps {
  readonly of: readonly string[];
  /** number of the first one, from 0 */
  readonly first: number;
  readonly names: readonly string[] | undefined;
  readonly place: string;
}

function Texts({ of, first, names, place }: TextsProps) {
  return (
    <>
      <ol class="texts" start={first + 1}>
        {of.map((text, i) => (
          <li key={i}>
            {names && <b>{names[i]} </b>}
            {text === '' ? <span class="quiet">nothing</span> : text}
          </li>
        ))}
      </ol>
      <p class="quiet">{place}</p>
    </>
  );
}

const curveSize = { width: 240, height: 72 };

interface SeriesRowsProps {
  readonly values: { readonly rows: number; readonly data: Float32Array };
  /** time steps, channels */
  readonly shape: readonly number[];
  readonly names: readonly string[] | undefined;
  readonly first: number;
  readonly place: string;
}

/** A curve for each series, a line for each of its channels, broken where nothing was observed. */
function SeriesRows({ values: { rows, data }, shape, names, first, place }: SeriesRowsProps) {
  const [steps = 1, channels = 1] = shape;
  const [low, high] = useMemo(() => {
    const known = data.filter((value) => Number.isFinite(value));
    return [known.reduce((a, b) => Math.min(a, b), Infinity), known.reduce((a, b) => Math.max(a, b), -Infinity)];
  }, [data]);
  const line = (row: number, channel: number): string => {
    let pen = 'M';
    let path = '';
    for (let step = 0; step < steps; step++) {
      const value = data[(row * steps + step) * channels + channel] ?? Number.NaN;
      if (Number.isNaN(value)) pen = 'M';
      else {
        const x = (step / Math.max(1, steps - 1)) * curveSize.width;
        const y = 2 + ((high - value) / Math.max(high - low, 1e-9)) * (curveSize.height - 4);
        path += `${pen}${x.toFixed(1)} ${y.toFixed(1)}`;
        pen = 'L';
      }
    }
    return path;
  };
  return (
    <>
      <div class="columns">
        {Array.from({ length: rows }, (_, row) => (
          <figure key={row}>
            <svg
              class="series"
              viewBox={`0 0 ${curveSize.width} ${curveSize.height}`}
              preserveAspectRatio="none"
              role="img"
              aria-label={`Series ${first + row + 1}`}
            >
              {Array.from({ length: channels }, (_, channel) => (
                <path key={channel} class={`c${(channel % 12) + 1}`} d={line(row, channel)} />
              ))}
            </svg>
            <figcaption>
              {number(first + row + 1)}
              {names && `: class ${names[row]}`}
            </figcaption>
          </figure>
        ))}
      </div>
      <p class="quiet">
        {place}; {number(steps)} steps from left to right, {number(low)} at the bottom to {number(high)} at the top
      </p>
    </>
  );
}

const shownClasses = 60;

/** How many rows of the split each class has. */
function Classes({ counts, names }: { counts: readonly number[]; names: readonly string[] }) {
  const most = Math.max(1, ...counts);
  return (
    <ul class="class-counts" aria-label="Rows of each class">
      {counts.slice(0, shownClasses).map((count, i) => (
        <li key={i}>
          <span>{names[i] ?? i}</span>
          <i class="bar">
            <span style={{ width: `${(100 * count) / most}%` }} />
          </i>
          <span class="num">{number(count)}</span>
        </li>
      ))}
      {counts.length > shownClasses && <li class="quiet">{counts.length - shownClasses} more</li>}
    </ul>
  );
}

const bins = 20;
const shownColumns = 60;

function Columns({
  data,
  rows,
  size,
  names,
}: {
  data: Float32Array;
  rows: number;
  size: number;
  names: readonly string[];
}) {
  const columns = useMemo(
    () =>
      Array.from({ length: Math.min(size, shownColumns) }, (_, column) => {
        const values = Array.from({ length: rows }, (_, row) => data[row * size + column] ?? 0);
        const [low, high] = [Math.min(...values), Math.max(...values)];
        const counts = new Array<number>(bins).fill(0);
        for (const value of values) {
          const bin = high > low ? Math.min(bins - 1, Math.floor(((value - low) / (high - low)) * bins)) : 0;
          counts[bin] = (counts[bin] ?? 0) + 1;
        }
        const mean = values.reduce((sum, value) => sum + value, 0) / rows;
        return { name: names[column] ?? `column ${column + 1}`, low, high, mean, counts };
      }),
    [data, rows, size, names],
  );
  return (
    <>
      <div class="columns">
        {columns.map(({ name, low, high, mean, counts }) => (
          <figure key={name}>
            <figcaption>
              <b>{name}</b>
            </figcaption>
            <svg
              viewBox={`0 0 ${bins * 6} 40`}
              preserveAspectRatio="none"
              role="img"
              aria-label={`Histogram of ${name}: ${number(low)} to ${number(high)}, mean ${number(mean)}`}
            >
              {counts.map((count, i) => {
                const tall = (count / Math.max(...counts)) * 38;
                return <rect key={i} x={i * 6} y={40 - tall} width={5} height={tall} />;
              })}
            </svg>
            <figcaption>
              {number(low)} to {number(high)}, mean {number(mean)}
            </figcaption>
          </figure>
        ))}
      </div>
      <p class="quiet">
        of {number(rows)} rows
        {size > shownColumns && `; ${number(size - shownColumns)} more columns are not shown`}
      </p>
    </>
  );
}
