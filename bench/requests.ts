// `npm run fuzz:requests`: generated requests of two tenants over REST and gRPC, from openapi.yaml and the protos: valid ones, members
// of the wrong kind, flipped, cut and repeated bytes, names of the other tenant's things, and of what earlier requests have made. Held are: no unplanned
// 5xx, INTERNAL, UNKNOWN, UNAVAILABLE; every answer over REST is one of openapi.yaml, every message over gRPC one of its proto and every refusal a
// code of the error table; no answer tells a tenant a name of the other one that it has not sent itself, a key once more, or words of the inside; nothing
// is logged as an error; memory stays. The same seed makes the same kinds of requests.
//
//   npm run fuzz:requests -- [--requests 1000000] [--seconds 300] [--seed N] [--clients 32] [--out bench/requests.md]
import { writeFileSync } from 'node:fs';
import os from 'node:os';
import { parseArgs } from 'node:util';
import { mebibyte } from './attack/service.ts';
import { Campaign, findingKinds } from './requests/campaign.ts';
import { contract } from './requests/contract.ts';
import { grpcMethods } from './requests/grpc-requests.ts';
import { startCampaignService } from './requests/service.ts';

const { values: options } = parseArgs({
  options: {
    requests: { type: 'string' },
    seconds: { type: 'string' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 20) },
    clients: { type: 'string', default: '32' },
    out: { type: 'string' },
  },
});
const [seed, clients] = [Number(options.seed), Number(options.clients)];
const requests = options.requests === undefined ? Number.POSITIVE_INFINITY : Number(options.requests);
const seconds = Number(options.seconds ?? (options.requests === undefined ? 300 : Number.POSITIVE_INFINITY));
const { service, tenants } = await startCampaignService();

const begunAt = performance.now();
const passedSeconds = (): number => (performance.now() - begunAt) / 1000;
const { httpPort, grpcPort } = service;
let isStopped = false;
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => (isStopped = true));
const isOver = (): boolean => isStopped || passedSeconds() > seconds || service.ended() !== undefined;
const campaign = new Campaign({ httpPort, grpcPort, tenants, seed, clients, requests, isOver });

/** What the gateway's objects take, MiB: resident memory also grows with what the allocator keeps. */
async function heap(): Promise<number> {
  const answer = await fetch(`http://127.0.0.1:${service.metricsPort}/metrics`).then((response) => response.text());
  const of = (name: string): number => Number(new RegExp(`^${name}(?:{.*})? (\\S+)$`, 'm').exec(answer)?.[1]);
  return (of('hourglass_nodejs_heap_size_used_bytes') + of('hourglass_nodejs_external_memory_bytes')) / mebibyte;
}

/** Requests sent and resident memory, every five seconds. */
const memory: { readonly sent: number; readonly mebibytes: number }[] = [];
const watch = setInterval(
  () => service.ended() === undefined && memory.push({ sent: campaign.sent, mebibytes: service.rss() }),
  5000,
);
const report = setInterval(async () => {
  const found = findingKinds.map((kind) => `${campaign.counts[`finding: ${kind}`] ?? 0} ${kind}`).join(', ');
  console.log(
    `${Math.round(passedSeconds())} s: ${campaign.sent} requests; ${found}; ${memory.at(-1)?.mebibytes} MiB, heap ${(await heap().catch(() => Number.NaN)).toFixed(0)} MiB`,
  );
}, 60_000);
await campaign.run();
if (service.ended() !== undefined) {
  console.log(`${service.log().slice(-20_000)}\nTHE GATEWAY ENDED after ${campaign.sent} requests: ${service.ended()}`);
  for (const kind of findingKinds) for (const line of campaign.findings[kind]) console.log(`${kind}: ${line}\n`);
  process.exit(1);
}
clearInterval(watch);
clearInterval(report);
const took = Math.round(passedSeconds());
const alive = await fetch(`http://127.0.0.1:${service.metricsPort}/livez`).then(({ status }) => status);
/** A tenant that has deleted its own key is only refused from then on: such a run says little. */
const keysHeld = await Promise.all(
  tenants.map(async ({ authorization }) => {
    const answer = await fetch(`http://127.0.0.1:${httpPort}/v1/models`, { headers: { authorization } });
    return answer.status !== 401;
  }),
);
const errorLines = service
  .log()
  .split('\n')
  .filter((line) => /"level":"(error|fatal)"|"code":"internal"/.test(line));

