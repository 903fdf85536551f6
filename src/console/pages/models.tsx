/** All models, with their newest versions side by side in one table. */

import { useState } from 'preact/hooks';
import type { Manifest, ModelView } from '../../sdk/index.ts';
import { ago } from '../format.ts';
import { useLoaded } from '../load.ts';
import { headlineOf } from '../metric-names.ts';
import { Empty, Shown } from '../parts/notices.tsx';
import { Hidden, Table } from '../parts/table.tsx';
import { besideOf, frameBytes, referenceOf, rowToCode, typeOf } from '../parts/versions.tsx';
import { href } from '../router.ts';
import { client } from '../server.ts';

export function ModelsPage() {
  const list = useLoaded((signal) => client.models.list({ signal }), [], 10_000);
  return (
    <>
      <div class="head">
        <h1>Models</h1>
      </div>
      <Shown of={list}>
        {(models) =>
          models.length === 0 ? (
            <Empty title="No model yet">
              <p>A job that succeeds publishes one.</p>
              <a class="button primary" href={href(['new'])}>
                Start a job
              </a>
            </Empty>
          ) : (
            <Models of={models} />
          )
        }
      </Shown>
    </>
  );
}

interface Line {
  readonly model: ModelView;
  readonly newest: Manifest;
}

function Models({ of }: { of: readonly ModelView[] }) {
  const [chosen, setChosen] = useState<readonly string[]>([]);
  const toggle = (reference: string): void =>
    setChosen(
      chosen.includes(reference) ? chosen.filter((one) => one !== reference) : [...chosen, reference].slice(-4),
    );
  const lines = of.flatMap((model): Line[] => {
    const newest = model.versions.at(-1);
    return newest ? [{ model, newest }] : [];
  });
  return (
    <section class="card">
      <p>
        <a
          class={chosen.length > 1 ? 'button primary' : 'button'}
          href={href(['compare'], { versions: chosen.join(',') })}
        >
          {chosen.length > 0 ? `Compare ${chosen.length} chosen` : 'Compare versions'}
        </a>{' '}
        <span class="quiet">up to four, of any models</span>
      </p>
      <Table
        label="Models"
        rows={lines}
        keyOf={({ model }) => model.name}
        columns={[
          {
            head: <Hidden>Choose</Hidden>,
            cell: ({ newest }) => (
              <input
                type="checkbox"
                aria-label={`Choose ${referenceOf(newest)}`}
                checked={chosen.includes(referenceOf(newest))}
                onChange={() => toggle(referenceOf(newest))}
              />
            ),
          },
          {
            head: 'Model',
            isName: true,
            cell: ({ model, newest }) => (
              <>
                <a href={href(['models', model.name])}>{model.name}</a>
                <small class="quiet">
                  {typeOf(newest)}, {model.versions.length} {model.versions.length === 1 ? 'version' : 'versions'}
                </small>
              </>
            ),
          },
          {
            head: 'Data set',
            cell: ({ newest: { lineage } }) => (
              <a href={href(['datasets', lineage.dataset.name])}>{lineage.dataset.name}</a>
            ),
          },
          {
            head: 'Row → code',
            cell: ({ newest }) => rowToCode(newest) ?? 'pictures of any size',
          },
          { head: 'On test rows', cell: ({ newest }) => headlineOf(newest)?.own ?? null },
          { head: 'Beside', cell: ({ newest }) => besideOf(newest) },
          { head: 'Frame, bytes', isNumber: true, cell: ({ newest }) => (newest.codec ? frameBytes(newest) : null) },
          {
            head: 'Aliases',
            cell: ({ model }) => aliasesOf(model),
          },
          { head: 'Published', cell: ({ newest }) => ago(newest.createdAt) },
        ]}
      />
    </section>
  );
}

/** Nothing where there are none: the cell is left out on a phone. */
function aliasesOf({ aliases }: ModelView) {
  const all = Object.entries(aliases);
  if (all.length === 0) return null;
  return (
    <span class="inline">
      {all.map(([alias, version]) => (
        <span key={alias} class="state">
          {alias} → {version}
        </span>
      ))}
    </span>
  );
}
