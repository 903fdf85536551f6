/** Up to four versions side by side: figures, rate and distortion, the same rows, latent maps, outliers, new samples. */

import type { ComponentChildren } from 'preact';
import { legend } from '../../figures/parts.ts';
import { histogramPlot } from '../../figures/plot.ts';
import type { Manifest } from '../../sdk/index.ts';
import type { Comparison } from '../compare.ts';
import { compare, shownRows } from '../compare.ts';
import { number, shapeText } from '../format.ts';
import { useLoaded } from '../load.ts';
import { headlineOf } from '../metric-names.ts';
import { DecodingMap } from '../parts/decoding-map.tsx';
import { Drawn } from '../parts/drawn.tsx';
import { bestOf, Figures } from '../parts/figures.tsx';
import { Empty, Shown } from '../parts/notices.tsx';
import { Sheet, toBytes } from '../parts/pictures.tsx';
import { Rates } from '../parts/rates.tsx';
import { VersionReport } from '../parts/report.tsx';
import { type Column, Table } from '../parts/table.tsx';
import { Advantage, frameBytes, referenceOf, typeOf } from '../parts/versions.tsx';
import { href, place, refine } from '../router.ts';
import { client } from '../server.ts';

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
      <Summary of={of} />
      <Rates versions={of.versions.map(({ manifest }) => manifest)} dataset={of.dataset} />
      {of.dataset && !of.rows ? <Reports of={of} /> : <Rows of={of} />}
      {of.versions.some(({ codes }) => codes) && <Maps of={of} />}
      <Outliers of={of} />
    </>
  );
}

interface Fact {
  readonly name: string;
  readonly cell: (manifest: Manifest) => ComponentChildren;
  /** what versions are judged by */
  readonly value?: (manifest: Manifest) => number | undefined;
  readonly better?: 'less' | 'more';
  readonly isShown?: (manifests: readonly Manifest[]) => boolean;
}

const facts: readonly Fact[] = [
  { name: 'type', cell: typeOf },
  { name: 'code', cell: ({ codeShape }) => shapeText(codeShape) },
  {
    name: 'trained on',
    cell: ({ lineage: { dataset } }) => <a href={href(['datasets', dataset.name])}>{dataset.name}</a>,
  },
  {
    name: 'PSNR of test rows, dB',
    cell: ({ metrics }) => number(metrics['test.psnr']),
    value: ({ metrics }) => metrics['test.psnr'],
    better: 'more',
  },
  {
    name: 'PSNR of noisy test rows, denoised, dB',
    cell: ({ metrics }) => number(metrics['test.denoised.psnr']),
    value: ({ metrics }) => metrics['test.denoised.psnr'],
    better: 'more',
  },
  { name: 'over PCA of the same code', cell: (manifest) => <Advantage of={manifest} /> },
  {
    name: 'first figure',
    cell: (manifest) => headlineOf(manifest)?.own ?? '–',
    isShown: (manifests) => manifests.some(({ metrics }) => metrics['test.pca.psnr'] === undefined),
  },
  { name: 'frame of one row, bytes', cell: frameBytes },
  { name: 'weights', cell: ({ metrics }) => number(metrics.parameters) },
  { name: 'training, seconds', cell: ({ metrics }) => number(metrics['train.seconds']) },
];

/** What is asked first, and all other figures folded below. */
function Summary({ of: { versions } }: { of: Comparison }) {
  const manifests = versions.map(({ manifest }) => manifest);
  const isFair = new Set(manifests.map(({ lineage }) => lineage.dataset.hash)).size === 1;
  const heads = manifests.map((manifest, i) => (
    <span key={referenceOf(manifest)}>
      <i class={`dot series-${i + 1}`} /> {referenceOf(manifest)}
    </span>
  ));
  const shown = facts.filter(
    ({ value, isShown }) =>
      (isShown?.(manifests) ?? true) && (!value || manifests.some((manifest) => value(manifest) !== undefined)),
  );
  const columns: Column<Fact>[] = [
    { head: 'Figure', isName: true, cell: ({ name }) => name },
    ...manifests.map(
      (manifest, i): Column<Fact> => ({
        head: heads[i],
        isNumber: true,
        cell: ({ cell }) => cell(manifest),
        className: ({ value, better = 'more' }) => {
          const best = value && isFair ? bestOf(manifests.map(value), better) : undefined;
          return best !== undefined && value?.(manifest) === best ? 'best' : '';
        },
      }),
    ),
  ];
  return (
    <section class="card">
      <h2>Figures</h2>
      <Table label="Figures of the versions" rows={shown} keyOf={({ name }) => name} columns={columns} isMatrix />
      {!isFair && <p class="quiet">Trained on different data sets: their figures are of different test rows.</p>}
      <details class="more">
        <summary>All figures</summary>
        <Figures metrics={manifests.map(({ metrics }) => metrics)} heads={heads} isFair={isFair} />
      </details>
    </section>
  );
}

/** Where there are no rows to put beside each other: what each report shows. */
function Reports({ of: { versions, dataset } }: { of: Comparison }) {
  return (
    <div class="two">
      {versions.map(({ manifest }) => (
        <section key={referenceOf(manifest)} aria-label={referenceOf(manifest)}>
          <h2>{referenceOf(manifest)}</h2>
          <VersionReport of={manifest} classNames={dataset?.classNames ?? []} />
        </section>
      ))}
    </div>
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

/** Scores of test rows: around 0 for ordinary ones. */
function Outliers({ of: { versions } }: { of: Comparison }) {
  const scored = versions.flatMap(({ manifest, scores }, i) =>
    scores ? [{ name: referenceOf(manifest), colour: i + 1, values: scores }] : [],
  );
  const plot = histogramPlot(scored, 'score', 'Histogram of outlier scores of test rows');
  if (!plot) return null;
  return (
    <section class="card">
      <h2>How unusual test rows are</h2>
      <Drawn of={[legend(scored), plot]} />
      <p class="quiet">Rows by their score, of {scored[0]?.values.length} test rows.</p>
    </section>
  );
}
