/** One model: its versions, its aliases, and one version in full. */

import { useState } from 'preact/hooks';
import type { ModelView } from '../../sdk/index.ts';
import { ago, shapeText } from '../format.ts';
import { useLoaded } from '../load.ts';
import { headlineOf } from '../metric-names.ts';
import { Aliases } from '../parts/aliases.tsx';
import { Shown } from '../parts/notices.tsx';
import { Hidden, Table } from '../parts/table.tsx';
import { ask, attempt } from '../parts/toasts.tsx';
import { Version } from '../parts/version.tsx';
import { besideOf, frameBytes, referenceOf, rowToCode, typeOf } from '../parts/versions.tsx';
import { go, href, place } from '../router.ts';
import { client } from '../server.ts';

export function ModelPage({ name }: { name: string }) {
  const model = useLoaded((signal) => client.models.get(name, { signal }), [name], 10_000);
  return <Shown of={model}>{(view) => <Model of={view} reload={model.reload} />}</Shown>;
}

function Model({ of, reload }: { of: ModelView; reload: () => void }) {
  const { name, versions } = of;
  const newest = versions.at(-1);
  const wanted = Number(place.value.query.get('version'));
  const shown = versions.find(({ version }) => version === wanted) ?? newest;
  const remove = async (): Promise<void> => {
    const text = 'All its versions and aliases go. Devices that still send frames of it will not be understood.';
    if (!(await ask(`Delete the model ${name}?`, text, 'Delete the model'))) return;
    if (await attempt(() => client.models.delete(name, { force: true }), `${name} is deleted.`)) go(['models']);
  };
  if (!shown) return <p>This model has no versions.</p>;
  return (
    <>
      <div class="head">
        <div>
          <p class="crumbs">
            <a href={href(['models'])}>Models</a>
          </p>
          <h1>{name}</h1>
        </div>
        <span class="buttons">
          {shown.codec && (
            <a class="button" href={`demo?model=${referenceOf(shown)}`}>
              Open in the demo
            </a>
          )}
          <button type="button" onClick={remove}>
            Delete
          </button>
        </span>
      </div>
      <Versions of={of} shown={shown} />
      <Aliases of={of} reload={reload} />
      <Version of={shown} reload={reload} isOnly={versions.length === 1} />
    </>
  );
}

function Versions({ of, shown }: { of: ModelView; shown: ModelView['versions'][number] }) {
  const { name, versions, aliases } = of;
  const [chosen, setChosen] = useState<readonly string[]>([]);
  const toggle = (reference: string): void =>
    setChosen(
      chosen.includes(reference) ? chosen.filter((one) => one !== reference) : [...chosen, reference].slice(-4),
    );
  const compared = chosen.length > 0 ? chosen : versions.slice(-2).map(referenceOf);
  const aliasesOf = (version: number): string[] => Object.keys(aliases).filter((alias) => aliases[alias] === version);
  return (
    <section class="card">
      <div class="head">
        <h2>Versions</h2>
        {versions.length > 1 && (
          <a
            class={chosen.length > 1 ? 'button primary' : 'button'}
            href={href(['compare'], { versions: compared.join(',') })}
          >
            Compare {chosen.length > 0 ? `${chosen.length} chosen` : 'the newest two'}
          </a>
        )}
      </div>
      <Table
        label="Versions"
        rows={[...versions].reverse()}
        keyOf={referenceOf}
        isCurrent={(manifest) => manifest === shown && versions.length > 1}
        columns={[
          {
            head: <Hidden>Choose</Hidden>,
            cell: (manifest) => (
              <input
                type="checkbox"
                aria-label={`Choose ${referenceOf(manifest)}`}
                checked={chosen.includes(referenceOf(manifest))}
                onChange={() => toggle(referenceOf(manifest))}
              />
            ),
          },
          {
            head: 'Version',
            isName: true,
            cell: ({ version }) => (
              <span class="inline">
                <a href={href(['models', name], { version })}>@{version}</a>
                {aliasesOf(version).map((alias) => (
                  <span key={alias} class="state">
                    {alias}
                  </span>
                ))}
              </span>
            ),
          },
          { head: 'Type', cell: typeOf },
          { head: 'Code', cell: (manifest) => (rowToCode(manifest) ? shapeText(manifest.codeShape) : null) },
          { head: 'On test rows', cell: (manifest) => headlineOf(manifest)?.own ?? null },
          { head: 'Beside', cell: besideOf },
          {
            head: 'Frame, bytes',
            isNumber: true,
            cell: (manifest) => (manifest.codec ? frameBytes(manifest) : null),
          },
          { head: 'Published', cell: ({ createdAt }) => ago(createdAt) },
          {
            head: 'Job',
            cell: ({ lineage: { jobId } }) => <a href={href(['jobs', jobId])}>{jobId.slice(-8)}</a>,
          },
        ]}
      />
    </section>
  );
}
