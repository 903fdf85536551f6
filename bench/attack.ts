// `npm run attack`: takes the service away from its clients in every way that is known, one after the other and all at once,
// and prints what it cost: most resident memory, the slowest /livez on the metrics port, the 99th percentile of a well-behaved
// client's predictions before and during the attack, and resident memory afterwards. Writes each row into bench/attack.md as
// soon as it is measured, in the place of the same attack's earlier row; a row names its run. So a campaign can be done in
// pieces, row by row. Attackers and service share the processors: after each attack, its process burns as much processor time as
// the attack took without sending anything, and the client's 99th percentile beside that is told as well: what is beyond it is
// the service's. Needs the build, redis-server and Linux.
//
//   npm run attack -- [--seconds 10] [--only part-of-a-name] [--rows 1-6] [--note what-else-the-machine-does] [--dry]
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { type Attack, attacks } from './attack/attacks.ts';
import type { Observed } from './attack/prober.ts';
import { startService } from './attack/service.ts';

const { values: options } = parseArgs({
  options: {
    seconds: { type: 'string', default: '10' },
    only: { type: 'string', default: '' },
    rows: { type: 'string', default: '' },
    note: { type: 'string', default: '' },
    dry: { type: 'boolean', default: false },
  },
});
const seconds = Number(options.seconds);

/** what must hold: MiB, milliseconds, ratio */
const bars = { peak: 1024, peakOfAll: 1536, livez: 100, slowdown: 2 };

interface Row {
  readonly name: string;
  /** MiB before the attack */
  readonly rss: number;
  readonly peak: number;
  readonly livez: number;
  readonly before: number;
  readonly during: number;
  /** beside a load of the attackers' processor time that sends nothing */
  readonly beside: number;
  /** used during the attack */
  readonly attackerCores: number;
  readonly gatewayCores: number;
  readonly after: number;
  readonly failures: string;
}

const allAtOnce = 'all at once';
const resultPath = path.join(import.meta.dirname, 'attack.md');
const run = `${new Date().toISOString().slice(0, 16).replace('T', ' ')}, ${seconds} s, Node.js ${process.versions.node}${options.note && `, ${options.note}`}`;

const isWell = ({ name, peak, livez, before, during }: Row): boolean =>
  peak <= (name === allAtOnce ? bars.peakOfAll : bars.peak) && livez <= bars.livez && during <= bars.slowdown * before;
const ms = (value: number): string => (Number.isFinite(value) ? value.toFixed(value < 10 ? 1 : 0) : 'no answer');
const lineOf = (row: Row): string =>
  `| ${row.name} | ${row.rss} | ${row.peak} | ${row.after} | ${ms(row.livez)} | ${ms(row.before)} | ${ms(row.during)} | ${ms(row.beside)} | ${row.attackerCores.toFixed(2)} | ${row.gatewayCores.toFixed(2)} | ${row.failures} | ${isWell(row) ? 'kept' : 'missed'} | ${run} |`;

/** With these rows in the place of those that the file has of the same attacks. */
function page(rows: readonly Row[]): string {
  const lines = new Map<string, string>();
  for (const line of existsSync(resultPath) ? readFileSync(resultPath, 'utf8').split('\n') : []) {
    const name = /^\| (.+?) \|/.exec(line)?.[1];
    if (name !== undefined) lines.set(name, line);
  }
  for (const row of rows) lines.set(row.name, lineOf(row));
  return [
    '# The service under attack',
    '',
    `\`npm run attack\` on ${os.availableParallelism()} cores of ${os.cpus()[0]?.model ?? '-'}, attackers and service on the same machine. Each row names the run that it comes from: when it began (UTC), how long an attack went on, and Node.js.`,
    'Attackers come from eight addresses; a well-behaved client from a ninth asks for one prediction every 20 ms. "Beside an equal load": the same client while a process burns as much processor time as the attackers did and sends nothing.',
    '',
    `Bars: at most ${bars.peak} MiB (${bars.peakOfAll} MiB for all at once), \`/livez\` on the metrics port within ${bars.livez} ms, the client's 99th percentile at most ${bars.slowdown} times as high.`,
    '',
    '| attack | memory before, MiB | most memory, MiB | 3 s after, MiB | slowest /livez, ms | p99 before, ms | p99 during, ms | p99 beside an equal load, ms | attackers, cores | gateway, cores | client saw | bars | run |',
    '| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- | --- | --- |',
    ...[...Object.keys(attacks), allAtOnce].flatMap((name) => lines.get(name) ?? []),
    '',
  ].join('\n');
}

