/**
 * Whether the time of a refusal tells anything about keys: unknown keys that share all but the last letter of their secret with a
 * real one, against the same keys where no real one is near. Welch's |t| < 4.5 is what tests for side channels ask for (TVLA; dudect).
 *
 *   npm run attack:timing -- [--samples 1000000] [--control] [--out bench/timing.md]
 *
 * A crossover: two rings with a real key each, and candidates near to either key. Near are candidates of the first key in the first ring and
 * of the second in the second, far are the same candidates in the other ring, all in random order. So both groups have the same texts and the same
 * rings, and differ in nothing but nearness. An earlier form compared two sets of texts in one ring, and saw what their letters cost
 * (t from -4.8 to 1.8): the letters of a candidate are the sender's own and tell nothing.
 * Each candidate is a fresh string made from bytes, as a header is.
 */

import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import os from 'node:os';
import { parseArgs } from 'node:util';
import { type LockedDoors, lockDoors } from '../test/access/doors.ts';
import { startRedis } from '../test/helpers/redis.ts';

const { values } = parseArgs({
  options: {
    samples: { type: 'string', default: '1000000' },
    control: { type: 'boolean', default: false },
    out: { type: 'string' },
  },
});
/** of each group */
const samples = Number(values.samples);
const roundSize = 20_000;
/** Pauses of the machine and of the garbage collector are left out, by one limit for both groups of a round. */
const keptShare = 0.95;

const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
const withChecksum = (secret: string): Buffer =>
  Buffer.from(secret + createHash('sha256').update(secret).digest('hex').slice(0, 8));

interface Ring {
  readonly doors: LockedDoors;
  readonly find: (candidate: string) => unknown;
  /** candidates that share all but the last letter with its key */
  readonly near: readonly Buffer[];
}

const servers = [await startRedis(), await startRedis()];
const rings: readonly Ring[] = await Promise.all(servers.map(({ url }) => openRing(url)));

async function openRing(redisUrl: string): Promise<Ring> {
  const doors = await lockDoors({ redisUrl });
  const { key } = await doors.make({ name: 'real' });
  const near = [...letters].map((letter) => withChecksum(key.slice(0, -9) + letter));
  const find = values.control ? byLetters(doors, key) : (candidate: string) => doors.ring.find(candidate);
  return { doors, find, near: near.filter((bytes) => !bytes.equals(Buffer.from(key))) };
}

/** With `--control`, a look-up that compares letter by letter, to see that a leak would be found. */
function byLetters({ ring }: LockedDoors, key: string) {
  return (candidate: string): unknown => {
    for (let i = 0; i < key.length && candidate.charCodeAt(i) === key.charCodeAt(i); i++);
    return ring.find(candidate);
  };
}

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
for (let round = 0; Math.min(groups.near.count, groups.far.count) < samples; round++) {
  for (let i = 0; i < roundSize; i++) {
    const asked = Math.random() < 0.5 ? 1 : 0;
    const meant = Math.random() < 0.5 ? 1 : 0;
    isNear[i] = asked === meant ? 1 : 0;
    const { find } = rings[asked] as Ring;
    const { near } = rings[meant] as Ring;
    const candidate = (near[Math.floor(Math.random() * near.length)] as Buffer).toString('latin1');
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
const isQuiet = Math.abs(t) < 4.5;
const { near: a, far: b } = groups;
console.log(
  `keys near to a real one: ${a.mean.toFixed(1)} ns over ${a.count}, others: ${b.mean.toFixed(1)} ns over ${b.count}`,
);
console.log(`Welch t = ${t.toFixed(2)}; |t| < 4.5: ${isQuiet ? 'yes' : 'NO'}`);
if (values.out !== undefined) {
  const what = values.control ? ' with a look-up that leaks on purpose (`--control`)' : '';
  writeFileSync(
    values.out,
    `# Time of the refusal of keys

\`npm run attack:timing\`${what} on ${os.cpus().length} cores of ${os.cpus()[0]?.model}, Node.js ${process.versions.node}: candidates that share all but the last letter with a real
key, against the same candidates where no real key is near.

| | look-ups | mean, ns |
| --- | ---: | ---: |
| near to a real key | ${a.count} | ${a.mean.toFixed(1)} |
| the same keys, far from any | ${b.count} | ${b.mean.toFixed(1)} |

Welch's t = ${t.toFixed(2)}; what tests for side channels ask for is |t| < 4.5.
`,
  );
}
for (const { doors } of rings) await doors.stop();
for (const server of servers) await server.stop();
process.exitCode = isQuiet ? 0 : 1;
