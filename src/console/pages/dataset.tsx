/** One data set: what is in it, row by row or column by column, and which models were trained on it. */

import { useMemo, useState } from 'preact/hooks';
import type { DatasetInfo } from '../../sdk/index.ts';
import { ago, number, shapeText } from '../format.ts';
import { useLoaded } from '../load.ts';
import { Shown, Warnings } from '../parts/notices.tsx';
import { isPicture, Sheet, toBytes } from '../parts/pictures.tsx';
import { Facts } from '../parts/small.tsx';
import { ask, attempt } from '../parts/toasts.tsx';
import { go, href } from '../router.ts';
import { client, rowsOf } from '../server.ts';

export function DatasetPage({ name }: { name: string }) {
  const info = useLoaded((signal) => client.datasets.get(name, { signal }), [name]);
  return <Shown of={info}>{(dataset) => <Dataset of={dataset} />}</Shown>;
}

function Dataset({ of }: { of: DatasetInfo }) {
  const { name, shape, range, scaling, rows, classes, classNames = [], builtIn, createdAt, hash, warnings } = of;
  const models = useLoaded((signal) => client.models.list({ signal }), [name]);
  const users = (models.data ?? []).flatMap(({ versions }) =>
    versions.filter(({ lineage }) => lineage.dataset.name === name),
  );
  const remove = async (): Promise<void> => {
    const text = 'Its rows go. Models that were trained on it stay, but cannot be trained again the same way.';
    if (!(await ask(`Delete the data set ${name}?`, text, 'Delete the data set'))) return;
    if (await attempt(() => client.datasets.delete(name), `${name} is deleted.`)) go(['datasets']);
  };
  return (
    <>
      <div class="head">
        <div>
          <p class="crumbs">
            <a href={href(['datasets'])}>Data sets</a>
          </p>
          <h1>{name}</h1>
        </div>
        <span class="buttons">
          <a class="button primary" href={href(['new'], { dataset: name })}>
            Train on it
          </a>
          {!builtIn && (
            <button type="button" onClick={remove}>
              Delete
            </button>
          )}
        </span>
      </div>
      <Warnings of={warnings} />
      <section class="card">
        <Facts
          of={[
            ['One row', shapeText(shape)],
            ['Training rows', number(rows.train)],
            ['Test rows', number(rows.test)],
            ['Values', `${number(range[0])} to ${number(range[1])}`],
            ['Scaling', scaling.divisor === 1 ? 'as uploaded' : `divided by ${scaling.divisor}`],
            ['Classes', classes === undefined ? 'not labelled' : number(classes)],
            ['Format', of.format ?? (builtIn ? 'built in' : '–')],
            ['Uploaded', builtIn ? 'built in' : ago(createdAt)],
            ['SHA-256', <code key="hash">{hash.slice(0, 16)}</code>],
          ]}
        />
      </section>
      <Preview of={of} classNames={classNames} />
      <section class="card">
        <h2>Models trained on it</h2>
        {users.length === 0 && <p class="quiet">None yet.</p>}
        <ul class="plain-list">
          {users.map(({ name: model, version, createdAt: made }) => (
            <li key={`${model}@${version}`}>
              <a href={href(['models', model])}>
                {model}@{version}
              </a>{' '}
              <span class="quiet">{ago(made)}</span>
            </li>
          ))}
        </ul>
      </section>
    </>
  );
}

const lookedAt = 48;
/** rows that histograms are of, as many as one answer may hold */
const counted = 1000;
const maxValues = 1_000_000;

function Preview({ of, classNames }: { of: DatasetInfo; classNames: readonly string[] }) {
  const [split, setSplit] = useState<'train' | 'test'>('train');
  const [page, setPage] = useState(0);
  const { name, shape, range, rows } = of;
  const size = shape.reduce((product, side) => product * side, 1);
  const atOnce = Math.max(1, Math.min(isPicture(shape) ? lookedAt : counted, Math.floor(maxValues / size)));
  const loaded = useLoaded(async () => {
    const offset = page * atOnce;
    const [values, labelled] = await Promise.all([
      rowsOf(name, split, offset, atOnce),
      of.classes === undefined ? undefined : client.datasets.rows(name, { split, offset, limit: Math.min(atOnce, 12) }),
    ]);
    return { values, labels: labelled?.labels, classCounts: labelled?.classCounts };
  }, [name, split, page]);
  const last = Math.max(0, Math.ceil(rows[split] / atOnce) - 1);
  return (
    <section class="card">
      <div class="head">
        <h2>{isPicture(shape) ? 'Pictures' : 'Columns'}</h2>
        <span class="buttons">
          <select
            aria-label="Split"
            value={split}
            onChange={(event) => {
              setPage(0);
              setSplit(event.currentTarget.value === 'test' ? 'test' : 'train');
            }}
          >
            <option value="train">training rows</option>
            <option value="test">test rows</option>
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
        {({ values, labels }) =>
          values.rows === 0 ? (
            <p class="quiet">This split has no rows.</p>
          ) : isPicture(shape) ? (
            <figure>
              <Sheet
                bytes={toBytes(values.data, range)}
                shape={shape}
                rows={values.rows}
                columns={12}
                label={`Rows ${page * atOnce + 1} to ${page * atOnce + values.rows} of ${name}`}
              />
              <figcaption>
                rows {number(page * atOnce + 1)} to {number(page * atOnce + values.rows)} of {number(rows[split])}
                {labels && ` · first line: ${labels.map((label) => classNames[label] ?? label).join(', ')}`}
              </figcaption>
            </figure>
          ) : (
            <Columns data={values.data} rows={values.rows} size={size} names={of.columns ?? []} />
          )
        }
      </Shown>
    </section>
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
