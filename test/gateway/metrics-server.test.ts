// The metrics port answers while the event loop of its process does not turn, and tells when that has been so for too long.
import { Worker } from 'node:worker_threads';
import { afterEach, expect, it } from 'vitest';
import { createMetricsServer, type MetricsServer } from '../../src/gateway/metrics-server.ts';
import { type ReadinessReport, readinessParts } from '../../src/gateway/readiness.ts';
import { quiet } from '../queue/fixtures.ts';

/** Asks a path again and again, and counts the answers by status: [200, 503, others]. */
const asker = `
const { workerData } = require('node:worker_threads');
const counts = new Int32Array(workerData.counts);
(async () => {
  for (;;) {
    const { status } = await fetch(workerData.url).catch(() => ({ status: 0 }));
    const at = status === 200 ? 0 : status === 503 ? 1 : 2;
    Atomics.add(counts, at, 1);
    Atomics.notify(counts, at);
  }
})();`;

const part = { ready: true, detail: 'answers' };
const report = {
  ready: true,
  parts: Object.fromEntries(readinessParts.map((name) => [name, part])),
} as unknown as ReadinessReport;

const opened: { close(): Promise<unknown> }[] = [];
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
});

async function start(hangTimeoutMs: number): Promise<{ readonly server: MetricsServer; readonly port: number }> {
  const config = { host: '127.0.0.1', allowedHosts: null, corsOrigins: null, hangTimeoutMs };
  const server = createMetricsServer({ read: async () => [], log: quiet, config, readiness: { report: () => report } });
  opened.push(server);
  return { server, port: await server.listen('127.0.0.1', 0) };
}

/** Another thread that asks; its counts. */
async function askOften(url: string): Promise<Int32Array> {
  const counts = new Int32Array(new SharedArrayBuffer(12));
  const worker = new Worker(asker, { eval: true, workerData: { url, counts: counts.buffer } });
  opened.push({ close: () => worker.terminate() });
  await expect.poll(() => Atomics.load(counts, 0)).toBeGreaterThan(0);
  return counts;
}

/** Blocks this thread, and with it the event loop, until `count` more answers have come; false when they do not come. */
function blockUntil(counts: Int32Array, at: number, count: number): boolean {
  const until = Date.now() + 10_000;
  const wanted = Atomics.load(counts, at) + count;
  for (let seen = Atomics.load(counts, at); seen < wanted; seen = Atomics.load(counts, at)) {
    if (Date.now() > until) return false;
    Atomics.wait(counts, at, seen, 100);
  }
  return true;
}

it('answers probes while the event loop is blocked', async () => {
  const { port } = await start(60_000);
  for (const path of ['/livez', '/readyz']) {
    const counts = await askOften(`http://127.0.0.1:${port}${path}`);
    expect(blockUntil(counts, 0, 3), path).toBe(true);
    expect(counts[2]).toBe(0);
  }
});

it('is not alive and not ready once the event loop has been blocked for too long, and alive again after it', async () => {
  const { port } = await start(1500);
  const live = await askOften(`http://127.0.0.1:${port}/livez`);
  const ready = await askOften(`http://127.0.0.1:${port}/readyz`);
  expect(blockUntil(live, 1, 1)).toBe(true);
  expect(blockUntil(ready, 1, 1)).toBe(true);
  const answer = async (path: string) => (await fetch(`http://127.0.0.1:${port}${path}`)).status;
  await expect.poll(() => answer('/livez')).toBe(200);
  await expect.poll(() => answer('/readyz')).toBe(200);
});

it('says that its port is taken as any server does', async () => {
  const { port } = await start(60_000);
  const config = { host: '127.0.0.1', allowedHosts: null, corsOrigins: null, hangTimeoutMs: 60_000 };
  const second = createMetricsServer({ read: async () => [], log: quiet, config });
  await expect(second.listen('127.0.0.1', port)).rejects.toMatchObject({ code: 'EADDRINUSE', syscall: 'listen' });
  await second.close();
});
