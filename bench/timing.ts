/**
 * Whether the time of a refusal tells anything about keys: unknown keys that share all but the last letter of their secret with a
 * real one, against unknown keys that share as much with each other but nothing with a real one, in random order. Welch's |t| < 4.5 is what tests for side channels ask
 * for (TVLA; dudect).
 *
 *   npm run attack:timing -- [--samples 1000000]
 *
 * Each candidate is a fresh string made from bytes, as a header is: strings that are made once and tried often lie at other places
 * of the memory for one group than for the other, which is all that a first version of this measured (t = -50). Both groups differ in their
 * last letter alone: against keys that share nothing with each other either, 20 of 4,200 ns were seen (t = -13), perhaps because a processor
 * foretells the letters of a text that it has often read.
 */

import { createHash } from 'node:crypto';
import { parseArgs } from 'node:util';
import { newKey } from '../src/access/api-key.ts';
import { lockDoors } from '../test/access/doors.ts';
import { startRedis } from '../test/helpers/redis.ts';

const { values } = parseArgs({
  options: { samples: { type: 'string', default: '1000000' }, control: { type: 'boolean', default: false } },
});
/** of each group */
const samples = Number(values.samples);
const roundSize = 20_000;
/** Pauses of the machine and of the garbage collector are left out, by one limit for both groups of a round. */
const keptShare = 0.95;

const redis = await startRedis();
const doors = await lockDoors({ redisUrl: redis.url });
const { key } = await doors.make({ name: 'real' });

const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
const withChecksum = (secret: string): Buffer =>
  Buffer.from(secret + createHash('sha256').update(secret).digest('hex').slice(0, 8));
const real = Buffer.from(key);
const near = [...letters]
  .map((letter) => withChecksum(key.slice(0, -9) + letter))
  .filter((bytes) => !bytes.equals(real));
const nobodys = newKey();
const far = [...letters].slice(0, near.length).map((letter) => withChecksum(nobodys.slice(0, -9) + letter));

/** Welford's running mean and variance. */
class Sample {
  count = 0;
  mean = 0;
  #squares = 0;

  add(value: number): void {
    this.count++;
    const delta = value - this.mean;
    this.mean += delta / this.count;
    this.#squares += delta * (value - this.mean);
  }

  get varianceOfMean(): number {
    return this.#squares / (this.count - 1) / this.count;
  }
}

const groups = { near: new Sample(), far: new Sample() };
const welch = (): number => {
  const { near: a, far: b } = groups;
  return (a.mean - b.mean) / Math.sqrt(a.varianceOfMean + b.varianceOfMean);
};

const times = new Float64Array(roundSize);
const isNear = new Uint8Array(roundSize);
/** With `--control`, a look-up that compares letter by letter, to see that a leak would be found. */
const find = values.control ? letterByLetter : (candidate: string) => doors.ring.find(candidate);

function letterByLetter(candidate: string): undefined {
  for (let i = 0; i < key.length && candidate.charCodeAt(i) === key.charCodeAt(i); i++);
  void doors.ring.find(candidate);
  return undefined;
}

for (let round = 0; Math.min(groups.near.count, groups.far.count) < samples; round++) {
  for (let i = 0; i < roundSize; i++) {
    isNear[i] = Math.random() < 0.5 ? 1 : 0;
    const from = isNear[i] ? near : far;
    const candidate = (from[Math.floor(Math.random() * from.length)] as Buffer).toString('latin1');
    const start = process.hrtime.bigint();
    // A promise where the ring asks Redis whether the key is new, which it does for both groups alike.
    const found = find(candidate);
    times[i] = Number(process.hrtime.bigint() - start);
    if (found instanceof Promise) await found;
  }
  // The compiler is not done with the first rounds.
  if (round < 3) continue;
  const limit = times.toSorted()[Math.floor(roundSize * keptShare)] as number;
  for (let i = 0; i < roundSize; i++) {
    if ((times[i] as number) <= limit) (isNear[i] ? groups.near : groups.far).add(times[i] as number);
  }
}

const t = welch();
const { near: a, far: b } = groups;
console.log(
  `keys near to a real one: ${a.mean.toFixed(1)} ns over ${a.count}, others: ${b.mean.toFixed(1)} ns over ${b.count}`,
);
console.log(`Welch t = ${t.toFixed(2)}; |t| < 4.5: ${Math.abs(t) < 4.5 ? 'yes' : 'NO'}`);
await doors.stop();
await redis.stop();
process.exitCode = Math.abs(t) < 4.5 ? 0 : 1;
