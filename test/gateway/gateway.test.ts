// The gateway as a whole: its ports, readiness over all of them, metrics on their own port only, overload, deadlines, clients that
// leave, and stopping without losing an answer.

import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { createDatasetStore } from '../../src/data/store.ts';
import { createGateway, type Gateway, type Ports } from '../../src/gateway/gateway.ts';
import { type Config, loadConfig } from '../../src/platform/config.ts';
import { Metrics } from '../../src/platform/metrics.ts';
import { Registry } from '../../src/registry/registry.ts';
import { FolderBlobs } from '../../src/store/folder/blobs.ts';
import { FolderDatasets } from '../../src/store/folder/datasets.ts';
import { openDoors } from '../access/doors.ts';
import { startRedis, type TestRedis } from '../helpers/redis.ts';
import { openQueue, quiet } from '../queue/fixtures.ts';
import { GatedPredictor } from './grpc/harness.ts';

interface Running {
  readonly gateway: Gateway;
  readonly ports: Ports;
  readonly url: string;
  readonly predictor: GatedPredictor;
  readonly metrics: Metrics;
  readonly submit: () => Promise<string>;
}

let redis: TestRedis;
let prefixes = 0;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

const never = new AbortController().signal;

async function start({ isOpen = true, ...changes }: Partial<Config> & { isOpen?: boolean } = {}): Promise<Running> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'hourglass-gateway-'));
  const queue = await openQueue(redis.url, { prefix: `gateway-${++prefixes}` });
  const versions = await FolderBlobs.open(path.join(folder, 'models'));
  const registry = await Registry.open(versions);
  const datasets = createDatasetStore({ files: new FolderDatasets(path.join(folder, 'datasets')) });
  const predictor = new GatedPredictor({ isOpen });
  const metrics = new Metrics('gateway');
  const worker = new Metrics('worker');
  worker.count('checkpoints', 3);
  const snapshot = await worker.snapshot();
  const env = {
    HOURGLASS_HTTP_PORT: '0',
    HOURGLASS_GRPC_PORT: '0',
    HOURGLASS_METRICS_PORT: '0',
    HOURGLASS_DRAIN: '0s',
  };
  const config = { ...loadConfig(env), ...changes };
  const gateway = createGateway({
    ...{ queue, predictor, registry, datasets, config, metrics, storage: { ping: async () => {}, versions } },
    ...openDoors,
    log: quiet,
    version: '0.0.0',
    otherMetrics: () => [snapshot],
  });
  onTestFinished(async () => {
    predictor.open();
    await gateway.close(AbortSignal.abort());
    await queue.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const ports = await gateway.listen();
  const url = `http://127.0.0.1:${ports.httpPort}`;
  const submit = async (): Promise<string> => {
    const job = { name: 'x', dataset: 'mnist', model: { type: 'dense' } };
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(`${url}/v1/jobs`, { method: 'POST', headers, body: JSON.stringify(job) });
    return ((await answer.json()) as { id: string }).id;
  };
  return { gateway, ports, url, predictor, metrics, submit };
}

const encode = (url: string, signal?: AbortSignal): Promise<Response> =>
  fetch(`${url}/encode`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"inputs":[[1,2],[3,4]]}',
    ...(signal && { signal }),
  });
const asked = (predictor: GatedPredictor, count = 1) => expect.poll(() => predictor.asked.length).toBe(count);
const isOpenPort = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });

describe('ports', () => {
  it('are all open, or none', async () => {
    const { ports, gateway } = await start();
    expect(new Set(Object.values(ports)).size).toBe(3);
    const before = ports.httpPort;
    await expect(start({ httpPort: before })).rejects.toThrow(/EADDRINUSE/);
    await expect(start({ grpcPort: ports.grpcPort })).rejects.toThrow(/address|EADDRINUSE/i);
    await gateway.close(never);
    for (const port of Object.values(ports)) expect(await isOpenPort(port)).toBe(false);
  });
});

