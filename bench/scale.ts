/**
 * `npm run bench:scale [-- --gateways 200 --workers 50] [--only counts]`: what each job, watcher, gateway and worker asks of Redis and of the bucket,
 * the sums for larger installations, and simulated gateways and workers beside their sum; `--only counts` leaves the throughput as it was
 * measured last, which needs a quiet machine. Needs redis-server and versitygw
 * (test/helpers/s3.ts builds it). Writes scale.md; docs/scaling.md says what follows.
 */

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { startRedis } from '../test/helpers/redis.ts';
import { buildS3Server, s3Server, startBucket } from '../test/helpers/s3.ts';
import { simulateFleet } from './scale/fleet.ts';
import { measureThroughput, type Throughput } from './scale/throughput.ts';
import { bucketCosts, type Counted, idleCosts, jobCosts, RedisMeter } from './scale/units.ts';

const { values } = parseArgs({
  options: {
    gateways: { type: 'string', default: '200' },
    workers: { type: 'string', default: '50' },
    only: { type: 'string' },
  },
});
buildS3Server();
if (!s3Server()) throw new Error('bench:scale needs an S3 server: install Go, or set HOURGLASS_TEST_VERSITYGW');

const root = mkdtempSync(path.join(os.tmpdir(), 'hourglass-scale-'));
let disks = 0;
const disk = (): string => {
  const folder = path.join(root, String(disks++));
  mkdirSync(folder);
  return folder;
};
const pageFile = path.join(import.meta.dirname, 'scale.md');
const heading = '## From one gateway to two';

/** As the page has it. */
function lastThroughput(): string {
  const page = readFileSync(pageFile, 'utf8');
  return page.slice(page.indexOf(heading));
}

const throughputText = ({ one, two, errors }: Throughput): string => `${heading}

Requests of 16 rows of 784 numbers in JSON to a model of 784-128-32, asked by wrk on the same machine of ${os.availableParallelism()} cores: ${number(one, 0)} a second by one gateway process, ${number(two, 0)}
by two (${number(two / one, 2)} ×; aim: 1.7 × where there is a core for each gateway and one for the generator), ${errors} errors.
`;

const redis = await startRedis();
const bucket = await startBucket();
const meter = new RedisMeter(redis.url);
const settingsOf = (dataDir: string) => bucket.settings(dataDir, { storeRefreshMs: 1000 });
const number = (value: number, digits = 1): string => value.toLocaleString('en', { maximumFractionDigits: digits });
const kilobytes = (bytes: number): string => `${number(bytes / 1000)} kB`;

try {
  const { job, watched } = await jobCosts(redis.url, meter);
  const idle = await idleCosts(redis.url, meter, settingsOf(disk()));
  const stored = await bucketCosts(settingsOf, disk);
  const fleet = await simulateFleet({
    ...{ url: redis.url, meter, settingsOf, disk },
    ...{ gateways: Number(values.gateways), workers: Number(values.workers) },
  });
  const throughputSection = values.only === 'counts' ? lastThroughput() : throughputText(await measureThroughput());
  const expected = {
    commands: fleet.gateways * idle.gateway.commands + fleet.workers * idle.worker.commands,
    requests: fleet.gateways * idle.bucketIdle,
  };
  const of = ({ commands, bytes }: Counted): string => `${number(commands)} commands, ${kilobytes(bytes)}`;
  const jobsPerDay = 10_000;
  const jobsPerSecond = jobsPerDay / 86_400;
  const sums = [10, 100, 1000].map((gateways) => {
    const workers = Math.max(5, gateways / 4);
    const commands =
      gateways * idle.gateway.commands +
      workers * idle.worker.commands +
      jobsPerSecond * (job.commands + watched.commands);
    const requests =
      gateways * idle.bucketServing + jobsPerSecond * (stored.publication + gateways * stored.newVersion);
    return `| ${gateways} | ${workers} | ${number(commands, 0)} | ${number(requests, 0)} |`;
  });
  const page = `# Unit costs of several machines

Written by \`npm run bench:scale\`. ${os.cpus()[0]?.model}, ${os.availableParallelism()} cores, Node ${process.versions.node}, a local redis-server and versitygw,
load ${os.loadavg()[0]?.toFixed(1)} at the end: counts do not depend on it, times do. What follows from it is in [docs/scaling.md](../docs/scaling.md).

## Redis

| | |
| --- | --- |
| a job of ten seconds: submission, claim, 100 progress reports, 10 epochs, end | ${of(job)} |
| each further watcher of it | ${of(watched)} |
| an idle gateway, probed every 5 s, per second | ${of(idle.gateway)} |
| an idle worker, per second | ${of(idle.worker)} |

## Bucket

| | requests |
| --- | ---: |
| a publication (8 files beyond 16 KiB) | ${stored.publication} |
| a new version of a known model, by a gateway | ${stored.newVersion} |
| the same version by another process of that machine | ${stored.cachedVersion} |
| a checkpoint | ${stored.checkpoint} |
| an idle gateway, probed every 5 s, per second | ${number(idle.bucketIdle, 2)} |
| a gateway that answers predictions, per second, however many models | ${number(idle.bucketServing, 2)} |

A machine with an empty disk had the 1 MB version in memory ${number(stored.coldLoadMs, 0)} ms after it was asked for it.

## Sums

${number(jobsPerDay)} jobs a day with a watcher each, one new version a job that every gateway serves and loads, a worker for every four gateways.

| gateways | workers | Redis commands/s | bucket requests/s |
| ---: | ---: | ---: | ---: |
${sums.join('\n')}

## Simulated

${fleet.gateways} gateways (each with an empty disk of its own) and ${fleet.workers} workers, idle, in one process against one redis-server and one versitygw:

| per second | sum of units | measured |
| --- | ---: | ---: |
| Redis commands | ${number(expected.commands, 0)} | ${number(fleet.redisCommands, 0)} |
| Redis bytes | ${kilobytes(fleet.gateways * idle.gateway.bytes + fleet.workers * idle.worker.bytes)} | ${kilobytes(fleet.redisBytes)} |
| bucket requests | ${number(expected.requests, 0)} | ${number(fleet.bucketRequests, 0)} |

A new version of a model that all of them serve: the last one had it after ${number(fleet.takenUpMs / 1000)} s, with ${number(fleet.takenUpRequests / fleet.gateways)} requests each.

${throughputSection}`;
  console.log(page);
  writeFileSync(pageFile, page);
} finally {
  meter.close();
  await bucket.stop();
  await redis.stop();
  rmSync(root, { recursive: true, force: true });
}
process.exit(0);
