// A real gateway process with everything that protects it: REST, gRPC and metrics over TLS with client certificates, a Redis behind
// TLS, a certificate that is renewed under load; and none of its secrets in anything that leaves it.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import http2 from 'node:http2';
import { type RequestOptions, request } from 'node:https';
import os from 'node:os';
import path from 'node:path';
import { connect, type PeerCertificate, type TLSSocket } from 'node:tls';
import { credentials } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newKey } from '../../src/access/api-key.ts';
import { RegistryService } from '../../src/gen/hourglass/v1/registry_pb.ts';
import { failureOf, TestClient } from '../gateway/grpc/client.ts';
import { type Authority, createAuthority, type Pair } from '../helpers/certificates.ts';
import { type OtlpReceiver, startOtlpReceiver } from '../helpers/otlp.ts';
import { freePort } from '../helpers/ports.ts';
import { startRedis, type TestRedis } from '../helpers/redis.ts';
import { until } from '../queue/fixtures.ts';

const program = path.resolve(import.meta.dirname, '../../dist/main.js');
const adminKey = newKey();
const encoded = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const canaries = {
  key: newKey(),
  token: `${encoded({ alg: 'ES256', kid: 'a' })}.${encoded({ sub: 'ada', iss: 'nobody' })}.c2lnbmF0dXJlLWNhbmFyeQ`,
  bucket: 'canary/Bucket+Secret/0123456789abcdef',
  collector: 'canary-of-the-collector',
};
let authority: Authority;
let redis: TestRedis;
let collector: OtlpReceiver;
let gateway: ChildProcess;
let folder: string;
let files: Pair;
let client: Pair;
const ports = { rest: 0, grpc: 0, metrics: 0 };
let output = '';

