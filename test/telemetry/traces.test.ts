// One trace from a submission to the published model, and one from a request to the run that answered it: a real gateway and a
// real worker send their spans to a receiver in this process. Their log lines name the same traces.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addWaves, waveSpec } from '../../bench/faults/jobs.ts';
import { GRPCInferenceService } from '../../src/gen/inference/grpc_predict_v2_pb.ts';
import { TestClient } from '../gateway/grpc/client.ts';
import { type OtlpReceiver, type ReceivedSpan, startOtlpReceiver } from '../helpers/otlp.ts';
import { freePorts } from '../helpers/ports.ts';
import { startRedis, type TestRedis } from '../helpers/redis.ts';
import { until } from '../queue/fixtures.ts';

const program = path.resolve(import.meta.dirname, '../../dist/main.js');
const clientTrace = (trace: string, span: string, flags = '01') => `00-${trace.repeat(16)}-${span.repeat(8)}-${flags}`;
/** what each client says of itself */
const submitter = clientTrace('a1', 'b1');
const asker = clientTrace('a2', 'b2');
const second = clientTrace('a3', 'b3');
const caller = clientTrace('a4', 'b4');
const unrecorded = clientTrace('a5', 'b5', '00');

let folder: string;
let redis: TestRedis;
let receiver: OtlpReceiver;
let url: string;
let metricsUrl: string;
let job: { readonly id: string };
let openMetrics: string;
const children: ChildProcess[] = [];
const lines: Record<string, unknown>[] = [];

function start(role: string, environment: Record<string, string>): void {
  const child = spawn(process.execPath, [program, role], {
    env: { PATH: process.env.PATH, HOURGLASS_DATA_DIR: folder, REDIS_URL: redis.url, ...environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let rest = '';
  child.stdout?.on('data', (chunk) => {
    const pieces = `${rest}${chunk}`.split('\n');
    rest = pieces.pop() ?? '';
    for (const line of pieces) lines.push(JSON.parse(line));
  });
  children.push(child);
}

const post = async (route: string, body: unknown, traceparent: string): Promise<Response> =>
  fetch(`${url}${route}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', traceparent },
    body: JSON.stringify(body),
  });

beforeAll(async () => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'hourglass-traces-'));
  await addWaves(folder);
  [redis, receiver] = await Promise.all([startRedis(), startOtlpReceiver()]);
  const [http = 0, grpc = 0, metrics = 0, ofWorker = 0] = await freePorts(4);
  url = `http://127.0.0.1:${http}`;
  metricsUrl = `http://127.0.0.1:${metrics}`;
  const common = {
    ...{ OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint, OTEL_EXPORTER_OTLP_HEADERS: 'x-tenant=ours' },
    // Late enough for requests that are sent together to share a run.
    ...{ HOURGLASS_INLINE_MODELS: 'off', HOURGLASS_BATCH_WINDOW: '100ms', HOURGLASS_DRAIN: '0s' },
  };
  start('gateway', {
    ...common,
    ...{ HOURGLASS_HTTP_PORT: `${http}`, HOURGLASS_GRPC_PORT: `${grpc}`, HOURGLASS_METRICS_PORT: `${metrics}` },
  });
  start('worker', { ...common, HOURGLASS_METRICS_PORT: `${ofWorker}` });
  await until(async () => (await fetch(`${url}/readyz`).catch(() => undefined))?.ok);

  const { name, dataset, model, training } = waveSpec('waves');
  const submitted = await post('/v1/jobs', { name, dataset, model, training }, submitter);
  job = (await submitted.json()) as { id: string };
  await until(async () => {
    const answer = await fetch(`${url}/v1/jobs/${job.id}`);
    const { state, failure } = (await answer.json()) as { state: string; failure?: { message: string } };
    if (failure) throw new Error(failure.message);
    return state === 'succeeded';
  });
  const rows = { inputs: [Array.from({ length: 16 }, (_, i) => i / 16)] };
  // The first request loads the model; those after it wait for one batch.
  await post('/v1/models/waves/encode', rows, unrecorded);
  await Promise.all([asker, second].map((trace) => post('/v1/models/waves/encode', rows, trace)));
  await post('/v1/models/none/encode', rows, caller);
  const client = new TestClient(grpc);
  const metadata = { traceparent: caller };
  await client.call(GRPCInferenceService.method.modelMetadata, { name: 'waves' }, { metadata });
  client.close();
  const accept = { accept: 'application/openmetrics-text;version=1.0.0,text/plain;q=0.5' };
  openMetrics = await (await fetch(`${metricsUrl}/metrics`, { headers: accept })).text();

  const ended = children.map((child) => new Promise((resolve) => child.once('exit', resolve)));
  for (const child of children) child.kill('SIGTERM');
  await Promise.all(ended);
}, 60_000);

afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await redis.stop();
  await receiver.stop();
  rmSync(folder, { recursive: true, force: true });
});

