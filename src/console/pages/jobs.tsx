/** All jobs, newest first: as many as there are, of which those on the screen are kept up to date. */

import { useEffect, useRef, useState } from 'preact/hooks';
import type { JobView, QueueList, WorkerView } from '../../sdk/index.ts';
import { ago, duration, number } from '../format.ts';
import { useLoaded } from '../load.ts';
import { JobButtons } from '../parts/job-buttons.tsx';
import { type JobRange, mergeJobs } from '../parts/job-range.ts';
import { Empty, Failure, Loading } from '../parts/notices.tsx';
import { Progress, Sparkline, State } from '../parts/small.tsx';
import { href, place, refine } from '../router.ts';
import { client, getJson, isOnline, keyCount } from '../server.ts';
import { parametersText } from '../sweep.ts';

const states = ['queued', 'running', 'cancelling', 'succeeded', 'failed', 'cancelled'] as const;
const pageSize = 200;
const refreshMs = 2000;
/** rows above and below the screen that are there as well */
const spare = 8;

/** What is asked for, and what has been loaded of it so far. */
interface Listing {
  readonly jobs: readonly JobView[];
  /** undefined when all are loaded */
  readonly next: string | undefined;
  readonly error?: unknown;
  readonly isLoading: boolean;
}

const noTrials: ReadonlyMap<string, string> = new Map();

async function trialsOf(signal: AbortSignal): Promise<ReadonlyMap<string, string>> {
  const sweeps = await client.sweeps.list({ signal });
  return new Map(
    sweeps.flatMap(({ trials }) => trials.map(({ id, parameters }) => [id, parametersText(parameters)] as const)),
  );
}

const nothing: Listing = { jobs: [], next: undefined, isLoading: true };

export function JobsPage() {
  const { query } = place.value;
  const state = states.find((name) => name === query.get('state'));
  const search = query.get('search') ?? '';
  const queues = useLoaded(() => getJson<QueueList>('v1/queues'), [], refreshMs);
  const workers = useLoaded((signal) => client.workers({ signal }), [], 5000);
  const trials = useLoaded((signal) => trialsOf(signal), [], 10_000);
  const counts = queues.data?.jobs;
  const total = counts && Object.values(counts).reduce((sum, count) => sum + count, 0);
  return (
    <>
      <div class="head">
        <h1>Jobs</h1>
        <span class="buttons">
          <a class="button" href={href(['sweeps'])}>
            Sweeps
          </a>
          <a class="button primary" href={href(['new'])}>
            New job
          </a>
        </span>
      </div>
      <div class="filters">
        <fieldset class="chips">
          <legend class="hidden">State</legend>
          {[undefined, ...states.filter((name) => name !== 'cancelling' || name === state || counts?.cancelling)].map(
            (name) => (
              <button
                key={name ?? 'all'}
                type="button"
                aria-pressed={name === state}
                onClick={() => refine({ state: name })}
              >
                {name ?? 'all'} <b>{(name === undefined ? total : counts?.[name])?.toLocaleString('en') ?? ''}</b>
              </button>
            ),
          )}
        </fieldset>
        <input
          type="search"
          aria-label="Search jobs"
          placeholder="Name, data set, type or id"
          value={search}
          onInput={(event) => refine({ search: event.currentTarget.value.slice(0, 100) })}
        />
      </div>
      <JobTable
        key={`${state}/${search}/${keyCount.value}`}
        state={state}
        search={search}
        workers={workers.data ?? []}
        trials={trials.data ?? noTrials}
        isFiltered={state !== undefined || search !== ''}
      />
    </>
  );
}

interface TableProps {
  readonly state: (typeof states)[number] | undefined;
  readonly search: string;
  readonly workers: readonly WorkerView[];
  /** values of the trials of sweeps, by job */
  readonly trials: ReadonlyMap<string, string>;
  readonly isFiltered: boolean;
}

