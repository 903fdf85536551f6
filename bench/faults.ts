// The fault campaign: `npm run faults -- --kills 200`. Kills workers, redis-server and the gateway at random, accounts for
// every job, prints the table and writes it to bench/faults.md. Needs the build and redis-server.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { pino } from 'pino';
import { RedisJobQueue } from '../src/queue/redis-job-queue.ts';
import { freePort, startRedis } from '../test/helpers/redis.ts';
import { Fleet } from './faults/fleet.ts';
import { addWaves } from './faults/jobs.ts';
import { type KilledGateway, killGateway } from './faults/kill-gateway.ts';
import { type KilledRedis, killRedis } from './faults/kill-redis.ts';
import { type Killed, killWorkers } from './faults/kill-workers.ts';
import { measureTakeover, type Takeover } from './faults/takeover.ts';

const { values } = parseArgs({ options: { kills: { type: 'string', default: '200' } } });
const kills = Number(values.kills);
if (!Number.isInteger(kills) || kills < 4) throw new Error('--kills takes a whole number from 4');

const hour = 3600_000;
const shares = { workers: Math.ceil(kills / 2), redis: Math.ceil(kills / 4), gateway: Math.floor(kills / 4) };
const log = pino({ level: 'silent' });

/** A server, a queue and a data folder of its own for one campaign. */
async function inOwnWorld<T>(
  run: (world: {
    redis: Awaited<ReturnType<typeof startRedis>>;
    queue: RedisJobQueue;
    dataFolder: string;
    fleet: (role: 'worker' | 'gateway', more?: Readonly<Record<string, string>>) => Fleet;
  }) => Promise<T>,
): Promise<T> {
  const redis = await startRedis();
  const dataFolder = mkdtempSync(path.join(os.tmpdir(), 'hourglass-campaign-'));
  await addWaves(dataFolder);
  const settings = { url: redis.url, prefix: 'hourglass', timeoutMs: 900, keepJobs: 100_000, keepEvents: 10_000 };
  const queue = await RedisJobQueue.open(settings, log);
  const fleets: Fleet[] = [];
  const fleet = (role: 'worker' | 'gateway', more: Readonly<Record<string, string>> = {}): Fleet => {
    const common = {
      REDIS_URL: redis.url,
      HOURGLASS_DATA_DIR: dataFolder,
      HOURGLASS_JOB_LOCK: '2s',
      HOURGLASS_CHECKPOINT_INTERVAL: '250ms',
      HOURGLASS_TRAINING_THREADS: '1',
      HOURGLASS_LOG_LEVEL: 'error',
    };
    const made = new Fleet(role, { ...common, ...more });
    fleets.push(made);
    return made;
  };
  try {
    return await run({ redis, queue, dataFolder, fleet });
  } finally {
    for (const one of fleets) await one.stop();
    await queue.close();
    await redis.stop();
    rmSync(dataFolder, { recursive: true, force: true });
  }
}

const say = (text: string): void => console.log(`${new Date().toISOString().slice(11, 19)}  ${text}`);

say(`${shares.workers} kills of workers …`);
const workers: Killed = await inOwnWorld(({ queue, dataFolder, fleet }) =>
  killWorkers({
    ...{ queue, dataFolder, fleet: fleet('worker'), workers: 2, epochs: 60, limitMs: 2 * hour, random: Math.random },
    ...{ jobs: Math.max(4, Math.ceil(shares.workers / 2)), kills: shares.workers },
  }),
);
say(JSON.stringify(workers));

say(`${shares.redis} kills of redis-server …`);
const redis: KilledRedis = await inOwnWorld(({ queue, redis: server, dataFolder, fleet }) =>
  killRedis({
    ...{ queue, redis: server, dataFolder, fleet: fleet('worker'), workers: 2, epochs: 20 },
    ...{ kills: shares.redis, awayMs: 4000, limitMs: 2 * hour, random: Math.random },
  }),
);
say(JSON.stringify(redis));

say(`${shares.gateway} kills of the gateway …`);
const port = await freePort();
const gateway: KilledGateway = await inOwnWorld(({ queue, fleet }) =>
  killGateway({
    ...{ queue, address: `http://127.0.0.1:${port}`, clients: 8, kills: shares.gateway },
    fleet: fleet('gateway', {
      HOURGLASS_HTTP_PORT: String(port),
      HOURGLASS_GRPC_PORT: '0',
      HOURGLASS_METRICS_PORT: '0',
      HOURGLASS_SERVING_WORKERS: '1',
    }),
    ...{ limitMs: 2 * hour, random: Math.random },
  }),
);
say(JSON.stringify(gateway));

say('takeover …');
const takeover: Takeover = await inOwnWorld(({ queue, fleet }) =>
  measureTakeover(queue, fleet('worker', { HOURGLASS_JOB_LOCK: '6s' }), Math.min(20, kills)),
);
say(JSON.stringify(takeover));

const equal = (differ: number): string => (differ === 0 ? 'equal' : `${differ} differ`);
const row = (...cells: (string | number)[]): string => `| ${cells.join(' | ')} |`;
const table = [
  row('killed', 'kills survived', 'jobs', 'lost', 'failed', 'doubled', 'attempts', 'epochs repeated', 'weights'),
  row(...Array.from({ length: 9 }, () => '---')),
  row(
    'worker',
    ...[workers.kills, workers.jobs, workers.lost, workers.failed, workers.doubled, workers.attempts],
    ...[workers.epochsRepeated, equal(workers.weightsDiffer)],
  ),
  row(
    'redis-server',
    ...[redis.kills, redis.jobs, redis.lost, redis.failed, redis.doubled, redis.attempts],
    ...[redis.epochsRepeated, equal(redis.weightsDiffer)],
  ),
  row('gateway', gateway.kills, gateway.acknowledged, gateway.lost, 0, gateway.doubled, '–', '–', '–'),
].join('\n');
console.log(`\n${table}\n`);

const machine = `${os.cpus()[0]?.model.trim() ?? 'unknown'}, ${os.availableParallelism()} cores, Node ${process.version}`;
writeFileSync(
  path.join(import.meta.dirname, 'faults.md'),
  `# Faults

Last result of \`npm run faults -- --kills ${kills}\`, ${new Date().toISOString().slice(0, 10)}, ${machine}.

SIGKILL at random moments. Two workers train small jobs (256 rows of 16 values, a checkpoint at each epoch); redis-server stays
away for up to 4 s; eight clients submit with idempotency keys and try again until they have an answer. A job counts as lost when
it was acknowledged and did not end, as doubled when it published two versions or when one key became two jobs. Weights are
compared by checksum with those of an undisturbed job of the same seed.

${table}

While redis-server was away ${redis.refused} submissions were refused with \`queue-unavailable\`; the gateway's clients tried
again ${gateway.retries} times.

With the default lock of 6 s a killed worker's job was claimed by another one after ${takeover.median.toFixed(1)} s (median),
${takeover.p95.toFixed(1)} s (95th percentile) and ${takeover.longest.toFixed(1)} s at most, in ${takeover.kills} kills.
`,
);
const bad = [workers, redis].some(
  ({ lost, failed, doubled, weightsDiffer }) => lost + failed + doubled + weightsDiffer > 0,
);
process.exitCode = bad || gateway.lost + gateway.doubled > 0 ? 1 : 0;
