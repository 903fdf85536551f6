/** Up to four versions side by side: figures, rate and distortion, the same rows, latent maps, outliers, new samples. */

import { useMemo } from 'preact/hooks';
import type { Comparison } from '../compare.ts';
import { compare, formatPoints, shownRows } from '../compare.ts';
import { number, shapeText } from '../format.ts';
import { useLoaded } from '../load.ts';
import { Chart, type Curve } from '../parts/chart.tsx';
import { DecodingMap } from '../parts/decoding-map.tsx';
import { Empty, Shown } from '../parts/notices.tsx';
import { isPicture, Sheet, toBytes } from '../parts/pictures.tsx';
import { Wide } from '../parts/small.tsx';
import { href, place, refine } from '../router.ts';
import { client } from '../server.ts';
import { typeOf } from './model.tsx';

const most = 4;

export function ComparePage() {
  const chosen = (place.value.query.get('versions') ?? '')
    .split(',')
    .filter((one) => /^[^@]+@\d+$/.test(one))
    .slice(0, most);
  const models = useLoaded((signal) => client.models.list({ signal }), []);
  const loaded = useLoaded((signal) => compare(chosen, signal), [chosen.join()]);
  const all = (models.data ?? []).flatMap(({ versions }) =>
    [...versions].reverse().map(({ name, version }) => `${name}@${version}`),
  );
  const choose = (next: readonly string[]): void => refine({ versions: next.join(',') });
  return (
    <>
      <div class="head">
        <div>
          <p class="crumbs">
            <a href={href(['models'])}>Models</a>
          </p>
          <h1>Compare versions</h1>
        </div>
      </div>
      <div class="chips">
        {chosen.map((reference, i) => (
          <span key={reference} class="chip">
            <i class={`dot series-${i + 1}`} /> {reference}
            <button
              type="button"
              class="plain"
              aria-label={`Leave out ${reference}`}
              onClick={() => choose(chosen.filter((one) => one !== reference))}
            >
              ×
            </button>
          </span>
        ))}
        {chosen.length < most && (
          <select
            aria-label="Add a version"
            value=""
            onChange={(event) => choose([...chosen, event.currentTarget.value])}
          >
            <option value="">add a version …</option>
            {all
              .filter((one) => !chosen.includes(one))
              .map((one) => (
                <option key={one} value={one}>
                  {one}
                </option>
              ))}
          </select>
        )}
      </div>
      {chosen.length === 0 ? (
        <Empty title="Nothing to compare yet">
          <p>Add up to four versions of any models.</p>
        </Empty>
      ) : (
        <Shown of={loaded}>{(comparison) => <Sides of={comparison} />}</Shown>
      )}
    </>
  );
}

function Sides({ of }: { of: Comparison }) {
  return (
    <>
      <Figures of={of} />
      <Rates of={of} />
      <Rows of={of} />
      {of.versions.some(({ codes }) => codes) && <Maps of={of} />}
      <Outliers of={of} />
    </>
  );
}

/** Figures for which less is better; of the others more is. */
const isLess = (name: string): boolean => /mse|sse|bce|loss|error|nll|seconds|parameters/.test(name);

