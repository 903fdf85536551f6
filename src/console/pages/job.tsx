/** One job: live curves, what the model makes of the same rows epoch after epoch, what was asked and what became of it. */

import { useMemo, useState } from 'preact/hooks';
import type { EpochMetrics, JobView } from '../../sdk/index.ts';
import { ago, duration, number, time } from '../format.ts';
import { Chart, type Curve } from '../parts/chart.tsx';
import { Figures } from '../parts/figures.tsx';
import { JobButtons } from '../parts/job-buttons.tsx';
import { Failure, Loading, Warnings } from '../parts/notices.tsx';
import { Samples } from '../parts/samples.tsx';
import { Copied, Facts, Progress, State, Tabs } from '../parts/small.tsx';
import { href } from '../router.ts';
import { address } from '../server.ts';
import { useWatched } from '../watch.ts';

export function JobPage({ id }: { id: string }) {
  const { job, epochs, samples, isLive, error, refresh } = useWatched(id);
  if (!job) return error === undefined ? <Loading /> : <Failure error={error} retry={refresh} />;
  const { spec, progress, failure } = job;
  const took =
    job.startedAt && (Date.parse(job.finishedAt ?? new Date().toISOString()) - Date.parse(job.startedAt)) / 1000;
  return (
    <>
      <div class="head">
        <div>
          <p class="crumbs">
            <a href={href(['jobs'])}>Jobs</a>
          </p>
          <h1>
            {spec.name} <State of={job.state} />
          </h1>
          <p class="quiet">
            {spec.model.type} on <a href={href(['datasets', spec.dataset])}>{spec.dataset}</a> · submitted{' '}
            {ago(job.createdAt)}
            {isLive && ' · live'}
          </p>
        </div>
        <span class="buttons">
          <a class="button" href={href(['new'], { from: id })}>
            Train again with changes
          </a>
          <JobButtons job={job} done={refresh} />
        </span>
      </div>
      {job.model !== undefined && (
        <p class="notice good">
          Published as{' '}
          <a href={href(['models', job.model])}>
            {job.model}@{job.version}
          </a>
          . <a href={`v1/models/${job.model}/versions/${job.version}/files/report.html`}>Report</a>
        </p>
      )}
      {failure && <FailureBox failure={failure} />}
      <Warnings of={job.warnings} />
      <section class="card">
        <Progress job={job} />
        <Facts
          of={[
            ['Phase', progress?.phase ?? '–'],
            ['Step', progress ? `${number(progress.step)} of ${number(progress.steps)}` : '–'],
            ...(job.state === 'running'
              ? [['Rows/s', number(progress?.samplesPerSecond && Math.round(progress.samplesPerSecond))] as const]
              : []),
            ['Loss', number(progress?.loss ?? job.metrics?.['train.loss'])],
            ['Attempts', String(job.attempts)],
            ['Began', time(job.startedAt)],
            [job.finishedAt ? 'Took' : 'Running for', duration(took || undefined)],
            ['Queue', spec.training.device],
          ]}
        />
      </section>
      <Curves epochs={epochs} isOver={job.finishedAt !== undefined} />
      {samples?.rows && samples.samples.length > 0 && <Samples of={samples} rows={samples.rows} />}
      {job.metrics && <Metrics of={job.metrics} />}
      <section class="card">
        <h2>Specification</h2>
        <div class="two">
          <div>
            <h3>Asked</h3>
            {job.asked === undefined ? (
              <p class="quiet">Not kept: a trial of a sweep, or a job of an older release.</p>
            ) : (
              <Copied text={pretty(job.asked)} />
            )}
          </div>
          <div>
            <h3>Resolved</h3>
            <Copied text={pretty(spec)} />
          </div>
        </div>
        <h3>The same job from elsewhere</h3>
        <Tabs label="The same job from elsewhere" of={commandsOf(job)} />
      </section>
    </>
  );
}

const pretty = (value: unknown): string => JSON.stringify(value, null, 2);

function FailureBox({ failure }: { failure: NonNullable<JobView['failure']> }) {
  return (
    <div class="notice wrong" role="alert">
      <h2>Failed: {failure.reason.replaceAll('-', ' ')}</h2>
      <p>{failure.message}</p>
      {failure.log && failure.log.length > 0 && (
        <>
          <h3>Last lines of the training process</h3>
          <Copied text={failure.log.join('\n')} />
        </>
      )}
    </div>
  );
}