/** MiB for each 100,000 requests, by least squares over the second half of the run: caches are full by then. */
function memorySlope(): number {
  const half = memory.slice(Math.floor(memory.length / 2));
  const mean = (of: (one: (typeof half)[number]) => number): number =>
    half.reduce((sum, one) => sum + of(one), 0) / half.length;
  const [x, y] = [mean((one) => one.sent), mean((one) => one.mebibytes)];
  const squares = half.reduce((sum, one) => sum + (one.sent - x) ** 2, 0);
  return (1e5 * half.reduce((sum, one) => sum + (one.sent - x) * (one.mebibytes - y), 0)) / squares;
}

const operations = Object.entries(contract.paths).flatMap(([template, all]) =>
  Object.keys(all).map((method) => `${method.toUpperCase()} ${template}`),
);
const all = [...operations, ...grpcMethods.map((method) => `${method.parent.typeName}/${method.name}`)];
const neverSucceeded = all.filter((name) => !campaign.succeeded.has(name));
const { counts, findings, sent } = campaign;
const found = Object.fromEntries(findingKinds.map((kind) => [kind, counts[`finding: ${kind}`] ?? 0]));
const sorted = Object.fromEntries(Object.entries(counts).sort(([a], [b]) => a.localeCompare(b)));
const peakMiB = service.peak();
const slope = Number(memorySlope().toFixed(2));
console.log(
  JSON.stringify(
    {
      ...{ requests: sent, seconds: took, seed, clients, ...found, errorLines: errorLines.length, alive, keysHeld },
      ...{ processorSeconds: service.processorSeconds(), peakMiB, slopeMiBPer100k: slope },
      ...{ calls: all.length, neverSucceeded, counts: sorted },
    },
    null,
    2,
  ),
);
for (const kind of findingKinds) for (const line of findings[kind]) console.log(`${kind}: ${line}\n`);
for (const line of errorLines.slice(0, 20)) console.log(`logged: ${line}`);
await service.stop();
const isClean =
  alive === 200 &&
  keysHeld.every((held) => held) &&
  errorLines.length === 0 &&
  Object.values(found).every((times) => times === 0);
if (options.out !== undefined) writeFileSync(options.out, page());
process.exitCode = isClean ? 0 : 1;

function page(): string {
  const rows = Object.entries(sorted).map(([what, times]) => `| ${what} | ${times} |`);
  const { cpus, totalmem } = os;
  return `# Generated requests of two tenants

\`npm run fuzz:requests\` on ${cpus().length} cores of ${cpus()[0]?.model}, ${Math.round(totalmem() / 1024 / mebibyte)} GiB, Node.js ${process.versions.node}, senders and service on the same machine: ${sent.toLocaleString('en')} requests
in ${took} s, seed ${seed}, ${clients} clients at once, half over REST and half over gRPC, from two tenants that know the names of each other's things.

| held | found |
| --- | ---: |
| unplanned 5xx, INTERNAL, UNKNOWN, UNAVAILABLE, or no answer | ${found.unplanned} |
| answers off the contract (openapi.yaml, protos, error table) | ${found['off the contract']} |
| names of the other tenant in an answer that were not in the request, or a key shown again | ${found.leaks} |
| stacks, paths of the machine, words of libraries in an answer | ${found.internals} |
| errors in the log | ${errorLines.length} |
| tenants whose own key was refused at the end | ${keysHeld.filter((held) => !held).length} |
| memory of the gateway over the second half, MiB for each 100,000 requests | ${slope} |
| most memory, MiB | ${peakMiB} |

Of ${all.length} operations and methods ${all.length - neverSucceeded.length} succeeded at least once; the others: ${neverSucceeded.join(', ') || 'none'}.

| answers | |
| --- | ---: |
${rows.join('\n')}
`;
}
