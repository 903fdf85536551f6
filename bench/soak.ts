// `npm run soak`: mixed load for hours on one gateway and one worker: predictions over REST and gRPC, files, uploads that are
// deleted again, jobs that are cancelled, event streams that are left, aliases that move, models that are unloaded and loaded
// again, and clients that drop off in the middle. Samples resident memory, open handles and processor time of the gateway, and
// writes their slope after the warm-up (a quarter of the time) into bench/soak.md, now and then and at the end. `--load 0.1` asks a
// tenth as often. For a day: `--hours 24`. It ends early, with a result, on SIGINT.
//
//   npm run soak -- [--hours 2] [--load 1]
import { setMaxListeners } from 'node:events';
import { readdirSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { create, toBinary } from '@bufbuild/protobuf';
import { EncodeRequestSchema } from '../src/gen/hourglass/v1/inference_pb.ts';
import { startService } from './attack/service.ts';
import { call, framed, open, openSession } from './attack/wire.ts';

const { values: options } = parseArgs({
  options: { hours: { type: 'string', default: '2' }, load: { type: 'string', default: '1' } },
});
const [hours, load] = [Number(options.hours), Number(options.load)];
if (!(hours > 0)) throw new Error('--hours takes a number above 0');
if (!(load > 0)) throw new Error('--load takes a number above 0');
const bars = { rssPerHour: 1, handlesPerHour: 1 };

const service = await startService();
const url = `http://127.0.0.1:${service.httpPort}`;
const over = AbortSignal.any([AbortSignal.timeout(hours * 3600_000), interrupted()]);
setMaxListeners(0, over);

function interrupted(): AbortSignal {
  const controller = new AbortController();
  process.once('SIGINT', () => controller.abort());
  return controller.signal;
}
const counts: Record<string, number> = {};
const count = (what: string): void => {
  counts[what] = (counts[what] ?? 0) + 1;
};
const json = { 'content-type': 'application/json' };

async function send(what: string, method: string, target: string, body?: unknown, headers = json): Promise<unknown> {
  try {
    const payload = body === undefined ? {} : { headers, body: typeof body === 'string' ? body : JSON.stringify(body) };
    const answer = await fetch(`${url}${target}`, { method, ...payload });
    const text = await answer.text();
    count(`${what} ${answer.status}`);
    return text === '' ? undefined : JSON.parse(text);
  } catch (error) {
    count(`${what} ${error instanceof SyntaxError ? 'not JSON' : 'broke'}`);
    return undefined;
  }
}

const row = Array(784).fill(0.5);
const encodeMessage = framed(
  toBinary(
    EncodeRequestSchema,
    create(EncodeRequestSchema, {
      model: 'digits',
      content: { case: 'inputs', value: { shape: [1, 784], values: row } },
    }),
  ),
);
const session = await openSession(service.grpcPort);
const csv = Array.from({ length: 200 }, (_, i) => `${i},${i % 7},${i % 3}`).join('\n');

/** each once in so many milliseconds */
const work: readonly [everyMs: number, once: (i: number) => Promise<unknown>][] = [
  [10, () => send('encode', 'POST', '/encode?model=digits', { inputs: [row] })],
  [20, () => send('encode 64', 'POST', '/encode?model=digits', { inputs: Array(64).fill(row) })],
  [20, () => grpcEncode()],
  [
    1000,
    async () =>
      count(
        `file ${await fetch(`${url}/v1/models/digits/versions/1/files/large.bin`).then(async (answer) => (await answer.arrayBuffer()).byteLength)}`,
      ),
  ],
  [500, () => dropOff()],
  [
    2000,
    async (i) => {
      await send('upload', 'POST', `/v1/datasets?name=soak-${i}`, csv, { 'content-type': 'text/csv' });
      await send('delete', 'DELETE', `/v1/datasets/soak-${i}`);
    },
  ],
  [
    3000,
    async (i) => {
      const job = (await send('submit', 'POST', '/v1/jobs', {
        name: `soak-${i % 5}`,
        dataset: 'mnist',
        model: { type: 'dense' },
      })) as { id?: string } | undefined;
      if (!job?.id) return;
      const watch = new AbortController();
      const events = fetch(`${url}/v1/jobs/${job.id}/events`, { signal: watch.signal }).then((answer) => answer.text());
      await sleep(300);
      watch.abort();
      await events.catch(() => {});
      await send('cancel', 'POST', `/v1/jobs/${job.id}/cancel`);
    },
  ],
  [700, () => send('alias', 'PUT', '/v1/models/digits/aliases/soak', { version: 1 })],
  [900, () => send('refused', 'POST', '/encode?model=digits', '{"inputs":[[1')],
  [
    5000,
    async () => {
      await send('unload', 'POST', '/v2/repository/models/digits/unload', {});
      await send('load', 'POST', '/v2/repository/models/digits/load', {});
    },
  ],
  [10_000, async () => count(`metrics ${(await fetch(`http://127.0.0.1:${service.metricsPort}/metrics`)).status}`)],
];

async function grpcEncode(): Promise<void> {
  const stream = call(session, 'hourglass.v1.InferenceService/Encode');
  if (!stream) return;
  await new Promise<void>((resolve) => {
    stream.on('trailers', (trailers) => count(`gRPC encode ${trailers['grpc-status']}`));
    stream.on('close', resolve).resume().end(encodeMessage);
  });
}

/** A client that leaves in the middle of its request, and one in the middle of its answer. */
async function dropOff(): Promise<void> {
  const sender = await open(service.httpPort);
  sender.write(
    'POST /encode?model=digits HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 9000\r\n\r\n{"inp',
  );
  const reader = await open(service.httpPort);
  reader.write('GET /v1/models/digits/versions/1/files/large.bin HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');
  await sleep(50);
  sender.destroy();
  reader.destroy();
  count('dropped off');
}

interface Sample {
  readonly hours: number;
  readonly rss: number;
  readonly handles: number;
  /** of processor time since the start */
  readonly seconds: number;
}
const samples: Sample[] = [];
const begun = Date.now();

async function repeat(everyMs: number, once: (i: number) => Promise<unknown>): Promise<void> {
  for (let i = 0; !over.aborted; i++) {
    await once(i).catch(() => count('broke'));
    await sleep(everyMs / load, undefined, { signal: over }).catch(() => {});
  }
}

function sample(): void {
  const handles = readdirSync(`/proc/${service.pid}/fd`).length;
  samples.push({
    hours: (Date.now() - begun) / 3600_000,
    ...{ rss: service.rss(), handles, seconds: service.processorSeconds() },
  });
}

/** Least squares over the samples after the warm-up, a quarter of the time. An hour's worth of a unit. */
function slope(of: 'rss' | 'handles'): number {
  const last = samples.at(-1)?.hours ?? 0;
  const used = samples.filter(({ hours: at }) => at > last / 4);
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [x, y] = [mean(used.map(({ hours: at }) => at)), mean(used.map((one) => one[of]))];
  const covariance = used.reduce((sum, one) => sum + (one.hours - x) * (one[of] - y), 0);
  return covariance / used.reduce((sum, one) => sum + (one.hours - x) ** 2, 0);
}

function report(): string {
  const at = (share: number) => samples[Math.min(samples.length - 1, Math.floor(share * samples.length))];
  const last = samples.at(-1);
  const cores = (last?.seconds ?? 0) / 3600 / (last?.hours ?? 1);
  return [
    '# Mixed load for hours',
    '',
    `\`npm run soak -- --hours ${hours} --load ${load}\` on ${os.availableParallelism()} cores of ${os.cpus()[0]?.model ?? '-'}, Node.js ${process.versions.node}, from ${new Date(begun).toISOString().slice(0, 16).replace('T', ' ')} UTC for ${last?.hours.toFixed(2)} h. The gateway used ${cores.toFixed(2)} cores.`,
    `Slope after a quarter of the time: resident memory ${slope('rss').toFixed(2)} MiB/h (bar: below ${bars.rssPerHour}), open handles ${slope('handles').toFixed(2)} an hour (bar: below ${bars.handlesPerHour}).`,
    '',
    '| hours | resident memory, MiB | open handles |',
    '| ---: | ---: | ---: |',
    ...[0, 0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9, 1].map((share) => {
      const one = at(share);
      return `| ${one?.hours.toFixed(2)} | ${one?.rss} | ${one?.handles} |`;
    }),
    '',
    `Answers: ${Object.entries(counts)
      .map(([what, number]) => `${what} × ${number}`)
      .join(', ')}.`,
    '',
  ].join('\n');
}

const resultPath = path.join(import.meta.dirname, 'soak.md');
const sampling = setInterval(sample, 5000);
const writing = setInterval(() => writeFileSync(resultPath, report()), 300_000);
await Promise.all(work.map(([everyMs, once]) => repeat(everyMs, once)));
clearInterval(sampling);
clearInterval(writing);
sample();
session.destroy();
console.log(report());
writeFileSync(resultPath, report());
await service.stop();
process.exitCode = slope('rss') < bars.rssPerHour && slope('handles') < bars.handlesPerHour ? 0 : 1;