const traceOf = (traceparent: string): string => traceparent.slice(3, 35);
const ofTrace = (traceparent: string): ReceivedSpan[] =>
  receiver.spans.filter(({ trace }) => trace === traceOf(traceparent));

function only(spans: readonly ReceivedSpan[], name: string): ReceivedSpan {
  const found = spans.filter((span) => span.name === name);
  expect(found.map((span) => span.name)).toEqual([name]);
  return found[0] as ReceivedSpan;
}

describe('a job', () => {
  it('is one trace from its submission to the published model', () => {
    const spans = ofTrace(submitter);
    const request = only(spans, 'POST /v1/jobs');
    expect(request).toMatchObject({ service: 'hourglass-gateway', parent: submitter.slice(36, 52), kind: 2 });
    expect(request.attributes).toMatchObject({ 'http.response.status_code': 202, 'http.route': '/v1/jobs' });
    const attempt = only(spans, 'attempt');
    expect(attempt).toMatchObject({ service: 'hourglass-worker', parent: request.id, kind: 5, status: 0 });
    expect(attempt.attributes).toMatchObject({
      ...{ 'hourglass.job.id': job.id, 'hourglass.job.attempt': 1, 'hourglass.job.outcome': 'succeeded' },
      ...{ 'hourglass.model': 'waves', 'hourglass.model.version': 1 },
    });
    const queue = only(spans, 'queue');
    expect(queue.parent).toBe(request.id);
    expect(queue.end).toBeLessThanOrEqual(attempt.start);
    for (const name of ['data', 'evaluate', 'publish']) expect(only(spans, name).parent).toBe(attempt.id);
  });

  it('shows each phase with its epochs, one after the other, inside of its attempt', () => {
    const spans = ofTrace(submitter);
    const attempt = only(spans, 'attempt');
    const phases = spans.filter(({ parent }) => parent === attempt.id).sort((a, b) => a.start - b.start);
    expect(phases.map(({ name }) => name)).toEqual(['data', 'train', 'evaluate', 'publish']);
    for (const [i, phase] of phases.entries()) {
      expect(phase.start).toBeGreaterThanOrEqual(phases[i - 1]?.end ?? attempt.start);
      expect(phase.end).toBeLessThanOrEqual(attempt.end);
    }
    const epochs = phases[1]?.events.filter(({ name }) => name === 'epoch') ?? [];
    expect(epochs.map(({ attributes }) => attributes.epoch)).toEqual([1, 2, 3]);
    for (const { attributes } of epochs) expect(attributes.loss).toBeGreaterThan(0);
  });

  it('is named with its trace in every line that gateway and worker log for it', () => {
    const about = lines.filter((line) => line.job === job.id);
    expect(about.map(({ msg }) => msg)).toEqual(
      expect.arrayContaining(['job is queued', 'job begins', 'job attempt ended']),
    );
    expect(new Set(about.map((line) => line.trace_id))).toEqual(new Set([traceOf(submitter)]));
    const attempt = only(ofTrace(submitter), 'attempt');
    expect(about.find(({ msg }) => msg === 'job begins')?.span_id).toBe(attempt.id);
  });
});

