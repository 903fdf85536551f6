// Rolling restarts: two gateways behind a proxy that knows which of them are ready, one after the other told to stop and
// started anew, under load. Counts requests that failed.
//
//   clients ─► proxy (new connections to ready gateways) ─► gateway 1, gateway 2 ─► redis-server
import type { ChildProcess } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { TestClient } from '../../test/gateway/grpc/client.ts';
import { freePorts } from '../../test/helpers/ports.ts';
import { startProxy } from '../../test/helpers/tcp-proxy.ts';
import { encodeOverGrpc, encodeOverRest, repeat, submitAll, submitOverGrpc, submitOverRest, Tally } from './clients.ts';
import type { Fleet } from './fleet.ts';
import { ended, waveSpec } from './jobs.ts';
import type { World } from './world.ts';

export interface RolledOut {
  readonly rollouts: number;
  /** requests that were answered, over REST and gRPC */
  readonly rest: number;
  readonly grpc: number;
  /** what those that were not answered met with */
  readonly failed: readonly string[];
  /** REST answers that told their client to connect anew */
  readonly closing: number;
  /** exit codes other than 0 */
  readonly badExits: readonly (number | null)[];
  /** from SIGTERM to the first /readyz that says 503 */
  readonly notReadyAfterMs: number;
  /** from SIGTERM to the end of the process, the longest */
  readonly longestStopMs: number;
}

interface Backend {
  readonly http: number;
  readonly grpc: number;
  ready: boolean;
  process: ChildProcess;
}

const probeEveryMs = 50;

export async function rollOut(
  { queue, fleet }: World,
  { rollouts, drain }: { readonly rollouts: number; readonly drain: string },
): Promise<RolledOut> {
  const gateways = fleet('gateway', { HOURGLASS_DRAIN: drain });
  const workers = fleet('worker');
  workers.start();
  const ports = await freePorts(4);
  const backends = [0, 2].map((at): Backend => {
    const [http = 0, grpc = 0] = ports.slice(at);
    return { http, grpc, ready: false, process: launch(gateways, http, grpc) };
  });
  const over = new AbortController();
  const probes = backends.map((backend) => repeat(over.signal, probeEveryMs, () => probe(backend)));
  let turn = 0;
  const next = (): Backend => {
    const ready = backends.filter((backend) => backend.ready);
    return (ready[turn++ % ready.length] ?? backends[0]) as Backend;
  };
  const [http, grpc] = [await startProxy(() => next().http), await startProxy(() => next().grpc)];
  const address = `http://127.0.0.1:${http.port}`;
  const clients = Array.from({ length: 3 }, () => new TestClient(grpc.port));
  try {
    const model = await queue.submit(waveSpec('served', 2));
    if ((await ended(queue, model.id, 120_000))?.state !== 'succeeded') throw new Error('no model to ask for');
    await workers.stop();
    for (const backend of backends) await until(() => backend.ready);
    const [rest, calls] = [new Tally(), new Tally()];
    const submit = clients.pop() as TestClient;
    const load = Promise.all([
      ...[20, 30, 300].map((ms) => repeat(over.signal, ms, () => rest.record(() => encodeOverRest(address, 'served')))),
      ...clients.map((client, i) =>
        repeat(over.signal, 20 * (i + 1), () => calls.record(() => encodeOverGrpc(client, 'served'))),
      ),
      submitAll(over.signal, 'rest', rest, (key) => submitOverRest(address, key), 100),
      submitAll(over.signal, 'grpc', calls, (key) => submitOverGrpc(submit, key), 100),
    ]);
    await delay(500);
    const stops: Stopped[] = [];
    for (let i = 0; i < rollouts; i++) {
      const backend = backends[i % backends.length] as Backend;
      stops.push(await stop(gateways, backend));
      backend.process = launch(gateways, backend.http, backend.grpc);
      await until(() => backend.ready);
      await delay(300);
    }
    over.abort();
    await load;
    submit.close();
    return {
      rollouts,
      rest: rest.done,
      grpc: calls.done,
      failed: [...rest.wrong, ...calls.wrong, ...Array(rest.refused + calls.refused).fill('refused')],
      closing: rest.closing,
      badExits: stops.map(({ exitCode }) => exitCode).filter((code) => code !== 0),
      notReadyAfterMs: Math.max(...stops.map(({ notReadyAfterMs }) => notReadyAfterMs)),
      longestStopMs: Math.max(...stops.map(({ tookMs }) => tookMs)),
    };
  } finally {
    over.abort();
    await Promise.all(probes);
    for (const client of clients) client.close();
    await gateways.stop();
    await Promise.all([http.close(), grpc.close()]);
  }
}

const launch = (gateways: Fleet, http: number, grpc: number): ChildProcess =>
  gateways.start({ HOURGLASS_HTTP_PORT: String(http), HOURGLASS_GRPC_PORT: String(grpc) });

async function probe(backend: Backend): Promise<void> {
  const answer = await fetch(`http://127.0.0.1:${backend.http}/readyz`).catch(() => undefined);
  backend.ready = answer?.status === 200;
  await answer?.body?.cancel();
}

interface Stopped {
  readonly exitCode: number | null;
  readonly notReadyAfterMs: number;
  readonly tookMs: number;
}

async function stop(gateways: Fleet, backend: Backend): Promise<Stopped> {
  const begun = performance.now();
  const gone = gateways.end(backend.process, 'SIGTERM');
  await until(() => !backend.ready);
  const notReadyAfterMs = performance.now() - begun;
  return { exitCode: await gone, notReadyAfterMs, tookMs: performance.now() - begun };
}

async function until(check: () => boolean): Promise<void> {
  while (!check()) await delay(10);
}
