// Redis goes away in several ways while clients submit and ask, and jobs are trained: what is refused, how fast, what goes on,
// how soon it is all well again, and whether every acknowledged job ended exactly once.
//
//   clients ─► gateway ─► proxy ─► redis-server ◄─ proxy ◄─ workers
import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { TestClient } from '../../test/gateway/grpc/client.ts';
import { freePorts } from '../../test/helpers/ports.ts';
import { startProxy, type TcpProxy } from '../../test/helpers/tcp-proxy.ts';
import { encodeOverRest, repeat, submitAll, submitOverGrpc, submitOverRest, Tally } from './clients.ts';
import { ended, settle, waveSpec } from './jobs.ts';
import type { World } from './world.ts';

/**
 * `killed`: the server is gone. `frozen`: it holds its connections, and carries out later what it was sent. `half-open`:
 * connections stay, nothing comes through, and those from before stay dead. `slow`: 250 ms later each way.
 */
export type Away = 'killed' | 'frozen' | 'half-open' | 'slow';

export interface Outage {
  readonly away: Away;
  readonly seconds: number;
  /** between the submissions of one client, 1000 when absent */
  readonly pauseMs?: number;
  /** how long clients go on before the outage and after it, 2 s and 5 s when absent; in any case until a job was claimed after it */
  readonly beforeMs?: number;
  readonly afterMs?: number;
}

export interface SurvivedOutage extends Outage {
  readonly acknowledged: number;
  /** acknowledged jobs that did not end well */
  readonly lost: number;
  /** keys that became more than one job, and jobs that published more than one version */
  readonly doubled: number;
  /** submissions that were refused as the contract has it, and the slowest of these refusals */
  readonly refused: number;
  readonly slowestRefusalMs: number;
  /** submissions with any other answer */
  readonly wrong: readonly string[];
  readonly predictions: number;
  readonly predictionsFailed: readonly string[];
  readonly slowestPredictionMs: number;
  /** attempts at the jobs that were running all the time: 1 each when nobody took them away */
  readonly attempts: readonly number[];
  /** how old their newest checkpoints were when the server came back */
  readonly checkpointAgeMs: number;
  /** from the return to the first claim of a job */
  readonly consumedAfterMs: number;
}

const slowMs = 250;
const claimLimitMs = 30_000;

export async function surviveOutage(
  { redis, queue, dataFolder, fleet }: World,
  outage: Outage,
): Promise<SurvivedOutage> {
  const { away, seconds, pauseMs = 1000, beforeMs = 2000, afterMs = 5000 } = outage;
  const proxy = await startProxy(() => redis.port);
  const url = `redis://:${redis.password}@127.0.0.1:${proxy.port}`;
  const [http = 0, grpc = 0] = await freePorts(2);
  const ports = { HOURGLASS_HTTP_PORT: String(http), HOURGLASS_GRPC_PORT: String(grpc) };
  const address = `http://127.0.0.1:${http}`;
  const [gateway, workers] = [fleet('gateway', { REDIS_URL: url, ...ports }), fleet('worker', { REDIS_URL: url })];
  gateway.start();
  for (let i = 0; i < 3; i++) workers.start();
  const client = new TestClient(grpc);
  try {
    const first = await queue.submit(waveSpec('served', 2));
    if ((await ended(queue, first.id, 120_000))?.state !== 'succeeded') throw new Error('no model to ask for');
    const long = await Promise.all(['long-1', 'long-2'].map((name) => queue.submit(waveSpec(name, 100_000))));
    for (const { id } of long) {
      while ((await queue.get(id)).progress?.epoch === undefined) await delay(50);
    }

    const over = new AbortController();
    const submissions = new Tally();
    const predictions = new Tally();
    const load = Promise.all([
      submitAll(over.signal, 'rest-1', submissions, (key) => submitOverRest(address, key), pauseMs),
      submitAll(over.signal, 'rest-2', submissions, (key) => submitOverRest(address, key), pauseMs),
      submitAll(over.signal, 'grpc', submissions, (key) => submitOverGrpc(client, key), pauseMs),
      repeat(over.signal, 50, () => predictions.record(() => encodeOverRest(address, 'served'))),
    ]);
    await delay(beforeMs);
    await leave(away, redis, proxy);
    await delay(seconds * 1000);
    const checkpointAgeMs = Math.max(...long.map(({ id }) => newestCheckpointAge(dataFolder, id)));
    await comeBack(away, redis, proxy);
    const backAt = Date.now();
    await delay(afterMs);
    const limit = Date.now() + claimLimitMs;
    while ((await firstClaimAfter(queue, backAt)) === undefined && Date.now() < limit) await delay(100);
    over.abort();
    await load;

    const attempts: number[] = [];
    for (const { id } of long) {
      attempts.push((await queue.get(id)).attempts);
      await queue.cancel(id);
      await ended(queue, id, 60_000);
    }
    const account = await settle(queue, dataFolder, [...submissions.acknowledged.values()], new Map(), 300_000);
    const { jobs } = await queue.list({ limit: 1000 });
    const countOf = (key: string): number => jobs.filter(({ spec }) => spec.name === key).length;
    return {
      ...outage,
      acknowledged: account.jobs,
      lost: account.lost + account.failed,
      doubled: account.doubled + [...submissions.acknowledged.keys()].filter((key) => countOf(key) > 1).length,
      refused: submissions.refused,
      slowestRefusalMs: submissions.slowestRefusalMs,
      wrong: submissions.wrong,
      predictions: predictions.done,
      predictionsFailed: predictions.wrong,
      slowestPredictionMs: predictions.slowestMs,
      attempts,
      checkpointAgeMs,
      consumedAfterMs: (await firstClaimAfter(queue, backAt)) ?? Number.POSITIVE_INFINITY,
    };
  } finally {
    client.close();
    await Promise.all([gateway.stop(), workers.stop()]);
    await proxy.close();
  }
}

/** Milliseconds from a moment to the first claim of a job after it; undefined when there was none yet. */
async function firstClaimAfter(queue: World['queue'], since: number): Promise<number | undefined> {
  const { jobs } = await queue.list({ limit: 1000 });
  const claims = jobs.map(({ startedAt }) => Date.parse(startedAt ?? '') - since).filter((ms) => ms >= 0);
  return claims.length > 0 ? Math.min(...claims) : undefined;
}

async function leave(away: Away, redis: World['redis'], proxy: TcpProxy): Promise<void> {
  switch (away) {
    case 'killed':
      return redis.kill();
    case 'frozen':
      process.kill(redis.pid, 'SIGSTOP');
      return;
    case 'half-open':
      return proxy.stall();
    case 'slow':
      return proxy.slow(slowMs);
    default:
      return away satisfies never;
  }
}

async function comeBack(away: Away, redis: World['redis'], proxy: TcpProxy): Promise<void> {
  switch (away) {
    case 'killed':
      return redis.start();
    case 'frozen':
      process.kill(redis.pid, 'SIGCONT');
      return;
    case 'half-open':
      return proxy.flow();
    case 'slow':
      return proxy.slow(0);
    default:
      return away satisfies never;
  }
}

function newestCheckpointAge(dataFolder: string, id: string): number {
  const folder = path.join(dataFolder, 'jobs', id, 'run-1');
  const times = readdirSync(folder).map(
    (name) => statSync(path.join(folder, name), { throwIfNoEntry: false })?.mtimeMs,
  );
  return Date.now() - Math.max(...times.map((time) => time ?? 0));
}
