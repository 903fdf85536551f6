/**
 * What a tenant that floods the queue costs the others: it posts its jobs, then another tenant posts a few. Told is how many jobs began
 * until the other one's last had begun, against its fair share, where the two begin in turn.
 *
 *   npm run attack:tenants -- --flood 100000 --few 100
 */

import { parseArgs } from 'node:util';
import { JobConsumer } from '../src/queue/job-consumer.ts';
import { startRedis } from '../test/helpers/redis.ts';
import { consumerSettings, jobSpec, openQueue, quiet, until } from '../test/queue/fixtures.ts';

const { values } = parseArgs({
  options: { flood: { type: 'string', default: '100000' }, few: { type: 'string', default: '100' } },
});
const [flood, few] = [Number(values.flood), Number(values.few)];
const postedAtOnce = 200;

const redis = await startRedis();
const queue = await openQueue(redis.url, { maxWaiting: 10 * flood, maxWaitingPerClient: 10 * flood });
const post = async (tenant: string, count: number): Promise<number> => {
  const own = queue.forTenant(tenant);
  const start = performance.now();
  for (let posted = 0; posted < count; posted += postedAtOnce) {
    const some = Math.min(postedAtOnce, count - posted);
    await Promise.all(Array.from({ length: some }, () => own.submit(jobSpec(tenant))));
  }
  return (performance.now() - start) / 1000;
};
const seconds = await post('flood', flood);
console.log(`${flood} jobs of one tenant posted in ${seconds.toFixed(1)} s`);
await post('other', few);

let begun = 0;
let others = 0;
let lastOfOther = 0;
const train = async ({ claim }: { readonly claim: { readonly tenant: string } }) => {
  begun++;
  if (claim.tenant === 'other' && ++others === few) lastOfOther = begun;
  return { kind: 'succeeded', metrics: {} } as const;
};
const consumer = await JobConsumer.open(consumerSettings(redis.url), train, quiet);
await until(() => lastOfOther > 0);
await consumer.drain();
await queue.close();
await redis.stop();

const share = 2 * few;
const ratio = lastOfOther / share;
console.log(`the other tenant's ${few} jobs had begun after ${lastOfOther} jobs of both; in turn it is ${share}`);
console.log(`delay: ${ratio.toFixed(2)} times the fair share; at most 2: ${ratio <= 2 ? 'yes' : 'NO'}`);
process.exitCode = ratio <= 2 ? 0 : 1;
