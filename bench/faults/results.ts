// The results of a campaign: kept part by part in bench/faults.json, shown in bench/faults.md.
import { readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { KilledGateway } from './kill-gateway.ts';
import type { KilledMachines } from './kill-machines.ts';
import type { KilledRedis } from './kill-redis.ts';
import type { Killed } from './kill-workers.ts';
import type { SurvivedOutage } from './outages.ts';
import type { Poisoned } from './poison.ts';
import type { RolledOut } from './rollouts.ts';
import type { Spread, Takeover } from './takeover.ts';
import type { Watched } from './watch.ts';

export interface Results {
  readonly workers: Killed;
  readonly redis: KilledRedis;
  readonly gateway: KilledGateway;
  readonly takeover: Takeover;
  readonly outages: readonly SurvivedOutage[];
  readonly poison: Poisoned;
  readonly rollouts: RolledOut;
  readonly watch: readonly Watched[];
  readonly machines: KilledMachines;
}
export type PartName = keyof Results;
export const partNames = [
  'workers',
  'redis',
  'gateway',
  'takeover',
  'outages',
  'poison',
  'rollouts',
  'watch',
  'machines',
] as const;

type Kept = {
  readonly [P in PartName]?: { readonly date: string; readonly machine: string; readonly result: Results[P] };
};

const folder = path.resolve(import.meta.dirname, '..');
const file = path.join(folder, 'faults.json');

const machine = `${os.cpus()[0]?.model.trim() ?? 'unknown'}, ${os.availableParallelism()} cores, Node ${process.version}`;

function readKept(): Kept {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Kept;
  } catch {
    return {};
  }
}

export function keep<P extends PartName>(part: P, result: Results[P]): void {
  const kept = { ...readKept(), [part]: { date: new Date().toISOString().slice(0, 10), machine, result } };
  writeFileSync(file, `${JSON.stringify(kept, null, 2)}\n`);
}

export type Read = { readonly [P in PartName]?: Results[P] };

export function readResults(): Read {
  return Object.fromEntries(Object.entries(readKept()).map(([part, { result }]) => [part, result]));
}

/** Nothing lost, nothing doubled, nothing answered as it should not be. Times are for the reader. */
export function isWell({ workers, redis, gateway, takeover, outages = [], poison, rollouts, machines }: Read): boolean {
  const accounts = [workers, redis, machines].flatMap((account) =>
    account ? [account.lost + account.failed + account.doubled + account.weightsDiffer] : [],
  );
  const survived = outages.map(
    ({ lost, doubled, wrong, predictionsFailed }) => lost + doubled + wrong.length + predictionsFailed.length,
  );
  const others = [
    (gateway?.lost ?? 0) + (gateway?.doubled ?? 0),
    poison?.healthyFailed ?? 0,
    machines?.predictionsFailed.length ?? 0,
    takeover?.badExits.length ?? 0,
    (rollouts?.failed.length ?? 0) + (rollouts?.badExits.length ?? 0),
  ];
  return [...accounts, ...survived, ...others].every((count) => count === 0);
}

const row = (...cells: (string | number)[]): string => `| ${cells.join(' | ')} |`;
const table = (head: readonly string[], rows: readonly (readonly (string | number)[])[]): string =>
  [row(...head), row(...head.map(() => '---')), ...rows.map((cells) => row(...cells))].join('\n');
const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`;

/** Writes the page and returns it. */
export function writePage(results: Read): string {
  const kept = Object.values(readKept());
  const when = [...new Set(kept.map(({ date }) => date))].toSorted().join(' and ');
  const where = [...new Set(kept.map((one) => one.machine))].join('; ');
  const parts = [
    kills(results),
    takeover(results),
    outages(results),
    poison(results),
    rollouts(results),
    watch(results),
    machines(results),
  ];
  const page = `# Faults

Last results of \`npm run faults -- --kills 200\`, ${when}, ${where}. The machine did other work at the same time.

${parts.filter((part) => part !== undefined).join('\n\n')}
`;
  writeFileSync(path.join(folder, 'faults.md'), page);
  return page;
}

function kills({ workers, redis, gateway }: Read): string | undefined {
  if (!workers || !redis || !gateway) return undefined;
  const line = (name: string, account: Killed): (string | number)[] => [
    ...[name, account.kills, account.jobs, account.lost, account.failed, account.doubled, account.attempts],
    ...[account.epochsRepeated, account.weightsDiffer === 0 ? 'equal' : `${account.weightsDiffer} differ`],
  ];
  const head = [
    'killed',
    'kills survived',
    'jobs',
    'lost',
    'failed',
    'doubled',
    'attempts',
    'epochs repeated',
    'weights',
  ];
  const last = ['gateway', gateway.kills, gateway.acknowledged, gateway.lost, 0, gateway.doubled, '–', '–', '–'];
  return `## Kills

SIGKILL at random moments. Two workers train small jobs (256 rows of 16 values, a checkpoint at each epoch); redis-server stays
away for up to 4 s; eight clients submit with idempotency keys and try again until they have an answer. A job counts as lost when
it was acknowledged and did not end, as doubled when it published two versions or when one key became two jobs. Weights are
compared by checksum with those of an undisturbed job of the same seed.

${table(head, [line('worker', workers), line('redis-server', redis), last])}

While redis-server was away ${redis.refused} submissions were refused with \`queue-unavailable\` or \`outcome-unknown\`; the gateway's clients tried
again ${gateway.retries} times.`;
}

