/**
 * `npm run bench:http`: requests/s and latencies of a gateway with logs, metrics and all checks on, beside bare Fastify and bare
 * grpc-js with the same bodies and answers, and FastAPI with ONNX Runtime where BENCH_PYTHON (or python3) has them; medians of
 * interleaved rounds; then ten times the load that saturates. Needs wrk. Writes http.md and http.json.
 *
 *   npm run bench:http -- [--rounds 5] [--seconds 2] [--only rest,grpc,forms,overload] [--dry]
 */

import { type ChildProcess, execFileSync, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { create, toBinary } from '@bufbuild/protobuf';
import { EncodeRequestSchema, EncodeResponseSchema } from '../src/gen/hourglass/v1/inference_pb.ts';
import { freePort } from '../test/helpers/ports.ts';
import { grpcLoad, type Question, type Sample, wrk } from './http/load.ts';
import { measureOverload, type OverloadRow, overloadTable } from './http/overload.ts';
import { codes, row, startService, values } from './http/service.ts';

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '2' },
    only: { type: 'string', default: 'rest,grpc,forms,overload' },
    dry: { type: 'boolean', default: false },
  },
});
const seconds = Number(options.seconds);
const levels = [1, 16, 64];

interface Contender {
  readonly group: string;
  readonly name: string;
  /** the contender that this one is held against */
  readonly peer?: string;
  /** least share of the peer's requests/s, by level */
  readonly bars?: readonly number[];
  ask(connections: number): Promise<Sample>;
}

interface Row {
  readonly group: string;
  readonly name: string;
  readonly connections: number;
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  readonly errors: number;
  readonly share?: number;
  readonly bar?: number;
  readonly p99Share?: number;
}

interface Results {
  readonly rows: readonly Row[];
  readonly overload?: readonly OverloadRow[];
}

const jsonFile = path.join(import.meta.dirname, 'http.json');
const median = (numbers: number[]): number => numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? Number.NaN;

const service = await startService();
const children: ChildProcess[] = [];
try {
  const file = (name: string, content: string | Uint8Array): string => {
    const target = path.join(service.folder, name);
    writeFileSync(target, content);
    return target;
  };
  const base = `http://127.0.0.1:${service.httpPort}`;
  const json = { 'content-type': 'application/json' };
  const octets = { 'content-type': 'application/octet-stream', accept: 'application/octet-stream' };
  const rowJson = file('row.json', JSON.stringify({ inputs: [row] }));
  const rowBytes = file('row.f32', new Uint8Array(Float32Array.from(row).buffer));
  const rowRaw = new Uint8Array(Float32Array.from(row).buffer);
  const content = { case: 'inputs' as const, value: { shape: [1, values], raw: rowRaw } };
  const rowMessage = file(
    'row.pb',
    toBinary(EncodeRequestSchema, create(EncodeRequestSchema, { model: 'digits', content })),
  );

  const post = async (url: string, body: string, headers: Record<string, string>): Promise<Buffer> => {
    const response = await fetch(url, { method: 'POST', headers, body: readFileSync(body) });
    if (!response.ok) throw new Error(`${url}: ${await response.text()}`);
    return Buffer.from(await response.arrayBuffer());
  };
  const answerJson = file('answer.json', await post(`${base}/v1/models/digits/encode`, rowJson, json));
  const codeRaw = new Uint8Array(4 * codes);
  const answer = create(EncodeResponseSchema, {
    model: 'digits',
    version: 1,
    codes: { shape: [1, codes], raw: codeRaw },
  });
  const answerMessage = file('answer.pb', toBinary(EncodeResponseSchema, answer));
  const codeBytes = file('code.f32', await post(`${base}/v1/models/digits/encode`, rowBytes, octets));
  const picture = { 'content-type': 'application/octet-stream', accept: 'image/png' };
  const png = file('row.png', await post(`${base}/v1/models/digits/reconstruct`, rowBytes, picture));

  const peer = fork(path.join(import.meta.dirname, 'http/peer.ts'), [answerJson, answerMessage], {
    execArgv: ['--import', 'tsx'],
  });
  children.push(peer);
  const [bare] = (await once(peer, 'message')) as [{ httpPort: number; grpcPort: number }];
  const http = (url: string, bodyFile: string, headers: Question['headers']) => (connections: number) =>
    wrk({ url, bodyFile, headers }, connections, seconds);
  const bareHttp = `http://127.0.0.1:${bare.httpPort}`;
  const encode = `${base}/v1/models/digits/encode`;

  const contenders: Contender[] = [
    { group: 'rest', name: 'bare Fastify, JSON', ask: http(`${bareHttp}/json`, rowJson, json) },
    {
      ...{ group: 'rest', name: 'Hourglass, JSON', peer: 'bare Fastify, JSON', bars: [0.4, 0.6, 0.6] },
      ask: http(encode, rowJson, json),
    },
    { group: 'rest', name: 'bare Fastify, float32', ask: http(`${bareHttp}/bytes`, rowBytes, octets) },
    {
      ...{ group: 'rest', name: 'Hourglass, float32', peer: 'bare Fastify, float32', bars: [0.4, 0.5, 0.5] },
      ask: http(encode, rowBytes, octets),
    },
    {
      ...{ group: 'grpc', name: 'bare grpc-js' },
      ask: (calls) => grpcLoad(bare.grpcPort, rowMessage, calls, seconds),
    },
    {
      ...{ group: 'grpc', name: 'Hourglass, gRPC', peer: 'bare grpc-js', bars: [0.6, 0.6, 0.6] },
      ask: (calls) => grpcLoad(service.grpcPort, rowMessage, calls, seconds),
    },
    { group: 'forms', name: 'denoise, float32', ask: http(`${base}/v1/models/digits/denoise`, rowBytes, octets) },
    { group: 'forms', name: 'decode, float32', ask: http(`${base}/v1/models/digits/decode`, codeBytes, octets) },
    {
      ...{ group: 'forms', name: 'encode a PNG' },
      ask: http(encode, png, { 'content-type': 'image/png', accept: 'application/octet-stream' }),
    },
    {
      group: 'forms',
      name: 'reconstruct to PNG',
      ask: http(`${base}/v1/models/digits/reconstruct`, rowBytes, picture),
    },
  ];
  const fastapi = await startFastApi();
  if (fastapi !== undefined) {
    const ask = http(`http://127.0.0.1:${fastapi}/encode`, rowJson, json);
    contenders.splice(2, 0, { group: 'rest', name: 'FastAPI + ONNX Runtime, JSON', ask });
  }

  const wanted = (options.only ?? '').split(',');
  const measured = contenders.filter(({ group }) => wanted.includes(group));
  const samples = new Map<string, Sample[]>();
  for (let round = 0; round < Number(options.rounds); round++) {
    for (const connections of levels) {
      for (const { name, ask } of measured) {
        const key = `${name} ${connections}`;
        samples.set(key, [...(samples.get(key) ?? []), await ask(connections)]);
      }
    }
  }
  const of = (name: string, connections: number, figure: keyof Sample): number =>
    median(samples.get(`${name} ${connections}`)?.map((sample) => sample[figure]) ?? []);
  const rows: Row[] = measured.flatMap(({ group, name, peer, bars }) =>
    levels.map((connections, i) => ({
      ...{ group, name, connections },
      perSecond: of(name, connections, 'perSecond'),
      p50: of(name, connections, 'p50'),
      p99: of(name, connections, 'p99'),
      errors: of(name, connections, 'errors'),
      ...(peer && {
        share: of(name, connections, 'perSecond') / of(peer, connections, 'perSecond'),
        p99Share: of(name, connections, 'p99') / of(peer, connections, 'p99'),
      }),
      ...(bars && { bar: bars[i] ?? 0 }),
    })),
  );
  const before: Results = existsSync(jsonFile) ? JSON.parse(readFileSync(jsonFile, 'utf8')) : { rows: [] };
  const overload = wanted.includes('overload') ? await measureOverload(2 * seconds) : (before.overload ?? []);
  const all = [...before.rows.filter(({ group }) => !wanted.includes(group)), ...rows];
  const order = ['rest', 'grpc', 'forms'];
  all.sort((a, b) => order.indexOf(a.group) - order.indexOf(b.group));
  const text = markdown(all, overload);
  process.stdout.write(text);
  if (!options.dry) {
    writeFileSync(jsonFile, `${JSON.stringify({ rows: all, overload } satisfies Results, undefined, 1)}\n`);
    writeFileSync(path.join(import.meta.dirname, 'http.md'), text);
  }
} finally {
  for (const child of children) child.kill('SIGKILL');
  await service.stop();
}

