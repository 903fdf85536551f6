// `npm run attack`: takes the service away from its clients in every way that is known, one after the other and all at once,
// and prints what it cost: most resident memory, the slowest /livez on the metrics port, the 99th percentile of a well-behaved
// client's predictions before and during the attack, and resident memory afterwards. Writes bench/attack.md. Needs the build,
// redis-server and Linux.
//
//   npm run attack -- [--seconds 10] [--only part-of-a-name] [--dry]
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
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
    dry: { type: 'boolean', default: false },
  },
});
const seconds = Number(options.seconds);

/** what must hold: MiB, milliseconds, ratio */
const bars = { peak: 1024, peakOfAll: 1536, livez: 100, slowdown: 2 };

interface Row {
  readonly name: string;
  readonly peak: number;
  readonly livez: number;
  readonly before: number;
  readonly during: number;
  readonly after: number;
  readonly failures: string;
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

async function measure(name: string, attack: Attack): Promise<Row> {
  await observed();
  await sleep(2000);
  const quiet = await observed();
  service.resetPeak();
  const over = new AbortController();
  const timer = setTimeout(() => over.abort(), seconds * 1000);
  await attack(service, over.signal).catch((error: unknown) => console.warn(name, error));
  clearTimeout(timer);
  const busy = await observed();
  const peak = service.peak();
  await sleep(3000);
  const row = {
    ...{ name, peak, after: service.rss() },
    livez: Math.max(...busy.livez),
    before: quantile(quiet.encode, 0.99),
    during: quantile(busy.encode, 0.99),
    failures: Object.entries(busy.failures)
      .map(([what, count]) => `${what} × ${count}`)
      .join(', '),
  };
  console.log(JSON.stringify(row));
  return row;
}

await sleep(3000);
const atStart = service.rss();
const rows: Row[] = [];
for (const [name, attack] of Object.entries(attacks)) {
  if (name.includes(options.only)) rows.push(await measure(name, attack));
}
if (options.only === '') {
  rows.push(
    await measure('all at once', (...target) =>
      Promise.all(Object.values(attacks).map((one) => one(...target))).then(() => {}),
    ),
  );
}
await sleep(10_000);
const atEnd = service.rss();
prober.disconnect();
await service.stop();

const isWell = ({ name, peak, livez, before, during }: Row): boolean =>
  peak <= (name === 'all at once' ? bars.peakOfAll : bars.peak) &&
  livez <= bars.livez &&
  during <= bars.slowdown * before;
const ms = (value: number): string => value.toFixed(value < 10 ? 1 : 0);
const page = [
  '# The service under attack',
  '',
  `\`npm run attack -- --seconds ${seconds}\` on ${os.availableParallelism()} cores of ${os.cpus()[0]?.model ?? '-'}, Node.js ${process.versions.node}, attackers and service on the same machine.`,
  'Attackers come from eight addresses; a well-behaved client from a ninth asks for one prediction every 20 ms.',
  `Resident memory was ${atStart} MiB at the start and ${atEnd} MiB ten seconds after the last attack.`,
  '',
  `Bars: at most ${bars.peak} MiB (${bars.peakOfAll} MiB for all at once), \`/livez\` on the metrics port within ${bars.livez} ms, the client's 99th percentile at most ${bars.slowdown} times as high.`,
  '',
  '| attack | most memory, MiB | slowest /livez, ms | p99 before, ms | p99 during, ms | memory 3 s after, MiB | client saw | bars |',
  '| --- | ---: | ---: | ---: | ---: | ---: | --- | --- |',
  ...rows.map(
    (row) =>
      `| ${row.name} | ${row.peak} | ${ms(row.livez)} | ${ms(row.before)} | ${ms(row.during)} | ${row.after} | ${row.failures} | ${isWell(row) ? 'kept' : 'missed'} |`,
  ),
  '',
].join('\n');
console.log(page);
if (!options.dry && options.only === '') writeFileSync(path.join(import.meta.dirname, 'attack.md'), page);
process.exitCode = rows.every(isWell) ? 0 : 1;
