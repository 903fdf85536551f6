// HOURGLASS_GATEWAYS: several gateways answer on the same ports, one metrics port speaks for them, and one that dies comes back.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import http2 from 'node:http2';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Registry } from '../../src/registry/registry.ts';
import { openStores } from '../../src/store/open.ts';
import { scaling } from '../helpers/onnx-models.ts';
import { startRedis, type TestRedis } from '../helpers/redis.ts';
import { metaOf } from '../serve/serving.ts';

const program = path.resolve(import.meta.dirname, '../../dist/main.js');
let folder: string;
let redis: TestRedis;
let gateways: ChildProcess;
let ports: { readonly httpPort: number; readonly grpcPort: number; readonly metricsPort: number };

beforeAll(async () => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'hourglass-gateways-'));
  redis = await startRedis();
  const { versions } = await openStores({ dataDir: folder });
  await (await Registry.open(versions)).publish('tiny', { files: { ...scaling(4, 2, 1) }, meta: metaOf('tiny') });
  gateways = spawn(process.execPath, [program, 'gateway'], {
    env: {
      ...process.env,
      REDIS_URL: redis.url,
      HOURGLASS_DATA_DIR: folder,
      HOURGLASS_GATEWAYS: '2',
      HOURGLASS_HTTP_PORT: '0',
      HOURGLASS_GRPC_PORT: '0',
      HOURGLASS_METRICS_PORT: '0',
      HOURGLASS_DRAIN: '0s',
    },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  [ports] = (await once(gateways, 'message')) as [typeof ports];
}, 60_000);
afterAll(async () => {
  if (gateways.exitCode === null) {
    const ended = once(gateways, 'exit');
    gateways.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
  }
  await redis.stop();
  rmSync(folder, { recursive: true, force: true });
}, 60_000);

const metrics = async (): Promise<string> => (await fetch(`http://127.0.0.1:${ports.metricsPort}/metrics`)).text();
/** the gateways that have answered such requests, and how many in all */
async function answered(transport: string, route: string) {
  const line = new RegExp(
    `^hourglass_requests_total\\{(?=.*transport="${transport}")(?=.*route="${route}")(?=.*code="ok").*process="(gateway-\\d+)".*\\} (\\d+)`,
    'gm',
  );
  const found = [...(await metrics()).matchAll(line)];
  return { by: found.length, total: found.reduce((sum, [, , count]) => sum + Number(count), 0) };
}

const encode = (): Promise<Response> =>
  fetch(`http://127.0.0.1:${ports.httpPort}/encode?model=tiny`, {
    method: 'POST',
    signal: AbortSignal.timeout(10_000),
    headers: { 'content-type': 'application/json', connection: 'close' },
    body: '{"inputs":[[1,2,3,4]]}',
  });

async function check(): Promise<string> {
  const session = http2.connect(`http://127.0.0.1:${ports.grpcPort}`).on('error', () => {});
  const stream = session.request({
    ':method': 'POST',
    ':path': '/grpc.health.v1.Health/Check',
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  stream.resume().end(Buffer.alloc(5));
  const [trailers] = (await once(stream, 'trailers')) as [http2.IncomingHttpHeaders];
  session.destroy();
  return String(trailers['grpc-status']);
}

it('shares connections of REST and gRPC among the gateways, and sums up on one metrics port', async () => {
  for (let i = 0; i < 6; i++) {
    expect((await encode()).status).toBe(200);
    expect(await check()).toBe('0');
  }
  await expect.poll(() => answered('rest', '/encode'), { timeout: 10_000 }).toEqual({ by: 2, total: 6 });
  await expect.poll(() => answered('grpc', '/grpc.health.v1.Health/Check')).toEqual({ by: 2, total: 6 });
  expect((await fetch(`http://127.0.0.1:${ports.metricsPort}/livez`)).status).toBe(200);
  const ready = await fetch(`http://127.0.0.1:${ports.metricsPort}/readyz`);
  expect([ready.status, await ready.json()]).toMatchObject([200, { ready: true, parts: { queue: { ready: true } } }]);
});

it('goes on with the others when one dies, and starts it again', { timeout: 120_000 }, async () => {
  const pids = [...(await metrics()).matchAll(/^hourglass_process_start_time_seconds\{process="gateway-(\d+)"\}/gm)];
  expect(pids.map(([, number]) => number).sort()).toEqual(['1', '2']);
  const { stdout } = spawnSync('ps', ['-o', 'pid=', '--ppid', String(gateways.pid)], { encoding: 'utf8' });
  const [first] = stdout.trim().split(/\s+/).map(Number);
  // It still gets connections, of REST and gRPC, and takes none of them; they are another's once it is gone.
  process.kill(first as number, 'SIGSTOP');
  const answers = Promise.all([encode(), encode(), encode(), encode(), check(), check(), check()]);
  await sleep(500);
  process.kill(first as number, 'SIGKILL');
  const [a, b, c, d, ...checks] = await answers;
  expect([a, b, c, d].map(({ status }) => status)).toEqual([200, 200, 200, 200]);
  expect(checks).toEqual(['0', '0', '0']);
  await expect.poll(metrics, { timeout: 60_000 }).toMatch(/process="gateway-3"/);
  expect(await metrics()).toMatch(/^hourglass_process_restarts_total\{part="gateway",process="gateway"\} 1$/m);
});
