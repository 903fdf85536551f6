// SIGKILLs the gateway while clients submit jobs with idempotency keys and try again until they have an answer.
import { setTimeout as delay } from 'node:timers/promises';
import type { JobQueue } from '../../src/queue/job-queue.ts';
import type { Fleet } from './fleet.ts';

export interface KillGateway {
  readonly queue: JobQueue;
  /** one gateway at `address` */
  readonly fleet: Fleet;
  readonly address: string;
  readonly clients: number;
  readonly kills: number;
  readonly limitMs: number;
  readonly random: () => number;
}

export interface KilledGateway {
  readonly kills: number;
  readonly acknowledged: number;
  /** acknowledged jobs that the queue does not know */
  readonly lost: number;
  /** keys that became more than one job */
  readonly doubled: number;
  /** attempts that got no answer */
  readonly retries: number;
}

export async function killGateway(campaign: KillGateway): Promise<KilledGateway> {
  const { queue, fleet, address, kills: wanted, limitMs, random } = campaign;
  const limit = Date.now() + limitMs;
  const answers = new Map<string, string>();
  let retries = 0;
  let over = false;
  const client = async (name: number): Promise<void> => {
    for (let i = 0; !over; i++) {
      const key = `gateway-${name}-${i}`;
      while (!answers.has(key) && Date.now() < limit) {
        const id = await post(address, key).catch(() => undefined);
        if (id !== undefined) answers.set(key, id);
        else {
          retries++;
          await delay(50);
        }
      }
    }
  };
  fleet.start();
  await untilUp(address, limit);
  const clients = Promise.all(Array.from({ length: campaign.clients }, (_, i) => client(i)));
  let kills = 0;
  while (kills < wanted && Date.now() < limit) {
    await delay(200 * random());
    const [gateway] = fleet.members;
    if (gateway) await fleet.end(gateway, 'SIGKILL');
    kills++;
    fleet.start();
    await untilUp(address, limit);
  }
  over = true;
  await clients;
  await fleet.stop();
  const byName = new Map<string, string[]>();
  for (let cursor: string | undefined; ; ) {
    const page = await queue.list({ limit: 500, ...(cursor !== undefined && { cursor }) });
    for (const { id, spec } of page.jobs) byName.set(spec.name, [...(byName.get(spec.name) ?? []), id]);
    cursor = page.nextCursor;
    if (cursor === undefined) break;
  }
  const jobsOf = (key: string): string[] => byName.get(key) ?? [];
  return {
    kills,
    acknowledged: answers.size,
    lost: [...answers].filter(([key, id]) => !jobsOf(key).includes(id)).length,
    doubled: [...answers.keys()].filter((key) => jobsOf(key).length > 1).length,
    retries,
  };
}

/** The model's name is the key, so that the jobs of a key can be counted. */
async function post(address: string, key: string): Promise<string | undefined> {
  const response = await fetch(`${address}/v1/jobs`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': key },
    body: JSON.stringify({ name: key, dataset: 'waves', model: { type: 'dense', code: 3, hidden: [] } }),
    signal: AbortSignal.timeout(3000),
  });
  return response.status === 202 ? ((await response.json()) as { id: string }).id : undefined;
}

async function untilUp(address: string, limit: number): Promise<void> {
  while (Date.now() < limit) {
    const response = await fetch(`${address}/livez`).catch(() => undefined);
    if (response?.ok) return;
    await delay(50);
  }
  throw new Error(`no gateway at ${address}`);
}
