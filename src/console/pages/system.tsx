/** What runs: queues and the workers that take from them, this gateway, and where things are kept. */

import type { QueueList } from '../../sdk/index.ts';
import { ago, bytes, duration, number } from '../format.ts';
import { useLoaded } from '../load.ts';
import { Shown } from '../parts/notices.tsx';
import { Facts, Wide } from '../parts/small.tsx';
import { href } from '../router.ts';
import { client, getJson } from '../server.ts';

const everyMs = 3000;

export function SystemPage() {
  const queues = useLoaded(() => getJson<QueueList>('v1/queues'), [], everyMs);
  const workers = useLoaded((signal) => client.workers({ signal }), [], everyMs);
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
            <Wide label="Queues">
              <table>
                <thead>
                  <tr>
                    <th scope="col">Queue</th>
                    <th scope="col" class="num">
                      Waiting
                    </th>
                    <th scope="col" class="num">
                      Running
                    </th>
                    <th scope="col" class="num">
                      Workers
                    </th>
                  </tr>
                </thead>
                <tbody>
                  {list.queues.map(({ name, waiting, running, workers: takers }) => (
                    <tr key={name}>
                      <th scope="row">{name}</th>
                      <td class="num">{waiting}</td>
                      <td class="num">{running}</td>
                      <td class="num">{takers === 0 && waiting > 0 ? <strong class="wrong">none</strong> : takers}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </Wide>
          )}
        </Shown>
      </section>
      <section class="card">
        <h2>Workers</h2>
        <Shown of={workers}>
          {(list) =>
            list.length === 0 ? (
              <p>
                No worker is there, so queued jobs wait. Start one with <code>hourglass worker</code>.
              </p>
            ) : (
              <Wide label="Workers">
                <table>
                  <thead>
                    <tr>
                      <th scope="col">Host</th>
                      <th scope="col">Engine</th>
                      <th scope="col">Queues</th>
                      <th scope="col">Trains</th>
                      <th scope="col">Started</th>
                      <th scope="col">Release</th>
                    </tr>
                  </thead>
                  <tbody>
                    {list.map((worker) => (
                      <tr key={worker.id}>
                        <th scope="row">
                          {worker.host} <small class="quiet">{worker.pid}</small>
                        </th>
                        <td>{worker.engine}</td>
                        <td>{worker.queues.join(', ')}</td>
                        <td>
                          {worker.jobs.length === 0 && <span class="quiet">idle</span>}
                          {worker.jobs.map((id) => (
                            <a key={id} href={href(['jobs', id])}>
                              {id.slice(-8)}{' '}
                            </a>
                          ))}
                          <small class="quiet">
                            {worker.jobs.length} of {worker.concurrency}
                          </small>
                        </td>
                        <td>{ago(worker.startedAt)}</td>
                        <td>{worker.release}</td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              </Wide>
            )
          }
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
          Metrics for Prometheus are on a port of their own (HOURGLASS_METRICS_PORT). The <a href="docs">API</a> is
          described as <a href="openapi.yaml">openapi.yaml</a>.
        </p>
      </section>
    </>
  );
}
