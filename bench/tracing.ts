/**
 * `npm run bench:tracing`: what tracing costs a gateway. The same build runs four times: with the code of tracing cut out, as it is with
 * tracing off, and with spans sent to a collector, of one request in a hundred and of all. A second process of the first kind shows how
 * much two equal ones differ. Rounds are interleaved; processor time of the gateway for each request is read from /proc. Needs
 * wrk and Linux. Writes tracing.md.
 *
 *   npm run bench:tracing -- [--rounds 15] [--seconds 1]
 */

import { execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { wrk } from './http/load.ts';
import { row, type Service, type ServiceOptions, startService } from './http/service.ts';
import { measured, processor, system } from './processor.ts';

const { values: options } = parseArgs({
  options: { rounds: { type: 'string', default: '15' }, seconds: { type: 'string', default: '1' } },
});
const rounds = Number(options.rounds);
const seconds = Number(options.seconds);
const connections = 16;
const root = path.resolve(import.meta.dirname, '..');

/** What stands in the build for tracing on the way of a request over REST, and what it is replaced by. */
const cuts: readonly (readonly [pattern: RegExp, by: string])[] = [
  [/traces && beginTrace\(request, routeOf\(request\)\)/g, 'void 0'],
  [/const traceparent = caller\?\.traceparent;/g, 'const traceparent = void 0;'],
  [/trace\?\.end\(\{[^}]*\}, [^)]*\);/g, ''],
  [/const trace = traceOf\(reply\.request\);/g, 'const trace = void 0;'],
  [/const traceparent = readTraceparent\(given\);/g, 'const traceparent = void 0;'],
  [/observer\?\.traced\?\.\(lane, \{[^}]*where: ["']here["']\s*\}\);/g, ''],
];

/** A copy of the build without the code of tracing. */
function untracedBuild(folder: string): string {
  cpSync(path.join(root, 'dist'), path.join(folder, 'dist'), { recursive: true });
  cpSync(path.join(root, 'package.json'), path.join(folder, 'package.json'));
  symlinkSync(path.join(root, 'node_modules'), path.join(folder, 'node_modules'));
  // the gateway runs the bundles, not the modules beside them
  const chunks = readdirSync(path.join(folder, 'dist/chunks')).map((name) => path.join(folder, 'dist/chunks', name));
  for (const [pattern, by] of cuts) {
    const file = chunks.find((name) => readFileSync(name, 'utf8').search(pattern) >= 0);
    if (file === undefined) throw new Error(`nothing in dist/chunks matches ${pattern}`);
    writeFileSync(file, readFileSync(file, 'utf8').replaceAll(pattern, by));
  }
  return path.join(folder, 'dist/main.js');
}

/** seconds of processor time that a process has used, all of its threads */
function processorSeconds({ pid }: Service): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

interface Figures {
  readonly perSecond: number;
  /** microseconds of processor time for each request */
  readonly processor: number;
  readonly p99: number;
}

const sorted = (numbers: readonly number[]): number[] => numbers.toSorted((a, b) => a - b);
const median = (numbers: readonly number[]): number => sorted(numbers)[numbers.length >> 1] ?? Number.NaN;

const folder = mkdtempSync(path.join(os.tmpdir(), 'hourglass-tracing-'));
const loadBefore = os.loadavg()[0] ?? 0;
const collector = fork(path.join(import.meta.dirname, 'http/collector.ts'), { execArgv: ['--import', 'tsx'] });
const services: { readonly name: string; readonly service: Service; readonly rounds: Figures[] }[] = [];
try {
  const [{ endpoint }] = (await once(collector, 'message')) as [{ endpoint: string }];
  const program = untracedBuild(folder);
  const sampled = { OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.01' };
  const traced = { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint };
  const kinds: readonly (readonly [name: string, given: ServiceOptions])[] = [
    ['without the code', { program }],
    ['without the code, once more', { program }],
    ['off', {}],
    ['on, 1 request in 100', { environment: { ...traced, ...sampled } }],
    ['on, every request', { environment: traced }],
  ];
  for (const [name, given] of kinds) {
    services.push({ name, service: await startService(undefined, given), rounds: [] });
    console.log(`${name}: started`);
  }
  const body = path.join(folder, 'row.f32');
  writeFileSync(body, new Uint8Array(Float32Array.from(row).buffer));
  const headers = { 'content-type': 'application/octet-stream', accept: 'application/octet-stream' };
  const ask = async (service: Service): Promise<Figures> => {
    const before = processorSeconds(service);
    const url = `http://127.0.0.1:${service.httpPort}/v1/models/digits/encode`;
    const { perSecond, p99, errors } = await wrk({ url, bodyFile: body, headers }, connections, seconds);
    if (errors > 0) throw new Error(`${errors} requests failed`);
    return { perSecond, p99, processor: ((processorSeconds(service) - before) / (perSecond * seconds)) * 1e6 };
  };
  // Until the compiler has done its work.
  for (let i = 0; i < 3; i++) for (const { service } of services) await ask(service);
  for (let round = 0; round < rounds; round++) {
    // Each begins as often as the others, so that none always follows the same one.
    for (let i = 0; i < services.length; i++) {
      const turn = services[(i + round) % services.length];
      turn?.rounds.push(await ask(turn.service));
    }
  }
  const spans = new Promise<{ spans: number }>((resolve) => collector.once('message', resolve));
  collector.send('count');
  const text = report((await spans).spans);
  process.stdout.write(text);
  writeFileSync(path.join(import.meta.dirname, 'tracing.md'), text);
} finally {
  for (const { service } of services) await service.stop();
  collector.kill();
  rmSync(folder, { recursive: true, force: true });
}

/** Median of the rounds' ratios to the first service, with the interval that holds the middle 80 % of them. */
function against(figures: readonly Figures[], of: keyof Figures): string {
  const peer = services[0]?.rounds ?? [];
  const ratios = sorted(figures.map((figure, i) => figure[of] / (peer[i]?.[of] ?? Number.NaN)));
  const at = (share: number): string => (ratios[Math.round(share * (ratios.length - 1))] ?? Number.NaN).toFixed(3);
  return `${at(0.5)} (${at(0.1)}–${at(0.9)})`;
}

function report(spans: number): string {
  const commit = execFileSync('git', ['-C', root, 'rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
  const rows = services.map(({ name, rounds: figures }, i) => {
    const of = (figure: keyof Figures, digits: number): string =>
      median(figures.map((each) => each[figure])).toFixed(digits);
    const ratios = i === 0 ? ['', ''] : [against(figures, 'processor'), against(figures, 'perSecond')];
    return `| ${[name, of('processor', 0), ratios[0], of('perSecond', 0), ratios[1], of('p99', 2)].join(' | ')} |`;
  });
  return `# What tracing costs

\`npm run bench:tracing\`: ${processor().name}, ${system()}, ${measured(loadBefore)}, commit ${commit}. Five gateways of the same build side by
side, each asked in turn by one thread of wrk over ${connections} connections: \`POST /v1/models/digits/encode\`, 784 numbers as float32, a
784-128-32 net. Medians of ${rounds} interleaved rounds of ${seconds} s. The first is a copy of the build with the code of tracing cut out
(\`cuts\` in bench/tracing.ts). Ratios are to the first in the same round: median, and where the middle 80 % of the rounds lie. The second
row, a process equal to the first, says how much of a ratio is chance.

| tracing | processor µs / request | ratio | requests/s | ratio | p99 ms |
| --- | ---: | ---: | ---: | ---: | ---: |
${rows.join('\n')}

With tracing on, requests are not answered on the short way (src/gateway/http/fast-lane.ts), since the framework's hooks make the spans;
that is most of the difference of the last two rows. Every request that is recorded makes four spans: the request, its wait, the batch,
the run. The SDK drops what its queue of 2048 does not hold; the collector received ${spans} spans.
`;
}
