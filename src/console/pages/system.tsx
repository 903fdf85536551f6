/** What runs: queues and the workers that take from them, this gateway, and where things are kept. */

import type { QueueList, WorkerList } from '../../sdk/index.ts';
import { ago, bytes, duration, number } from '../format.ts';
import { useLoaded } from '../load.ts';
import { Shown } from '../parts/notices.tsx';
import { Facts } from '../parts/small.tsx';
import { type Column, Table } from '../parts/table.tsx';
import { href } from '../router.ts';
import { client, getJson } from '../server.ts';

const everyMs = 3000;

/** Of what is one process: a worker, a gateway. */
const hostColumn: Column<{ readonly host: string; readonly pid: number }> = {
  head: 'Host',
  isName: true,
  cell: ({ host, pid }) => (
    <>
      {host} <small class="quiet">process {pid}</small>
    </>
  ),
};

export function SystemPage() {
  const queues = useLoaded(() => getJson<QueueList>('v1/queues'), [], everyMs);
  const present = useLoaded(() => getJson<WorkerList>('v1/workers'), [], everyMs);
  const running = useLoaded((signal) => client.jobs.list({ state: 'running', limit: 200, signal }), [], everyMs);
  const names = new Map((running.data?.jobs ?? []).map(({ id, spec }) => [id, spec.name]));
  const info = useLoaded((signal) => client.info({ signal }), [], 10_000);
  const readiness = useLoaded((signal) => client.readiness({ signal }), [], everyMs);
  return (
    <>
      <div class="head">
        <h1>System</h1>
      </div>
      <section class="card">
        <h2>Readiness</h2>
        <Shown of={readiness}>
          {({ parts }) => (
            <Facts
              of={Object.entries(parts).map(([name, part]) => [
                name,
                <span key={name} class={part.ready ? 'state succeeded' : 'state failed'}>
                  {part.ready ? 'ready' : 'not ready'}
                </span>,
              ])}
            />
          )}
        </Shown>
        {Object.entries(readiness.data?.parts ?? {})
          .filter(([, part]) => !part.ready)
          .map(([name, part]) => (
            <p key={name} class="wrong">
              {name}: {part.detail}
            </p>
          ))}
      </section>
      <section class="card">
        <h2>Queues</h2>
        <Shown of={queues}>
          {(list) => (
            <Table
              label="Queues"
              rows={list.queues}
              keyOf={({ name }) => name}
              columns={[
                { head: 'Queue', isName: true, cell: ({ name }) => name },
                { head: 'Waiting', isNumber: true, cell: ({ waiting }) => waiting },
                { head: 'Running', isNumber: true, cell: ({ running }) => running },
                {
                  head: 'Workers',
                  isNumber: true,
                  cell: ({ waiting, workers: takers }) =>
                    takers === 0 && waiting > 0 ? <strong class="wrong">none</strong> : takers,
                },
              ]}
            />
          )}
        </Shown>
      </section>
      <section class="card">
        <h2>Workers</h2>
        <Shown of={present}>
          {({ workers: list }) =>
            list.length === 0 ? (
              <p>
                No worker is there, so queued jobs wait. Start one with <code>hourglass worker</code>.
              </p>
            ) : (
              <Table
                label="Workers"
                rows={list}
                keyOf={({ id }) => id}
                columns={[
                  hostColumn,
                  { head: 'Engine', cell: ({ engine }) => engine },
                  { head: 'Queues', cell: ({ queues: names }) => names.join(', ') },
                  {
                    head: 'Trains',
                    cell: ({ jobs, concurrency }) => (
                      <>
                        {jobs.length === 0 && <span class="quiet">idle</span>}
                        {jobs.map((id) => (
                          <a key={id} href={href(['jobs', id])}>
                            {names.get(id) ?? id.slice(-8)}{' '}
                          </a>
                        ))}
                        <small class="quiet">
                          {jobs.length} of {concurrency}
                        </small>
                      </>
                    ),
                  },
                  { head: 'Started', cell: ({ startedAt }) => ago(startedAt) },
                  { head: 'Release', cell: ({ release }) => release },
                ]}
              />
            )
          }
        </Shown>
      </section>
      <section class="card">
        <h2>Gateways</h2>
        <Shown of={present}>
          {({ gateways }) => (
            <Table
              label="Gateways"
              rows={gateways}
              keyOf={({ id }) => id}
              columns={[
                hostColumn,
                { head: 'Started', cell: ({ startedAt }) => ago(startedAt) },
                { head: 'Release', cell: ({ release }) => release },
              ]}
            />
          )}
        </Shown>
      </section>
      <section class="card">
        <h2>This gateway</h2>
        <Shown of={info}>
          {({ version, node, uptimeSeconds, defaultModel, store, limits }) => (
            <Facts
              of={[
                ['Release', version],
                ['Node', node],
                ['Up for', duration(uptimeSeconds)],
                ['Store', store === 's3' ? 'bucket (S3)' : 'folder'],
                ['Default model', defaultModel ?? 'none'],
                ['Largest body', bytes(limits.bodyBytes)],
                ['Largest upload', bytes(limits.uploadBytes)],
                ['Rows of a request', number(limits.batchRows)],
                ['Pixels of a picture', number(limits.imagePixels)],
              ]}
            />
          )}
        </Shown>
        <p>
          Metrics for Prometheus are on a port of their own (HOURGLASS_METRICS_PORT). The{' '}
          <a href={href(['api'])}>API</a> is described as <a href="openapi.yaml">openapi.yaml</a>.
        </p>
      </section>
    </>
  );
}