function Metrics({ of }: { of: Readonly<Record<string, number>> }) {
  return (
    <section class="card">
      <h2>Metrics</h2>
      <Figures metrics={[of]} />
    </section>
  );
}

/** Curves of each phase, training and held-out rows beside each other. */
function Curves({ epochs, isOver }: { epochs: readonly EpochMetrics[]; isOver: boolean }) {
  const [isLog, setLog] = useState(false);
  const phases = useMemo(() => byPhase(epochs), [epochs]);
  if (phases.length === 0) {
    return (
      <section class="card">
        <h2>Loss</h2>
        <p class="quiet">
          {isOver ? 'No epoch was finished, or its events are no longer kept.' : 'The first epoch has not ended yet.'}
        </p>
      </section>
    );
  }
  return (
    <section class="card">
      <div class="head">
        <h2>Loss and metrics</h2>
        <label>
          <input type="checkbox" checked={isLog} onChange={(event) => setLog(event.currentTarget.checked)} />{' '}
          Logarithmic
        </label>
      </div>
      {phases.map(([phase, own]) => (
        <Phase key={phase} phase={phase} epochs={own} isLog={isLog} />
      ))}
    </section>
  );
}

function byPhase(epochs: readonly EpochMetrics[]): [string, EpochMetrics[]][] {
  const phases = new Map<string, EpochMetrics[]>();
  for (const epoch of epochs) phases.set(epoch.phase, [...(phases.get(epoch.phase) ?? []), epoch]);
  return [...phases];
}

/** Metrics with a unit of their own get a chart of their own. */
function Phase({ phase, epochs, isLog }: { phase: string; epochs: readonly EpochMetrics[]; isLog: boolean }) {
  const groups = useMemo(() => groupsOf(epochs), [epochs]);
  return (
    <div class="phase">
      <h3>
        {phase}{' '}
        <small class="quiet">
          {epochs.length} {epochs.length === 1 ? 'epoch' : 'epochs'}
        </small>
      </h3>
      {groups.map(([name, curves]) => (
        <Chart
          key={name}
          curves={curves}
          isLog={isLog}
          countsX
          xLabel="epoch"
          yLabel={name}
          label={`${name} of ${phase} by epoch; last: ${curves.map(({ label, points }) => `${label} ${number(points.at(-1)?.[1])}`).join(', ')}`}
        />
      ))}
    </div>
  );
}

function groupsOf(epochs: readonly EpochMetrics[]): [string, Curve[]][] {
  const names = [...new Set(epochs.flatMap(({ metrics }) => Object.keys(metrics)))];
  const groups = new Map<string, Curve[]>();
  for (const name of names) {
    const group = name.replace(/^heldOut\./, '');
    const curve: Curve = {
      label:
        name === group
          ? names.includes(`heldOut.${name}`)
            ? `${name}, training rows`
            : name
          : `${group}, held-out rows`,
      points: epochs.flatMap(({ epoch, metrics }) =>
        metrics[name] === undefined ? [] : [[epoch, metrics[name]] as const],
      ),
    };
    groups.set(group, [...(groups.get(group) ?? []), curve]);
  }
  return [...groups];
}

function commandsOf({ asked, spec }: JobView) {
  const request = asked ?? spec;
  const json = JSON.stringify(request);
  return {
    curl: (
      <Copied
        text={`curl -s ${address}/v1/jobs -H 'content-type: application/json' -d '${json.replaceAll("'", "'\\''")}'`}
      />
    ),
    TypeScript: (
      <Copied
        text={`import { HourglassClient } from 'hourglass-sdk';\n\nconst client = new HourglassClient({ baseUrl: '${address}' });\nconst job = await client.jobs.submit(${pretty(request)});\nconst ended = await client.jobs.finished(job.id);`}
      />
    ),
    'Command line': (
      <Copied text={`echo '${json.replaceAll("'", "'\\''")}' | HOURGLASS_URL=${address} hourglass train - --follow`} />
    ),
    Python: (
      <Copied
        text={`import requests\n\njob = requests.post('${address}/v1/jobs', json=${json.replaceAll(':true', ':True').replaceAll(':false', ':False').replaceAll(':null', ':None')}).json()`}
      />
    ),
  };
}
