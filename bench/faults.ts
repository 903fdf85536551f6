// The fault campaign: `npm run faults -- --kills 200`. Kills workers, redis-server and the gateway at random, takes Redis away,
// lets a job die again and again, restarts gateways under load, and accounts for every job. Each part writes its result to
// bench/faults.json, from which bench/faults.md is made. Needs the build and redis-server.
//
//   npm run faults -- [--kills 200] [--parts workers,redis,gateway,takeover,outages,poison,rollouts,watch,machines]
//   npm run faults -- --store s3 [--kills 100]       machines on one bucket: the part `machines` alone
import { parseArgs } from 'node:util';
import { freePort } from '../test/helpers/ports.ts';
import { buildS3Server, s3Server } from '../test/helpers/s3.ts';
import { killGateway } from './faults/kill-gateway.ts';
import { killMachines } from './faults/kill-machines.ts';
import { killRedis } from './faults/kill-redis.ts';
import { killWorkers } from './faults/kill-workers.ts';
import { type Outage, type SurvivedOutage, surviveOutage } from './faults/outages.ts';
import { measurePoison } from './faults/poison.ts';
import { isWell, keep, type PartName, partNames, type Results, readResults, writePage } from './faults/results.ts';
import { rollOut } from './faults/rollouts.ts';
import { measureTakeover } from './faults/takeover.ts';
import { watchJobs } from './faults/watch.ts';
import { inOwnWorld } from './faults/world.ts';

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '200' },
    parts: { type: 'string' },
    store: { type: 'string', default: 'folder' },
  },
});
const kills = Number(values.kills);
if (!Number.isInteger(kills) || kills < 4) throw new Error('--kills takes a whole number from 4');
if (values.store !== 'folder' && values.store !== 's3') throw new Error('--store takes folder or s3');
const folderParts = partNames.filter((name) => name !== 'machines');
const wanted = values.parts?.split(',') ?? (values.store === 's3' ? ['machines'] : folderParts);
const unknown = wanted.filter((part) => !(partNames as readonly string[]).includes(part));
if (unknown.length > 0) throw new Error(`--parts takes ${partNames.join()}, not ${unknown.join()}`);

const limitMs = 2 * 3600_000;
const random = Math.random;
const shares = { workers: Math.ceil(kills / 2), redis: Math.ceil(kills / 4), gateway: Math.floor(kills / 4) };
const outages: readonly Outage[] = [
  ...[2, 20, 120].map((seconds) => ({ away: 'killed', seconds }) as const),
  { away: 'frozen', seconds: 5 },
  { away: 'half-open', seconds: 20 },
  { away: 'slow', seconds: 20 },
];
/** a killed worker is noticed by its lock: this is the default one */
const usual = { lock: '6s', checkpointInterval: '250ms' };

const parts: { readonly [P in PartName]: () => Promise<Results[P]> } = {
  workers: () =>
    inOwnWorld(({ queue, dataFolder, fleet }) =>
      killWorkers({
        ...{ queue, dataFolder, fleet: fleet('worker'), workers: 2, epochs: 60, limitMs, random },
        ...{ jobs: Math.max(4, Math.ceil(shares.workers / 2)), kills: shares.workers },
      }),
    ),
  redis: () =>
    inOwnWorld(({ queue, redis, dataFolder, fleet }) =>
      killRedis({
        ...{ queue, redis, dataFolder, fleet: fleet('worker'), workers: 2, epochs: 20 },
        ...{ kills: shares.redis, awayMs: 4000, limitMs, random },
      }),
    ),
  gateway: () =>
    inOwnWorld(async ({ queue, fleet }) => {
      const port = await freePort();
      const gateway = fleet('gateway', { HOURGLASS_HTTP_PORT: String(port), HOURGLASS_GRPC_PORT: '0' });
      const address = `http://127.0.0.1:${port}`;
      return killGateway({ queue, fleet: gateway, address, clients: 8, kills: shares.gateway, limitMs, random });
    }),
  takeover: () =>
    inOwnWorld(({ queue, fleet }) => measureTakeover(queue, fleet('worker'), Math.min(20, kills), 10), usual),
  outages: async () => {
    const survived: SurvivedOutage[] = [];
    for (const outage of outages) {
      survived.push(await inOwnWorld((world) => surviveOutage(world, outage), usual));
      say(JSON.stringify(survived.at(-1)));
    }
    return survived;
  },
  poison: () => inOwnWorld((world) => measurePoison(world, { jobs: 40, rounds: 2, epochs: 60 })),
  rollouts: () => inOwnWorld((world) => rollOut(world, { rollouts: 20, drain: '5s' })),
  watch: () => inOwnWorld((world) => watchJobs(world, 10)),
  machines: () => {
    buildS3Server();
    if (!s3Server())
      throw new Error('the part machines needs an S3 server: install Go, or set HOURGLASS_TEST_VERSITYGW');
    return killMachines({ kills, epochs: 15, limitMs });
  },
};

function say(text: string): void {
  console.log(`${new Date().toISOString().slice(11, 19)}  ${text}`);
}

for (const part of partNames.filter((name) => wanted.includes(name))) {
  say(`${part} …`);
  const result = await parts[part]();
  say(JSON.stringify(result));
  keep(part, result);
}
const results = readResults();
console.log(`\n${writePage(results)}`);
process.exitCode = isWell(results) ? 0 : 1;