describe('a prediction', () => {
  it('is one trace from the request to the run', () => {
    const [first = '', other = ''] = ofTrace(asker).some(({ name }) => name === 'run encode')
      ? [asker, second]
      : [second, asker];
    const spans = ofTrace(first);
    const request = only(spans, 'POST /v1/models/:model/encode');
    expect(request.parent).toBe(first.slice(36, 52));
    const batch = only(spans, 'batch encode');
    expect(batch.parent).toBe(request.id);
    expect(batch.attributes).toMatchObject({
      ...{ 'hourglass.model': 'waves@1', 'hourglass.batch.rows': 2, 'hourglass.batch.requests': 2 },
    });
    const run = only(spans, 'run encode');
    expect(run.parent).toBe(batch.id);
    expect(run.attributes['hourglass.run.where']).toBe('thread');
    // The second request is in a trace of its own; batch and request name each other.
    const otherRequest = only(ofTrace(other), 'POST /v1/models/:model/encode');
    expect([...batch.links].sort()).toEqual([request.id, otherRequest.id].sort());
    const wait = only(ofTrace(other), 'wait');
    expect([wait.parent, wait.links]).toEqual([otherRequest.id, [batch.id]]);
    expect(ofTrace(other).map(({ name }) => name)).not.toContain('run encode');
  });

  it('that its client does not record has no spans', () => {
    expect(ofTrace(unrecorded)).toEqual([]);
  });

  it('is named with its trace in the log, recorded or not', () => {
    const answered = lines.filter(({ msg, route }) => msg === 'answered' && route === '/v1/models/:model/encode');
    const traces = [asker, second, caller, unrecorded].map(traceOf);
    expect(answered.map((line) => line.trace_id).sort()).toEqual(traces);
  });

  it('is an example of its latency in OpenMetrics', () => {
    expect(openMetrics.endsWith('# EOF\n')).toBe(true);
    const buckets = openMetrics
      .split('\n')
      .filter((line) => /^hourglass_(request|stage)_duration_seconds_bucket\{.*encode.* # \{trace_id="/.test(line));
    expect(buckets.length).toBeGreaterThanOrEqual(4);
    const named = new Set(buckets.map((line) => /trace_id="([0-9a-f]+)"/.exec(line)?.[1]));
    expect([asker, second, caller].map(traceOf)).toEqual(expect.arrayContaining([...named]));
  });
});

describe('a gRPC call', () => {
  it('goes on with the trace in its metadata, in the Open Inference Protocol as well', () => {
    const call = only(ofTrace(caller), 'inference.GRPCInferenceService/ModelMetadata');
    expect(call).toMatchObject({ parent: caller.slice(36, 52), kind: 2, status: 0 });
    expect(call.attributes).toMatchObject({ 'rpc.system': 'grpc', 'rpc.grpc.status_code': 0 });
  });
});

describe('spans', () => {
  it('of a client that is at fault are not marked as failed', () => {
    const refused = only(ofTrace(caller), 'POST /v1/models/:model/encode');
    expect(refused.status).toBe(0);
    expect(refused.attributes).toMatchObject({ 'http.response.status_code': 404, 'hourglass.code': 'model-not-found' });
  });

  it('are not made of probes', () => {
    expect(receiver.spans.filter(({ name }) => name.includes('/readyz'))).toEqual([]);
  });

  it('are sent with the headers that the collector wants', () => {
    expect(receiver.headers.length).toBeGreaterThan(1);
    for (const headers of receiver.headers) expect(headers).toMatchObject({ url: '/v1/traces', 'x-tenant': 'ours' });
  });
});