function Figures({ of: { versions } }: { of: Comparison }) {
  const names = [...new Set(versions.flatMap(({ manifest }) => Object.keys(manifest.metrics)))];
  return (
    <section class="card">
      <h2>Figures</h2>
      <Wide label="Figures of the versions">
        <table>
          <thead>
            <tr>
              <th scope="col">Figure</th>
              {versions.map(({ manifest: { name, version } }, i) => (
                <th key={`${name}@${version}`} scope="col" class="num">
                  <i class={`dot series-${i + 1}`} /> {name}@{version}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            <Row name="type" cells={versions.map(({ manifest }) => typeOf(manifest))} />
            <Row name="code" cells={versions.map(({ manifest }) => shapeText(manifest.codeShape))} />
            <Row name="trained on" cells={versions.map(({ manifest }) => manifest.lineage.dataset.name)} />
            {names.map((name) => {
              const values = versions.map(({ manifest }) => manifest.metrics[name]);
              const known = values.filter((value) => value !== undefined);
              const best = isLess(name) ? Math.min(...known) : Math.max(...known);
              const isUseful = new Set(known).size > 1;
              return (
                <Row
                  key={name}
                  name={name}
                  cells={values.map(number)}
                  best={values.map((value) => isUseful && value === best)}
                />
              );
            })}
          </tbody>
        </table>
      </Wide>
    </section>
  );
}

function Row({ name, cells, best = [] }: { name: string; cells: readonly string[]; best?: readonly boolean[] }) {
  return (
    <tr>
      <th scope="row">{name}</th>
      {cells.map((cell, i) => (
        <td key={i} class={best[i] ? 'num best' : 'num'}>
          {cell}
        </td>
      ))}
    </tr>
  );
}

/** Bytes against dB: frames of each version, PCA with as many numbers, and files of the same test pictures. */
function Rates({ of: { versions, dataset, rows } }: { of: Comparison }) {
  const withCodec = versions.some(({ manifest }) => manifest.codec);
  const formats = useLoaded(async () => {
    if (!withCodec || !rows || !dataset || !isPicture(dataset.shape)) return [];
    const bytes = toBytes(rows.data, dataset.range);
    const count = Math.min(16, rows.data.length / dataset.shape.reduce((product, side) => product * side, 1));
    return Promise.all([
      formatPoints('image/webp', bytes, dataset.shape, count),
      formatPoints('image/jpeg', bytes, dataset.shape, count),
    ]);
  }, [dataset?.name, withCodec]);
  const curves = useMemo((): Curve[] => {
    const own = versions.flatMap(({ manifest: { name, version, codec } }, i): Curve[] =>
      codec
        ? [
            {
              label: `${name}@${version}`,
              colour: i,
              points: codec.qualities.map(({ bytesPerRow, psnr }) => [bytesPerRow, psnr]),
            },
          ]
        : [],
    );
    const pca = versions.flatMap(({ manifest: { codeShape, metrics } }): [number, number][] => {
      const psnr = metrics['test.pca.psnrOfMean'];
      return psnr === undefined ? [] : [[4 * codeShape.reduce((product, side) => product * side, 1), psnr]];
    });
    const files = (formats.data ?? []).map(
      (points, i): Curve => ({
        label: ['WebP', 'JPEG'][i] ?? '',
        colour: 5 + i,
        isDashed: true,
        points: points.map(({ bytes, psnr }) => [bytes, psnr]),
      }),
    );
    return [...own, { label: 'PCA, float32', colour: 4, isMarks: true, points: pca }, ...files].filter(
      ({ points }) => points.length > 0,
    );
  }, [versions, formats.data]);
  if (!withCodec) return null;
  return (
    <section class="card">
      <h2>Bytes and quality</h2>
      <Chart
        curves={curves}
        isLogX
        xLabel="bytes of a row"
        yLabel="dB (PSNR)"
        height={320}
        label={`PSNR against bytes of a row: ${curves.map(({ label }) => label).join(', ')}`}
      />
      <p class="quiet">
        Frames on held-out rows as measured at publication; PCA with as many numbers as the code, as float32; WebP and
        JPEG of up to 16 test pictures, written by this browser.
      </p>
    </section>
  );
}

function Rows({ of: { versions, dataset, rows } }: { of: Comparison }) {
  if (!dataset || !rows)
    return <p class="notice">The data set of these versions is no longer there, so there are no rows to show.</p>;
  const { shape, range } = dataset;
  const size = shape.reduce((product, side) => product * side, 1);
  return (
    <section class="card">
      <h2>The same rows</h2>
      <figure>
        <Sheet
          bytes={toBytes(rows.data.subarray(0, rows.rows * size), range)}
          shape={shape}
          rows={rows.rows}
          label="Test rows"
        />
        <figcaption>test rows of {dataset.name}</figcaption>
      </figure>
      {versions.map(({ manifest: { name, version }, outputs, generated }, i) => (
        <div key={`${name}@${version}`}>
          <figure>
            {outputs && (
              <Sheet
                bytes={toBytes(outputs, range)}
                shape={shape}
                rows={rows.rows}
                label={`Reconstructions by ${name}@${version}`}
              />
            )}
            <figcaption>
              <i class={`dot series-${i + 1}`} /> {name}@{version}:{' '}
              {outputs
                ? `reconstructed, ${number(psnrOf(rows.data, outputs, range))} dB`
                : 'takes rows of another shape'}
            </figcaption>
          </figure>
          {generated && (
            <figure>
              <Sheet
                bytes={toBytes(generated, range)}
                shape={shape}
                rows={shownRows}
                label={`Rows generated by ${name}@${version}`}
              />
              <figcaption>
                <i class={`dot series-${i + 1}`} /> {name}@{version}: generated
              </figcaption>
            </figure>
          )}
        </div>
      ))}
    </section>
  );
}

function psnrOf(rows: Float32Array, outputs: Float32Array, [low, high]: readonly [number, number]): number {
  let error = 0;
  for (let i = 0; i < outputs.length; i++) error += ((outputs[i] ?? 0) - (rows[i] ?? 0)) ** 2;
  return 10 * Math.log10((high - low) ** 2 / (error / outputs.length));
}

function Maps({ of: { versions, labels, dataset, rows } }: { of: Comparison }) {
  return (
    <section class="card">
      <h2>Latent maps</h2>
      <p class="quiet">
        Point at a dot to see its row, click to decode a place, drag from one place to another to see what lies between.
      </p>
      <div class="two">
        {versions.map(
          ({ manifest, codes }) =>
            codes &&
            dataset &&
            rows && (
              <DecodingMap
                key={`${manifest.name}@${manifest.version}`}
                reference={`${manifest.name}@${manifest.version}`}
                {...{
                  codes,
                  labels,
                  data: rows.data,
                  shape: dataset.shape,
                  range: dataset.range,
                  classNames: dataset.classNames,
                }}
              />
            ),
        )}
      </div>
    </section>
  );
}

const bins = 24;

/** Scores of test rows: around 0 for ordinary ones. */
function Outliers({ of: { versions } }: { of: Comparison }) {
  const curves = useMemo(() => {
    const all = versions.flatMap(({ scores }) => scores ?? []);
    const [low, high] = [Math.min(...all), Math.max(...all)];
    return versions.flatMap(({ manifest: { name, version }, scores }, i): Curve[] => {
      if (!scores || !(high > low)) return [];
      const counts = new Array<number>(bins).fill(0);
      for (const score of scores) {
        const bin = Math.min(bins - 1, Math.floor(((score - low) / (high - low)) * bins));
        counts[bin] = (counts[bin] ?? 0) + 1;
      }
      return [
        {
          label: `${name}@${version}`,
          colour: i,
          points: counts.map((count, bin) => [low + ((bin + 0.5) * (high - low)) / bins, count]),
        },
      ];
    });
  }, [versions]);
  if (curves.length === 0) return null;
  return (
    <section class="card">
      <h2>How unusual test rows are</h2>
      <Chart
        curves={curves}
        xLabel="score"
        yLabel="rows"
        height={220}
        label="Histogram of outlier scores of test rows"
      />
    </section>
  );
}