function JobTable({ state, search, workers, trials, isFiltered }: TableProps) {
  const [listing, setListing] = useState<Listing>(nothing);
  const [range, setRange] = useState<JobRange>({ first: 0, last: 40 });
  const body = useRef<HTMLTableSectionElement>(null);
  const current = useRef({ listing, range });
  current.current = { listing, range };
  const asked = { ...(state && { state }), ...(search && { search }) };

  const load = async (cursor: string | undefined): Promise<void> => {
    setListing((before) => ({ ...before, isLoading: true }));
    try {
      const page = await client.jobs.list({ ...asked, limit: pageSize, losses: true, ...(cursor && { cursor }) });
      setListing((before) => ({
        jobs: cursor === undefined ? page.jobs : [...before.jobs, ...page.jobs],
        next: page.nextCursor,
        isLoading: false,
      }));
    } catch (error) {
      setListing((before) => ({ ...before, error, isLoading: false }));
    }
  };

  useEffect(() => {
    void load(undefined);
    const timer = setInterval(async () => {
      const { listing: shown, range: seen } = current.current;
      if (document.hidden || !isOnline.value || shown.isLoading) return;
      const cursor = seen.first === 0 ? undefined : shown.jobs[seen.first - 1]?.id;
      const limit = Math.max(10, seen.last - seen.first);
      const page = await client.jobs
        .list({ ...asked, limit, losses: true, ...(cursor && { cursor }) })
        .catch(() => undefined);
      if (page) setListing((before) => ({ ...before, jobs: mergeJobs(before.jobs, cursor, page), error: undefined }));
    }, refreshMs);
    return () => clearInterval(timer);
  }, [isOnline.value]);

  useEffect(() => {
    const look = (): void => {
      const table = body.current;
      if (!table) return;
      const height = rowHeight();
      const above = Math.max(0, -table.getBoundingClientRect().top);
      const first = Math.max(0, Math.floor(above / height) - spare);
      setRange({ first, last: first + Math.ceil(innerHeight / height) + 2 * spare });
    };
    look();
    addEventListener('scroll', look, { passive: true });
    addEventListener('resize', look);
    return () => {
      removeEventListener('scroll', look);
      removeEventListener('resize', look);
    };
  }, [listing.jobs.length > 0]);

  const { jobs, next, isLoading, error } = listing;
  useEffect(() => {
    if (range.last > jobs.length - pageSize / 2 && next !== undefined && !isLoading) void load(next);
  }, [range.last, jobs.length, next, isLoading]);

  if (jobs.length === 0) {
    if (error !== undefined) return <Failure error={error} retry={() => load(undefined)} />;
    if (isLoading || next !== undefined) return <Loading rows={6} />;
    return isFiltered ? (
      <Empty title="No job matches">
        <p>No job is in this state or contains this text.</p>
        <button type="button" onClick={() => refine({ state: undefined, search: undefined })}>
          Show all jobs
        </button>
      </Empty>
    ) : (
      <Empty title="No job yet">
        <p>A job trains a model on a data set and publishes it as a new version.</p>
        <p>
          <a class="button primary" href={href(['new'])}>
            Start the first one
          </a>{' '}
          <a class="button" href={href(['datasets'])}>
            Upload own data
          </a>
        </p>
      </Empty>
    );
  }
  const height = rowHeight();
  const first = Math.min(range.first, Math.max(0, jobs.length - 1));
  const shown = jobs.slice(first, range.last);
  const hostOf = (id: string): string => workers.find((worker) => worker.jobs.includes(id))?.host ?? '';
  return (
    <>
      <table class="jobs" aria-rowcount={next === undefined ? jobs.length + 1 : -1}>
        <thead>
          <tr>
            <th scope="col">Model</th>
            <th scope="col">State</th>
            <th scope="col">Progress</th>
            <th scope="col">Loss</th>
            <th scope="col" class="num">
              Rows/s
            </th>
            <th scope="col">Queue</th>
            <th scope="col">Age</th>
            <th scope="col">
              <span class="hidden">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody ref={body}>
          {first > 0 && <Space height={first * height} />}
          {shown.map((job, i) => (
            <Row key={job.id} job={job} index={first + i} host={hostOf(job.id)} trial={trials.get(job.id)} />
          ))}
          {range.last < jobs.length && <Space height={(jobs.length - range.last) * height} />}
        </tbody>
      </table>
      <p class="quiet" role="status">
        {jobs.length.toLocaleString('en')} {jobs.length === 1 ? 'job' : 'jobs'}
        {next !== undefined && (isLoading ? ', loading more …' : ' so far')}
      </p>
    </>
  );
}

/** Room for the rows that are not there. */
function Space({ height }: { height: number }) {
  return (
    <tr class="space" style={{ height: `${height}px` }}>
      <td colSpan={8} />
    </tr>
  );
}

/** As in style.css. */
const rowHeight = (): number => (matchMedia('(max-width: 45rem)').matches ? 116 : 60);

interface RowProps {
  readonly job: JobView;
  readonly index: number;
  readonly host: string;
  /** of a trial of a sweep: the values that it tries */
  readonly trial: string | undefined;
}

function Row({ job, index, host, trial }: RowProps) {
  const { id, spec, progress, losses = [], metrics } = job;
  const loss = progress?.loss ?? losses.at(-1) ?? metrics?.['train.loss'];
  return (
    <tr aria-rowindex={index + 2}>
      <td class="name">
        <a href={href(['jobs', id])}>{spec.name}</a>
        <small>
          {spec.model.type} on {spec.dataset}
          {trial && ` · ${trial}`}
        </small>
      </td>
      <td>
        <State of={job.state} />
      </td>
      <td>
        <Progress job={job} />
      </td>
      <td class="loss">
        {losses.length > 1 && <Sparkline values={losses} />}
        {loss === undefined ? <span class="quiet">–</span> : <small>{number(loss)}</small>}
      </td>
      <td class="num rate">
        {job.state === 'running' ? number(progress && Math.round(progress.samplesPerSecond ?? 0)) : '–'}
      </td>
      <td class="queue">
        {spec.training.device}
        <small>{host}</small>
      </td>
      <td class="age">
        <time dateTime={job.createdAt} title={new Date(job.createdAt).toLocaleString()}>
          {ago(job.createdAt)}
        </time>
        <small>
          {job.startedAt && job.finishedAt
            ? `took ${duration((Date.parse(job.finishedAt) - Date.parse(job.startedAt)) / 1000)}`
            : ''}
        </small>
      </td>
      <td class="actions">
        <JobButtons job={job} isShort />
      </td>
    </tr>
  );
}