function takeover({ takeover: measured }: Read): string | undefined {
  if (!measured) return undefined;
  const { kills: count, killed, stops, handedOver, stopped, badExits } = measured;
  const line = (name: string, { median, p95, longest }: Spread): string[] => [
    name,
    ...[median, p95, longest].map((value) => `${value.toFixed(1)} s`),
  ];
  const rows = [
    line('killed → claimed by another', killed),
    line('told to stop → claimed by another', handedOver),
    line('told to stop → ended', stopped),
  ];
  return `## Takeover

One job, ${count} times killed with its worker and ${stops} times handed over by a worker that was told to stop (SIGTERM), with the
default lock of 6 s. Exit codes other than 0: ${badExits.length}.

${table(['worker', 'median', '95th percentile', 'longest'], rows)}`;
}

function outages({ outages: survived }: Read): string | undefined {
  if (!survived) return undefined;
  const rows = survived.map((one) => [
    ...[`${one.away}, ${one.seconds} s`, one.acknowledged, one.lost, one.doubled, one.refused],
    ...[one.refused === 0 ? '–' : seconds(one.slowestRefusalMs), one.wrong.length],
    ...[`${one.predictions} / ${one.predictionsFailed.length}`, seconds(one.slowestPredictionMs)],
    ...[one.attempts.join(', '), seconds(one.checkpointAgeMs), seconds(one.consumedAfterMs)],
  ]);
  const head = [
    ...['Redis', 'jobs acknowledged', 'lost', 'doubled', 'refused', 'slowest refusal', 'other answers'],
    ...['predictions / failed', 'slowest', 'attempts at running jobs', 'newest checkpoint', 'consumed again after'],
  ];
  return `## Redis away

Two clients over REST and one over gRPC submit a job a second each under idempotency keys and try again until it is
acknowledged; another asks for predictions; two long jobs are trained and a third worker is free. Killed: the server is gone.
Frozen: it keeps its connections and carries out later what it was sent. Half-open: nothing comes through, nobody is told, and
connections from before stay dead. Slow: every piece 250 ms later, each way. A refusal is 503 \`queue-unavailable\` or \`outcome-unknown\` with
Retry-After, over gRPC UNAVAILABLE with a retry delay. The newest checkpoint is that of the running jobs, as old as it was when the
server came back; consumed again is from that moment to the first claim of a job.

${table(head, rows)}`;
}

function poison({ poison: measured }: Read): string | undefined {
  if (!measured) return undefined;
  const { jobs, rounds, without, beside, delay, healthyFailed } = measured;
  return `## A poison job

${jobs} jobs on two workers, with and without one more before them that runs out of memory at each attempt, ${rounds} times in turn:
${without.toFixed(1)} s from submission to end without it (mean), ${beside.toFixed(1)} s beside it, ${(100 * delay).toFixed(1)} % later. It takes one
worker's time for its attempts, the later ones behind the jobs that wait: of fewer jobs' time that is a larger share.
Healthy jobs that failed: ${healthyFailed}. The poison job: ${[...new Set(measured.poison)].join('; ')}.`;
}

function rollouts({ rollouts: measured }: Read): string | undefined {
  if (!measured) return undefined;
  const { rest, grpc, failed, closing, badExits, notReadyAfterMs, longestStopMs } = measured;
  return `## Rolling restarts

Two gateways behind a proxy that sends new connections to those that are ready, probed every 50 ms; ${measured.rollouts} times one of
them was told to stop (SIGTERM) and started anew, under predictions and submissions. ${rest} answers over REST, ${grpc} over gRPC,
${failed.length} requests failed. ${closing} answers told their client to connect anew. /readyz said 503 after ${seconds(notReadyAfterMs)}
at most; the process had ended after ${seconds(longestStopMs)} at most, with exit code 0 ${badExits.length === 0 ? 'always' : `but for ${badExits.length} times`}.`;
}

function machines({ machines: killed }: Read): string | undefined {
  if (!killed) return undefined;
  const { kills: by, jobs, lost, failed, doubled, attempts, epochsRepeated, weightsDiffer, failures = [] } = killed;
  const weights = weightsDiffer === 0 ? 'equal' : `${weightsDiffer} differ`;
  const head = [
    ...['workers killed', 'gateways killed', 'S3 server killed', 'jobs', 'lost', 'failed', 'doubled', 'attempts'],
    ...['epochs repeated', 'weights', 'predictions / failed'],
  ];
  const cells = [by.workers, by.gateways, by.bucket, jobs, lost, failed, doubled, attempts, epochsRepeated, weights];
  return `## Machines on one bucket

\`npm run faults -- --store s3 --kills ${by.workers + by.gateways + by.bucket}\`: three workers and two gateways that share nothing but Redis and a bucket (versitygw). SIGKILL
at random moments; a killed worker or gateway loses its disk, and what takes its place begins with an empty one. The S3 server
stays away for up to 2 s. Jobs are submitted over REST under idempotency keys. A worker is killed up to 8 s after it was seen with a job, mostly before its
first checkpoint.

${table(head, [[...cells, `${killed.predictions} / ${killed.predictionsFailed.length}`]])}${failures.length > 0 ? `\n\nFailed: ${failures.join('; ')}` : ''}`;
}

function watch({ watch: watched }: Read): string | undefined {
  if (!watched) return undefined;
  const rows = watched.map(({ model, events, longestGapMs, incomplete, cancelledAfterMs }) => [
    ...[model, events, seconds(longestGapMs), incomplete, seconds(cancelledAfterMs)],
  ]);
  const head = ['model', 'progress events', 'longest time between two', 'incomplete', 'cancelled after'];
  return `## Watching and steering

A watcher follows jobs on MNIST for 10 s each, then cancels them. Incomplete is an event without phase, samples per second or
estimated time to the end; cancelled after is from the call to the \`end\` event.

${table(head, rows)}`;
}
