/** One sweep: its trials as lines from parameters to the result, and as a table, the best first. */

import { useState } from 'preact/hooks';
import type { SweepView } from '../../sdk/index.ts';
import { ago, duration, number } from '../format.ts';
import { useLoaded } from '../load.ts';
import { Chart } from '../parts/chart.tsx';
import { Shown, Warnings } from '../parts/notices.tsx';
import { Parallel } from '../parts/parallel.tsx';
import { Facts, State, Wide } from '../parts/small.tsx';
import { type Column, Table } from '../parts/table.tsx';
import { ask, attempt } from '../parts/toasts.tsx';
import { go, href } from '../router.ts';
import { client } from '../server.ts';
import { hasEnded, lossOf, parameterName } from '../sweep.ts';

type Trial = SweepView['trials'][number];

export function SweepPage({ id }: { id: string }) {
  const [isOver, setOver] = useState(false);
  const sweep = useLoaded(
    async (signal) => {
      const view = await client.sweeps.get(id, { signal });
      setOver(hasEnded(view.state));
      return view;
    },
    [id],
    isOver ? undefined : 2000,
  );
  return <Shown of={sweep}>{(view) => <Sweep of={view} reload={sweep.reload} />}</Shown>;
}

function Sweep({ of, reload }: { of: SweepView; reload: () => void }) {
  const { id, name, state, search, trials, createdAt, finishedAt, model, version, failure, warnings, best } = of;
  const [pointed, setPointed] = useState<string | undefined>(undefined);
  const pointers = Object.keys(search.parameters);
  const done = trials.filter((trial) => hasEnded(trial.state)).length;
  const seconds = ((finishedAt ? Date.parse(finishedAt) : Date.now()) - Date.parse(createdAt)) / 1000;
  const cancel = async (): Promise<void> => {
    const text = 'Trials that have ended keep their figures; nothing is published.';
    if (!(await ask(`Cancel the sweep of ${name}?`, text, 'Cancel the sweep'))) return;
    if (await attempt(() => client.sweeps.cancel(id), `The sweep of ${name} is being cancelled.`)) reload();
  };
  return (
    <>
      <div class="head">
        <div>
          <p class="crumbs">
            <a href={href(['sweeps'])}>Sweeps</a>
          </p>
          <h1>
            {name} <State of={state} />
          </h1>
          <p class="quiet">
            {search.type === 'grid' ? 'every combination of' : 'random values of'}{' '}
            {pointers.map(parameterName).join(', ')} · submitted {ago(createdAt)}
          </p>
        </div>
        {!hasEnded(state) && (
          <button type="button" onClick={cancel}>
            Cancel
          </button>
        )}
      </div>
      {model !== undefined && (
        <p class="notice good">
          The best trial is published as <a href={href(['models', model], { version })}>{`${model}@${version}`}</a>.{' '}
          <a href={`v1/models/${model}/versions/${version}/files/report.html`}>Report</a>
        </p>
      )}
      {failure && (
        <div class="notice wrong" role="alert">
          <h2>Failed: {failure.reason.replaceAll('-', ' ')}</h2>
          <p>{failure.message}</p>
        </div>
      )}
      <Warnings of={warnings} />
      <section class="card">
        <div
          class="bar"
          role="progressbar"
          aria-label="Trials that have ended"
          aria-valuenow={Math.round((100 * done) / trials.length)}
        >
          <span style={{ width: `${(100 * done) / trials.length}%` }} />
        </div>
        <Facts
          of={[
            ['Trials', `${done} of ${trials.length}`],
            ['Least held-out loss', number(lossOf(of))],
            [finishedAt ? 'Took' : 'Running for', duration(seconds)],
          ]}
        />
      </section>
      <Plot of={of} pointers={pointers} pointed={pointed} onPoint={setPointed} />
      <section class="card">
        <h2>Trials</h2>
        <Trials of={trials} pointers={pointers} best={best} pointed={pointed} onPoint={setPointed} />
      </section>
    </>
  );
}