// The limit on open files of this process is that of its shell; the service inherits it.
const openFiles = Number(/Max open files\s+(\d+)/.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]);
if (openFiles < 12_000)
  console.warn(`only ${openFiles} files may be open: run ulimit -n 20000 first, or connections are fewer`);

const service = await startService();
const prober = fork(
  path.join(import.meta.dirname, 'attack/prober.ts'),
  [String(service.httpPort), String(service.metricsPort)],
  { execArgv: ['--import', 'tsx'] },
);
const observed = async (): Promise<Observed> => {
  const answer = once(prober, 'message');
  prober.send('tell');
  return (await answer)[0] as Observed;
};
const quantile = (times: readonly number[], q: number): number =>
  times.toSorted((a, b) => a - b)[Math.min(times.length - 1, Math.floor(q * times.length))] ?? 0;

/** Uses so much of one core without doing anything. */
async function burn(share: number, forMs: number): Promise<void> {
  const sliceMs = 10;
  const end = performance.now() + forMs;
  while (performance.now() < end) {
    const slice = performance.now();
    while (performance.now() - slice < Math.min(1, share) * sliceMs);
    await sleep(Math.max(0, sliceMs - (performance.now() - slice)));
  }
}

async function measure(name: string, attack: Attack): Promise<Row> {
  await observed();
  await sleep(2000);
  const quiet = await observed();
  const rss = service.rss();
  service.resetPeak();
  const over = new AbortController();
  const timer = setTimeout(() => over.abort(), seconds * 1000);
  // An attack that breaks off by itself has measured nothing: no row.
  const [begun, used, usedByGateway] = [performance.now(), process.cpuUsage(), service.processorSeconds()];
  await attack(service, over.signal);
  clearTimeout(timer);
  const elapsed = (performance.now() - begun) / 1000;
  const { user, system } = process.cpuUsage(used);
  const attackerCores = (user + system) / 1e6 / elapsed;
  const gatewayCores = (service.processorSeconds() - usedByGateway) / elapsed;
  const busy = await observed();
  const peak = service.peak();
  await sleep(3000);
  const after = service.rss();
  await observed();
  await burn(attackerCores, 3000);
  const beside = await observed();
  const row = {
    ...{ name, rss, peak, after, attackerCores, gatewayCores },
    beside: quantile(beside.encode, 0.99),
    // Whoever got no answer in all that time waited for longer than that.
    livez: busy.livez.length === 0 ? Number.POSITIVE_INFINITY : Math.max(...busy.livez),
    before: quantile(quiet.encode, 0.99),
    during: busy.encode.length === 0 ? Number.POSITIVE_INFINITY : quantile(busy.encode, 0.99),
    failures: Object.entries(busy.failures)
      .map(([what, count]) => `${what} × ${count}`)
      .join(', '),
  };
  console.log(JSON.stringify(row));
  if (!options.dry) writeFileSync(resultPath, page([row]));
  return row;
}

const [firstRow = 1, lastRow = firstRow] = options.rows === '' ? [1, Infinity] : options.rows.split('-').map(Number);
const isWanted = (name: string, number: number): boolean =>
  name.includes(options.only) && number >= firstRow && number <= lastRow;

const rows: Row[] = [];
try {
  await sleep(3000);
  for (const [i, [name, attack]] of Object.entries(attacks).entries()) {
    if (isWanted(name, i + 1)) rows.push(await measure(name, attack));
  }
  if (isWanted(allAtOnce, Object.keys(attacks).length + 1)) {
    const all: Attack = (...target) => Promise.all(Object.values(attacks).map((one) => one(...target))).then(() => {});
    rows.push(await measure(allAtOnce, all));
  }
  if (rows.length > 1) {
    await sleep(10_000);
    console.log(`resident memory 10 s after the last attack: ${service.rss()} MiB`);
  }
} finally {
  if (prober.connected) prober.disconnect();
  await service.stop();
}
console.log(page(rows));
process.exitCode = rows.length > 0 && rows.every(isWell) ? 0 : 1;