describe('metrics', () => {
  it('are of this process and those it speaks for, on their own port', async () => {
    const { ports, url, submit } = await start();
    await submit();
    expect((await fetch(`${url}/v1/jobs/${await submit()}/cancel`, { method: 'POST' })).status).toBe(202);
    await (await encode(url)).arrayBuffer();
    const answer = await fetch(`http://127.0.0.1:${ports.metricsPort}/metrics`);
    expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    const text = await answer.text();
    expect(text).toContain('hourglass_requests_total{transport="rest",route="/encode",code="ok",process="gateway"} 1');
    expect(text).toContain('hourglass_checkpoints_total{process="worker"} 3');
    expect(text).toContain('hourglass_jobs_finished_total{outcome="cancelled",process="gateway"} 1');
    expect(text).toContain('hourglass_queue_jobs{state="queued",process="gateway"} 1');
    expect(text).toContain('hourglass_queue_up{process="gateway"} 1');
    expect(text).toMatch(/hourglass_queue_oldest_wait_seconds\{queue="any",process="gateway"\} 0\.\d+/);
    expect(text).toContain('hourglass_queue_oldest_wait_seconds{queue="gpu",process="gateway"} 0\n');
    expect(text.match(/^# TYPE hourglass_checkpoints_total/gm)).toHaveLength(1);
    for (const [target, method, status] of [
      ['/', 'GET', 404],
      ['/metrics', 'POST', 405],
      ['/metrics?x=1', 'HEAD', 200],
    ] as const) {
      expect((await fetch(`http://127.0.0.1:${ports.metricsPort}${target}`, { method })).status).toBe(status);
    }
    expect((await fetch(`${url}/metrics`)).status).toBe(404);
    for (const [host, status] of [
      ['evil.example', 403],
      ['10.0.0.7:9464', 200],
      ['hourglass-metrics', 200],
    ] as const) {
      const { metricsPort: port } = ports;
      const asked = request({ host: '127.0.0.1', port, path: '/metrics', headers: { host } }).end();
      const [received] = (await once(asked, 'response')) as [IncomingMessage];
      received.resume();
      expect(received.statusCode).toBe(status);
    }
  });
});

describe('work that nobody waits for', () => {
  it('is told when its client leaves', async () => {
    const { url, predictor, metrics } = await start({ isOpen: false });
    const client = new AbortController();
    const call = encode(url, client.signal);
    await asked(predictor);
    expect(predictor.asked[0]?.demand?.signal?.aborted).toBe(false);
    client.abort();
    await expect(call).rejects.toThrow();
    await expect.poll(() => predictor.asked[0]?.demand?.signal?.aborted).toBe(true);
    expect(predictor.asked[0]?.demand?.signal?.reason).toMatchObject({ code: 'cancelled' });
    await expect.poll(() => metrics.render()).toMatch(/route="\/encode",code="cancelled",.*\} 1/);
  });

  it('is told when its time is over, and the client as well', async () => {
    const { url, predictor } = await start({ isOpen: false, deadlineMs: 100 });
    const answer = await encode(url);
    expect(answer.status).toBe(504);
    expect(answer.headers.get('retry-after')).toBe('1');
    expect(await answer.json()).toMatchObject({ code: 'deadline-exceeded' });
    expect(predictor.asked[0]?.demand?.signal?.reason).toMatchObject({ code: 'deadline-exceeded' });
  });
});

describe('connections', () => {
  it('are for so many and no more: those with a request go on, one that is idle makes room', async () => {
    const { ports, url, predictor } = await start({ maxConnections: 3, isOpen: false });
    const open = async () => {
      const socket = connect(ports.httpPort, '127.0.0.1').on('error', () => {});
      onTestFinished(() => void socket.destroy());
      await new Promise((resolve) => socket.once('connect', resolve));
      return socket;
    };
    const busy = [await open(), await open(), await open()];
    const body = '{"inputs":[[1,2,3,4]]}';
    for (const socket of busy) {
      socket.write(
        `POST /encode HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      );
    }
    await expect.poll(() => predictor.asked.length).toBe(3);
    await expect(fetch(`${url}/livez`)).rejects.toThrow();
    // Probes have a port of their own.
    expect((await fetch(`http://127.0.0.1:${ports.metricsPort}/livez`)).status).toBe(200);
    expect((await fetch(`http://127.0.0.1:${ports.metricsPort}/readyz`)).status).toBe(200);
    expect((await fetch(`http://127.0.0.1:${ports.metricsPort}/readyz?for=inference`)).status).toBe(200);
    const heard = busy.map(
      (socket) => new Promise<string>((resolve) => socket.once('data', (data) => resolve(`${data}`))),
    );
    predictor.open();
    for (const answer of await Promise.all(heard)) expect(answer).toMatch(/^HTTP\/1\.1 200/);
    // The three are idle now: the first of them is closed for the newcomer.
    const closed = new Promise((resolve) => busy[0]?.once('close', resolve));
    expect((await fetch(`${url}/livez`)).status).toBe(200);
    await closed;
    expect(busy.slice(1).map((socket) => socket.destroyed)).toEqual([false, false]);
  });
});

describe('stopping', () => {
  it('is not ready at once, goes on accepting for a while, then closes', async () => {
    const { gateway, url, ports } = await start({ drainMs: 600_000 });
    const hurry = new AbortController();
    const closing = gateway.close(hurry.signal);
    const ready = await fetch(`${url}/readyz`);
    expect(ready.status).toBe(503);
    expect(ready.headers.get('connection')).toBe('close');
    expect(await ready.json()).toMatchObject({ parts: { server: { ready: false, detail: 'stopping' } } });
    const answer = await encode(url);
    expect({ status: answer.status, connection: answer.headers.get('connection') }).toEqual({
      status: 200,
      connection: 'close',
    });
    hurry.abort();
    await closing;
    expect(await isOpenPort(ports.httpPort)).toBe(false);
  });

  it('finishes what is in flight and ends event streams', async () => {
    const { gateway, url, predictor, submit } = await start({ isOpen: false });
    const events = await fetch(`${url}/v1/jobs/${await submit()}/events`);
    const inFlight = encode(url);
    await asked(predictor);
    const closing = gateway.close(never);
    expect(await events.text()).toContain('event: state');
    predictor.open();
    const answer = await inFlight;
    expect(await answer.json()).toMatchObject({
      codes: [
        [1, 2],
        [3, 4],
      ],
    });
    await closing;
    await expect(fetch(`${url}/livez`)).rejects.toThrow();
  });

  it('cuts off what does not end in time', async () => {
    const { gateway, url, predictor } = await start({ isOpen: false, graceMs: 100 });
    const stuck = encode(url).then(
      (answer) => answer.status,
      () => 'cut off',
    );
    await asked(predictor);
    await gateway.close(never);
    expect(await stuck).toBe('cut off');
  });
});

it('hides an error of our own from the client', async () => {
  const { url, predictor } = await start();
  predictor.predict = async () => {
    throw new TypeError('secret of /etc/hourglass');
  };
  const answer = await encode(url);
  const text = await answer.text();
  expect(answer.status).toBe(500);
  expect(JSON.parse(text)).toMatchObject({ code: 'internal', requestId: answer.headers.get('x-request-id') });
  expect(text).not.toContain('secret');
});