/** Resolves to its port; undefined where Python has no FastAPI or ONNX Runtime. */
async function startFastApi(): Promise<number | undefined> {
  const python = process.env.BENCH_PYTHON ?? 'python3';
  try {
    execFileSync(python, ['-c', 'import fastapi, uvicorn, onnxruntime'], { stdio: 'ignore' });
  } catch {
    return undefined;
  }
  const port = await freePort();
  const program = path.join(import.meta.dirname, 'python/serve_fastapi.py');
  children.push(
    spawn(python, [program, path.join(service.folder, 'encoder.onnx'), String(port)], { stdio: 'inherit' }),
  );
  for (let tries = 0; tries < 100; tries++) {
    const answer = await fetch(`http://127.0.0.1:${port}/openapi.json`).catch(() => undefined);
    if (answer?.ok) return port;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error('FastAPI did not start');
}

function markdown(rows: readonly Row[], overload: readonly OverloadRow[]): string {
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
  const lines = [
    '# Serving over HTTP and gRPC',
    '',
    `\`npm run bench:http\`: ${os.availableParallelism()} × ${os.cpus()[0]?.model}, Node ${process.versions.node}, commit ${commit}. Medians of`,
    `${options.rounds} interleaved rounds of ${seconds} s. ${values} numbers in, ${codes} out (a 784-128-32 encoder), one row a request. The gateway runs as`,
    '`hourglass gateway` does, with logs (to a file), metrics and all checks. HTTP load by one thread of wrk, gRPC load by a grpc-js',
    'client over one channel, both on the same cores. `share` is of the bare peer in the same run: Fastify that parses the same JSON',
    'or takes the same buffer and gives a fixed answer; a grpc-js handler that passes the same bytes.',
    '',
    `First answer of a started gateway: ${service.firstAnswer.toFixed(1)} s. Idle with one model: ${service.idleMemory.toFixed(0)} MiB, ${service.programMemory.toFixed(0)} of them pages of Node and libraries on disk. Load average at the end: ${os.loadavg()[0]?.toFixed(1)}.`,
    '',
    '| | connections | requests/s | p50 ms | p99 ms | share | bar | p99 of the peer’s | failed |',
    '| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |',
  ];
  for (const { name, connections, perSecond, p50, p99, share, bar, p99Share, errors } of rows) {
    const figure = (value: number | undefined, digits: number): string => value?.toFixed(digits) ?? '';
    const cells = [name, connections, perSecond.toFixed(0), p50.toFixed(2), p99.toFixed(2), figure(share, 2)];
    lines.push(`| ${[...cells, figure(bar, 1), p99Share ? `${p99Share.toFixed(1)}×` : '', errors].join(' | ')} |`);
  }
  return `${[...lines, ...overloadTable(overload)].join('\n')}\n`;
}