beforeAll(async () => {
  authority = createAuthority();
  folder = mkdtempSync(path.join(os.tmpdir(), 'hourglass-tls-data-'));
  files = authority.issue('first');
  client = authority.issue('client');
  collector = await startOtlpReceiver();
  const redisTls = await freePort();
  redis = await startRedis(
    ...['--tls-port', String(redisTls), '--tls-cert-file', files.cert, '--tls-key-file', files.key],
    ...['--tls-auth-clients', 'no'],
  );
  gateway = spawn(process.execPath, [program, 'gateway'], {
    env: {
      PATH: process.env.PATH,
      REDIS_URL: `rediss://:${redis.password}@localhost:${redisTls}`,
      HOURGLASS_REDIS_CA: authority.file,
      HOURGLASS_DATA_DIR: folder,
      HOURGLASS_AUTH: 'keys,oidc',
      // Nobody is there; only that its tokens stay secret is looked at.
      HOURGLASS_OIDC_ISSUER: 'http://127.0.0.1:9/nobody',
      HOURGLASS_OIDC_AUDIENCE: 'hourglass',
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint,
      OTEL_EXPORTER_OTLP_HEADERS: `authorization=Bearer%20${canaries.collector}`,
      AWS_ACCESS_KEY_ID: 'canary',
      AWS_SECRET_ACCESS_KEY: canaries.bucket,
      HOURGLASS_LOG_LEVEL: 'debug',
      HOURGLASS_ADMIN_KEY: adminKey,
      HOURGLASS_TLS_CERT: files.cert,
      HOURGLASS_TLS_KEY: files.key,
      HOURGLASS_TLS_CLIENT_CA: authority.file,
      HOURGLASS_DRAIN: '0s',
      ...{ HOURGLASS_HTTP_PORT: '0', HOURGLASS_GRPC_PORT: '0', HOURGLASS_METRICS_PORT: '0' },
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  for (const stream of [gateway.stdout, gateway.stderr]) stream?.on('data', (chunk) => (output += chunk));
  await until(() => output.includes('gateway is ready'));
  const line = output.split('\n').find((text) => text.includes('gateway is ready')) ?? '';
  const { httpPort, grpcPort, metricsPort } = JSON.parse(line) as Record<string, number>;
  Object.assign(ports, { rest: httpPort, grpc: grpcPort, metrics: metricsPort });
}, 90_000);
afterAll(async () => {
  if (gateway?.exitCode === null) {
    gateway.kill('SIGTERM');
    await once(gateway, 'exit');
  }
  await redis?.stop();
  await collector?.stop();
  authority?.remove();
  rmSync(folder, { recursive: true, force: true });
});

const own = () => ({ cert: readFileSync(client.cert), key: readFileSync(client.key) });

/** On a connection of its own. */
function ask(port: number, target: string, options: RequestOptions = own()) {
  return new Promise<{ status: number; headers: NodeJS.Dict<string | string[]>; body: string; serial: string }>(
    (resolve, reject) => {
      const asked = request(
        { host: 'localhost', port, path: target, ca: authority.ca, agent: false, ...options },
        (response) => {
          const { serialNumber } = (response.socket as TLSSocket).getPeerCertificate() as PeerCertificate;
          let body = '';
          response.on('data', (chunk) => (body += chunk));
          response.on('end', () =>
            resolve({ status: response.statusCode ?? 0, headers: response.headers, body, serial: serialNumber }),
          );
        },
      );
      asked.once('error', reject);
      asked.end();
    },
  );
}

const authorized = () => ({ ...own(), headers: { authorization: `Bearer ${adminKey}` } });
const grpcClient = (with_: Partial<{ cert: Buffer; key: Buffer }> = own()): TestClient =>
  new TestClient(
    ports.grpc,
    {},
    credentials.createSsl(Buffer.from(authority.ca), with_.key ?? null, with_.cert ?? null),
  );

describe('a gateway with certificates', () => {
  it('answers over TLS on all ports, and tells browsers to stay there', async () => {
    const { status: code, headers, body } = await ask(ports.rest, '/v1/models', authorized());
    expect([code, JSON.parse(body)]).toEqual([200, { models: [] }]);
    expect(headers['strict-transport-security']).toBe(`max-age=${180 * 24 * 3600}`);
    expect((await ask(ports.metrics, '/metrics')).body).toMatch(
      /^hourglass_certificate_expiry_timestamp_seconds\{.*\} \d/m,
    );
    const grpc = grpcClient();
    const metadata = { authorization: `Bearer ${adminKey}` };
    expect((await grpc.call(RegistryService.method.listModels, {}, { metadata })).models).toEqual([]);
    grpc.close();
    // Its Redis is behind TLS too.
    expect(JSON.parse((await ask(ports.rest, '/v1/jobs', authorized())).body)).toEqual({ jobs: [] });
  });

  it('turns clients without a certificate away, but for probes of the metrics port', async () => {
    await expect(ask(ports.rest, '/livez', {})).rejects.toThrow();
    const stranger = grpcClient({});
    const refused = stranger.call(RegistryService.method.listModels, {}, { deadline: Date.now() + 5000 });
    await expect(refused).rejects.toMatchObject({
      failure: { status: expect.stringMatching(/UNAVAILABLE|DEADLINE_EXCEEDED/) },
    });
    stranger.close();
    expect((await ask(ports.metrics, '/livez', {})).status).toBe(200);
    expect((await ask(ports.metrics, '/metrics', {})).status).toBe(403);
    const env = {
      ...process.env,
      HOURGLASS_METRICS_PORT: String(ports.metrics),
      HOURGLASS_TLS_CERT: files.cert,
      HOURGLASS_TLS_KEY: files.key,
    };
    expect(spawnSync(process.execPath, [program, 'health'], { env }).status).toBe(0);
  });

  it('speaks only what belongs to the port, in TLS 1.2 or later', async () => {
    for (const options of [
      { ALPNProtocols: ['h2'] },
      { maxVersion: 'TLSv1.1' as const, minVersion: 'TLSv1' as const },
    ]) {
      const socket = connect({ host: 'localhost', port: ports.rest, ca: authority.ca, ...own(), ...options });
      await expect(once(socket, 'secureConnect')).rejects.toThrow();
    }
  });

  it('tells clients that speak without TLS what to do', async () => {
    const rest = await fetch(`http://localhost:${ports.rest}/v1/models`, { method: 'DELETE' });
    expect([rest.status, await rest.json()]).toEqual([
      400,
      expect.objectContaining({ code: 'invalid-request', detail: expect.stringContaining('https://') }),
    ]);
    const metrics = await fetch(`http://localhost:${ports.metrics}/metrics`);
    expect([metrics.status, await metrics.text()]).toEqual([400, expect.stringContaining('https://')]);
    const session = http2.connect(`http://localhost:${ports.grpc}`).on('error', () => {});
    const [code, , text] = (await once(session, 'goaway')) as [number, number, Buffer];
    expect([code, String(text)]).toEqual([
      http2.constants.NGHTTP2_INADEQUATE_SECURITY,
      expect.stringContaining('credentials with TLS'),
    ]);
    session.destroy();
    await expect.poll(() => output.match(/spoke without TLS/g)?.length).toBe(3);
    // Once in ten minutes for each port.
    await fetch(`http://localhost:${ports.rest}/livez`);
    expect(output.match(/spoke without TLS/g)?.length).toBe(3);
  });

  it('takes a renewed certificate over under load, without a request that fails', async () => {
    const { serial: before } = await ask(ports.rest, '/livez');
    const next = authority.issue('second');
    const seen = { rest: new Set<string>(), metrics: new Set<string>() };
    const failures: unknown[] = [];
    let isOver = false;
    const load = async (port: 'rest' | 'metrics'): Promise<void> => {
      while (!isOver) {
        await ask(ports[port], '/livez').then(
          ({ status: code, serial }) => (code === 200 ? seen[port].add(serial) : failures.push(code)),
          (error) => failures.push(error),
        );
      }
    };
    const callers = [load('rest'), load('rest'), load('metrics'), grpcLoad(() => isOver, failures)];
    // One after the other, as renewal tools do: in between they do not fit each other.
    copyFileSync(next.cert, files.cert);
    await expect.poll(() => output, { timeout: 20_000 }).toContain('the new certificate cannot be used');
    expect((await ask(ports.rest, '/livez')).serial).toBe(before);
    copyFileSync(next.key, files.key);
    await expect.poll(() => seen.rest.size + seen.metrics.size, { timeout: 20_000 }).toBe(4);
    await expect.poll(() => grpcSerial(), { timeout: 20_000 }).not.toBe(before);
    isOver = true;
    await Promise.all(callers);
    expect(failures).toEqual([]);
  });
});

/** Calls, each on a connection of its own. */
async function grpcLoad(isOver: () => boolean, failures: unknown[]): Promise<void> {
  while (!isOver()) {
    const caller = grpcClient();
    const metadata = { authorization: `Bearer ${adminKey}` };
    await caller.call(RegistryService.method.listModels, {}, { metadata }).catch((error) => failures.push(error));
    caller.close();
  }
}

async function grpcSerial(): Promise<string> {
  const socket = connect({ host: 'localhost', port: ports.grpc, ca: authority.ca, ALPNProtocols: ['h2'], ...own() });
  await once(socket, 'secureConnect');
  const { serialNumber } = socket.getPeerCertificate();
  socket.destroy();
  return serialNumber;
}

it('tells its secrets nowhere: not in logs, spans, metrics, audit, answers, arguments or files', async () => {
  const heard: string[] = [];
  const send = async (target: string, headers: Record<string, string>): Promise<void> => {
    const { headers: answered, body } = await ask(ports.rest, target, { ...own(), headers });
    heard.push(JSON.stringify(answered), body);
  };
  const { key, token } = canaries;
  for (const secret of [key, token, adminKey]) {
    await send('/v1/models', { authorization: `Bearer ${secret}` });
    await send('/v1/models', { authorization: secret, cookie: `key=${secret}`, 'x-api-key': secret });
    await send('/v1/models', {
      authorization: `Bearer ${adminKey}`,
      'x-request-id': secret.slice(0, 100),
      tracestate: `a=${secret.slice(0, 100)}`,
    });
    const grpc = grpcClient();
    const metadata = { authorization: `Bearer ${secret}`, 'x-request-id': secret.slice(0, 100) };
    await grpc
      .call(RegistryService.method.listModels, {}, { metadata })
      .catch((error) => heard.push(JSON.stringify(error)));
    await failureOf(grpc.raw(`/hourglass.v1.${secret.slice(0, 20)}/${secret}`, new Uint8Array(), { metadata })).catch(
      () => undefined,
    );
    grpc.close();
  }
  // What a caller sends comes back to that caller alone, in the refusal of a path or a name; it goes nowhere else.
  for (const target of [
    `/v1/models/${key}`,
    `/v1/jobs?cursor=${key}`,
    `/${key}`,
    `/v1/models/${key}/encode?model=${token}`,
  ]) {
    await ask(ports.rest, target, authorized());
  }
  expect(JSON.parse(await post('/v1/keys', { name: `made of ${key}`, scopes: ['read'] }))).toMatchObject({
    code: 'invalid-request',
  });
  const made = await post('/v1/keys', { name: 'fresh', scopes: ['read'] });
  const { key: fresh = '' } = JSON.parse(made) as { key?: string };
  expect(fresh).toMatch(/^hg_/);
  // A dependency that is away, and a fault that nobody caught, are told with all that is known of them.
  await redis.kill();
  await send('/v1/jobs', { authorization: `Bearer ${adminKey}` });
  await redis.start();
  await expect
    .poll(async () => (await ask(ports.rest, '/v1/audit', authorized())).status, { timeout: 20_000 })
    .toBe(200);
  heard.push((await ask(ports.rest, '/v1/audit', authorized())).body, (await ask(ports.metrics, '/metrics')).body);
  await expect.poll(() => collector.spans.length, { timeout: 20_000 }).toBeGreaterThan(10);
  for (const file of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    const at = path.join(folder, file);
    if (statSync(at).isFile()) heard.push(readFileSync(at, 'latin1'));
  }
  // The test's own redis-server has its password among its arguments.
  const processes = spawnSync('ps', ['-eo', 'args'], { encoding: 'utf8' }).stdout.split('\n');
  expect(processes.join()).toContain(program);
  heard.push(...processes.filter((line) => line.includes(program)), JSON.stringify(collector.spans));
  const crash = `data:text/javascript,setTimeout(() => { throw new Error(Object.values(process.env).join(' ')) }, 1500)`;
  const crashed = run({
    NODE_OPTIONS: `--import ${JSON.stringify(crash)}`,
    ...secretEnvironment(),
    HOURGLASS_HTTP_PORT: '0',
    HOURGLASS_GRPC_PORT: '0',
    HOURGLASS_METRICS_PORT: '0',
  });
  expect(crashed).toMatchObject({ status: 1, text: expect.stringContaining('An exception was not caught') });
  const misspelt = run({ ...secretEnvironment(), HOURGLASS_ADMIN_KEY: `${key} ` });
  const taken = run({ ...secretEnvironment(), HOURGLASS_HTTP_PORT: String(ports.rest) });
  expect([misspelt.status, taken.status]).not.toContain(0);
  heard.push(crashed.text, misspelt.text, taken.text);
  const secrets = { ...canaries, adminKey, fresh, redis: redis.password };
  const places = { output, heard: heard.join('\n') };
  for (const [name, secret] of Object.entries(secrets)) {
    for (const [place, text] of Object.entries(places)) {
      for (const spelling of [secret, encodeURIComponent(secret), Buffer.from(secret).toString('base64')]) {
        const at = text.indexOf(spelling);
        expect(at < 0 ? '' : `${name} in ${place}: ${text.slice(Math.max(0, at - 200), at + 40)}`).toBe('');
      }
    }
  }
  // Something was heard of them all the same: the crash told all of its environment.
  expect(crashed.text).toContain('[redacted]');
}, 60_000);

const secretEnvironment = () => ({
  REDIS_URL: redis.url,
  HOURGLASS_DATA_DIR: folder,
  HOURGLASS_ADMIN_KEY: canaries.key,
  HOURGLASS_AUTH: 'keys',
  AWS_SECRET_ACCESS_KEY: canaries.bucket,
});

/** A gateway that ends by itself, and all that it prints. */
function run(settings: Record<string, string>): { readonly status: number | null; readonly text: string } {
  const env = { PATH: process.env.PATH, ...settings };
  const ended = spawnSync(process.execPath, [program, 'gateway'], { env, encoding: 'utf8', timeout: 30_000 });
  return { status: ended.status, text: ended.stdout + ended.stderr };
}

function post(target: string, body: unknown): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' };
    const options = {
      host: 'localhost',
      port: ports.rest,
      path: target,
      method: 'POST',
      ca: authority.ca,
      ...own(),
      headers,
    };
    const asked = request(options, (response) => {
      let text = '';
      response.on('data', (chunk) => (text += chunk)).on('end', () => resolve(text));
    });
    asked.once('error', reject);
    asked.end(JSON.stringify(body));
  });
}

it('does not start with files that are no certificate, or half of the settings', () => {
  const start = (settings: Record<string, string>) => {
    const { status, text } = run({ REDIS_URL: redis.url, HOURGLASS_DATA_DIR: folder, ...settings });
    return [status === 0, text];
  };
  expect(start({ HOURGLASS_TLS_CERT: files.cert })).toEqual([false, expect.stringContaining('are set together')]);
  const wrong = { HOURGLASS_TLS_CERT: files.cert, HOURGLASS_TLS_KEY: client.key };
  expect(start(wrong)).toEqual([false, expect.stringContaining('HOURGLASS_TLS_KEY cannot be used')]);
});
