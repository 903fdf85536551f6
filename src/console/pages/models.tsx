/** All models, with their newest versions side by side in one table. */

import { useState } from 'preact/hooks';
import type { ModelView } from '../../sdk/index.ts';
import { ago, number, shapeText } from '../format.ts';
import { useLoaded } from '../load.ts';
import { Empty, Shown } from '../parts/notices.tsx';
import { Wide } from '../parts/small.tsx';
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
            <Table of={models} />
          )
        }
      </Shown>
    </>
  );
}

function Table({ of }: { of: readonly ModelView[] }) {
  const [chosen, setChosen] = useState<readonly string[]>([]);
  const toggle = (reference: string): void =>
    setChosen(
      chosen.includes(reference) ? chosen.filter((one) => one !== reference) : [...chosen, reference].slice(-4),
    );
  return (
    <section class="card">
      <p>
        <a
          class={chosen.length > 1 ? 'button primary' : 'button'}
          href={href(['compare'], { versions: chosen.join(',') })}
        >
          Compare {chosen.length > 0 ? chosen.length : ''} chosen
        </a>{' '}
        <span class="quiet">up to four versions</span>
      </p>
      <Wide label="Models">
        <table>
          <thead>
            <tr>
              <th scope="col">
                <span class="hidden">Choose</span>
              </th>
              <th scope="col">Model</th>
              <th scope="col">Newest</th>
              <th scope="col">Data set</th>
              <th scope="col">Row → code</th>
              <th scope="col" class="num">
                PSNR dB
              </th>
              <th scope="col" class="num">
                PCA dB
              </th>
              <th scope="col">Aliases</th>
              <th scope="col">Published</th>
            </tr>
          </thead>
          <tbody>
            {of.map(({ name, versions, aliases }) => {
              const newest = versions.at(-1);
              if (!newest) return null;
              const reference = `${name}@${newest.version}`;
              return (
                <tr key={name}>
                  <td>
                    <input
                      type="checkbox"
                      aria-label={`Choose ${reference}`}
                      checked={chosen.includes(reference)}
                      onChange={() => toggle(reference)}
                    />
                  </td>
                  <th scope="row">
                    <a href={href(['models', name])}>{name}</a>
                  </th>
                  <td>@{newest.version}</td>
                  <td>
                    <a href={href(['datasets', newest.lineage.dataset.name])}>{newest.lineage.dataset.name}</a>
                  </td>
                  <td>
                    {shapeText(newest.inputShape)} → {shapeText(newest.codeShape)}
                  </td>
                  <td class="num">{number(newest.metrics['test.psnr'])}</td>
                  <td class="num">{number(newest.metrics['test.pca.psnr'])}</td>
                  <td>
                    {Object.entries(aliases).map(([alias, version]) => (
                      <span key={alias} class="state">
                        {alias} → {version}
                      </span>
                    ))}
                  </td>
                  <td>{ago(newest.createdAt)}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </Wide>
    </section>
  );
}