interface PlotProps {
  readonly of: SweepView;
  readonly pointers: readonly string[];
  readonly pointed: string | undefined;
  readonly onPoint: (id: string | undefined) => void;
}

/** One parameter that is a number as a curve, several as parallel coordinates. */
function Plot({ of: { trials, best }, pointers, pointed, onPoint }: PlotProps) {
  const measured = trials.filter(({ heldOutLoss }) => heldOutLoss !== undefined);
  if (measured.length < 2)
    return (
      <section class="card">
        <h2>Parameters and result</h2>
        <p class="quiet">Drawn as soon as two trials have a result.</p>
      </section>
    );
  const [first = ''] = pointers;
  const values = measured.map(({ parameters }) => parameters[first]);
  const numbers = values.filter((value) => typeof value === 'number');
  const isCurve = pointers.length === 1 && numbers.length === values.length;
  const [low, high] = [Math.min(...numbers), Math.max(...numbers)];
  return (
    <section class="card">
      <h2>Parameters and result</h2>
      {isCurve ? (
        <Chart
          curves={[
            {
              label: 'held-out loss',
              points: measured.map(({ parameters, heldOutLoss = 0 }) => [Number(parameters[first]), heldOutLoss]),
            },
          ]}
          isLogX={low > 0 && high / low >= 50}
          xLabel={parameterName(first)}
          yLabel="held-out loss"
          label={`Held-out loss by ${parameterName(first)}`}
        />
      ) : (
        <Wide label="Parameters and result">
          <Parallel
            axes={[
              ...pointers.map((pointer) => ({ name: parameterName(pointer) })),
              { name: 'held-out loss', isResult: true },
            ]}
            lines={measured.map(({ id, parameters, heldOutLoss }) => ({
              id,
              values: [...pointers.map((pointer) => parameters[pointer]), heldOutLoss],
            }))}
            {...{ best, pointed, onPoint }}
            onChoose={(id) => go(['jobs', id])}
            label={`Lines from ${pointers.map(parameterName).join(', ')} to the held-out loss of ${measured.length} trials; the table below has the same`}
          />
          <p class="quiet">The least loss is at the top. Point at a line to find its trial, click to open it.</p>
        </Wide>
      )}
    </section>
  );
}

interface TrialsProps {
  readonly of: readonly Trial[];
  readonly pointers: readonly string[];
  readonly best: string | undefined;
  readonly pointed: string | undefined;
  readonly onPoint: (id: string | undefined) => void;
}

function Trials({ of, pointers, best, pointed, onPoint }: TrialsProps) {
  const order = ({ heldOutLoss }: Trial): number => heldOutLoss ?? Number.POSITIVE_INFINITY;
  const rows = of
    .map((trial, i) => ({ ...trial, number: i + 1 }))
    .sort((a, b) => order(a) - order(b) || a.number - b.number);
  const columns: Column<(typeof rows)[number]>[] = [
    { head: 'Trial', isName: true, cell: ({ id, number: n }) => <a href={href(['jobs', id])}>{n}</a> },
    ...pointers.map((pointer) => ({
      head: parameterName(pointer),
      isNumber: true,
      cell: ({ parameters }: Trial) => valueText(parameters[pointer]),
    })),
    { head: 'State', cell: ({ state }) => <State of={state} /> },
    {
      head: 'Held-out loss',
      isNumber: true,
      cell: ({ heldOutLoss }) => number(heldOutLoss),
      className: ({ id }) => (id === best ? 'best' : ''),
    },
  ];
  return (
    <Table
      label="Trials"
      rows={rows}
      columns={columns}
      keyOf={({ id }) => id}
      isCurrent={({ id }) => id === pointed}
      onHover={(row) => onPoint(row?.id)}
    />
  );
}

const valueText = (value: unknown): string =>
  typeof value === 'number' ? number(value) : typeof value === 'string' ? value : JSON.stringify(value);
