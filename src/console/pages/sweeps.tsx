/** All sweeps, newest first. */

import { ago, number } from '../format.ts';
import { useLoaded } from '../load.ts';
import { Empty, Shown } from '../parts/notices.tsx';
import { State } from '../parts/small.tsx';
import { Table } from '../parts/table.tsx';
import { href } from '../router.ts';
import { client } from '../server.ts';
import { hasEnded, lossOf, parameterName } from '../sweep.ts';

export function SweepsPage() {
  const list = useLoaded((signal) => client.sweeps.list({ limit: 100, signal }), [], 3000);
  return (
    <>
      <div class="head">
        <div>
          <p class="crumbs">
            <a href={href(['jobs'])}>Jobs</a>
          </p>
          <h1>Sweeps</h1>
        </div>
        <a class="button primary" href={href(['new'], { sweep: true })}>
          New sweep
        </a>
      </div>
      <Shown of={list}>
        {(sweeps) =>
          sweeps.length === 0 ? (
            <Empty title="No sweep yet">
              <p>A sweep trains one job with several values and publishes the trial with the lowest held-out loss.</p>
              <a class="button primary" href={href(['new'], { sweep: true })}>
                Start the first one
              </a>
            </Empty>
          ) : (
            <section class="card">
              <Table
                label="Sweeps"
                rows={sweeps}
                keyOf={({ id }) => id}
                columns={[
                  { head: 'Model', isName: true, cell: ({ id, name }) => <a href={href(['sweeps', id])}>{name}</a> },
                  { head: 'State', cell: ({ state }) => <State of={state} /> },
                  {
                    head: 'Trials',
                    isNumber: true,
                    cell: ({ trials }) => `${trials.filter(({ state }) => hasEnded(state)).length} of ${trials.length}`,
                  },
                  {
                    head: 'Varied',
                    cell: ({ search }) => Object.keys(search.parameters).map(parameterName).join(', '),
                  },
                  { head: 'Least loss', isNumber: true, cell: (sweep) => number(lossOf(sweep)) },
                  {
                    head: 'Published',
                    cell: ({ model, version }) =>
                      model === undefined ? (
                        '–'
                      ) : (
                        <a href={href(['models', model], { version })}>
                          {model}@{version}
                        </a>
                      ),
                  },
                  { head: 'Age', cell: ({ createdAt }) => ago(createdAt) },
                ]}
              />
            </section>
          )
        }
      </Shown>
    </>
  );
}
