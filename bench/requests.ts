// `npm run fuzz:requests`: generated requests of two tenants over REST and gRPC, from the contract's own requests: members of the wrong
// kind (schema-aware), flipped, cut and repeated bytes, and names of the other tenant's things. Held are: no unplanned 5xx, INTERNAL or
// UNKNOWN; every answer over REST is one of openapi.yaml, every refusal over gRPC has a code of the error table; no answer tells
// a tenant a name of the other one that it has not sent itself; memory stays. With the same seed the same requests are made.
//
//   npm run fuzz:requests -- [--requests 1000000 | --seconds 300] [--seed N] [--clients 8] [--out bench/requests.md]
import { writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import os from 'node:os';
import { parseArgs } from 'node:util';
import { fromBinary } from '@bufbuild/protobuf';
import { anyUnpack } from '@bufbuild/protobuf/wkt';
import fc from 'fast-check';
import { newKey } from '../src/access/api-key.ts';
import { errorTable } from '../src/base/errors.ts';
import { ErrorInfoSchema } from '../src/gen/google/rpc/error_details_pb.ts';
import { StatusSchema } from '../src/gen/google/rpc/status_pb.ts';
import { startService } from './attack/service.ts';
import { call, framed, openSession } from './attack/wire.ts';
import { flawOf, type RestAnswer } from './requests/contract.ts';
import { damaged, type GrpcRequest, grpcRequests, type RestRequest, restRequests } from './requests/generate.ts';
import { type CampaignTenant, openTenant, uniqueName } from './requests/tenants.ts';

const { values: options } = parseArgs({
  options: {
    requests: { type: 'string' },
    seconds: { type: 'string', default: '300' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    clients: { type: 'string', default: '8' },
    out: { type: 'string' },
  },
});
const [seed, clients] = [Number(options.seed), Number(options.clients)];
const most = options.requests === undefined ? Number.POSITIVE_INFINITY : Number(options.requests);
const adminKey = newKey();
const models = { acme: uniqueName('model'), globex: uniqueName('model') };
const service = await startService(
  { HOURGLASS_AUTH: 'keys', HOURGLASS_ADMIN_KEY: adminKey, HOURGLASS_TENANT_QUEUED_JOBS: '200' },
  Object.entries(models).map(([tenant, name]) => ({ tenant, name })),
);
const url = `http://127.0.0.1:${service.httpPort}`;
const acme = await openTenant(url, adminKey, 'acme', models.acme);
const globex = await openTenant(url, adminKey, 'globex', models.globex);

const begunAt = performance.now();
const endAt = options.requests === undefined ? begunAt + Number(options.seconds) * 1000 : Number.POSITIVE_INFINITY;
const counts: Record<string, number> = {};
const findings: Record<'unplanned' | 'off the contract' | 'leaks', string[]> = {
  unplanned: [],
  'off the contract': [],
  leaks: [],
};
let sent = 0;
const isOver = (): boolean => sent >= most || performance.now() > endAt;
const count = (what: string): void => {
  counts[what] = (counts[what] ?? 0) + 1;
};
const note = (kind: keyof typeof findings, what: string): void => {
  count(`finding: ${kind}`);
  if (findings[kind].length < 50) findings[kind].push(what.slice(0, 600));
};

/** Names of the other tenant's things that an answer tells and its request did not. */
const otherOf = (tenant: CampaignTenant): CampaignTenant => (tenant === acme ? globex : acme);
function findLeak(tenant: CampaignTenant, request: Buffer, answer: string): void {
  const asked = request.toString('latin1');
  const { name, things } = otherOf(tenant);
  for (const secret of [name, ...(Object.values(things) as string[])]) {
    if (answer.includes(secret) && !asked.includes(secret))
      note('leaks', `${secret} to ${tenant.name}: ${asked.slice(0, 200)} → ${answer}`);
  }
}

function talk(bytes: Buffer): Promise<Buffer> {
  return new Promise((resolve) => {
    const socket: Socket = connect(service.httpPort, '127.0.0.1');
    const received: Buffer[] = [];
    socket.setTimeout(3000, () => socket.destroy());
    socket.on('data', (chunk) => received.push(chunk));
    socket.on('error', () => {}).on('close', () => resolve(Buffer.concat(received)));
    socket.write(bytes);
  });
}

/** The first answer on a connection; its chunks are put together. */
function parseAnswer(bytes: Buffer): RestAnswer | undefined {
  const end = bytes.indexOf('\r\n\r\n');
  const [first = '', ...lines] = bytes.subarray(0, Math.max(0, end)).toString('latin1').split('\r\n');
  const status = Number(/^HTTP\/1\.1 (\d+)/.exec(first)?.[1] ?? 0);
  if (status === 0) return undefined;
  const headers = Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
  );
  let rest = bytes.subarray(end + 4);
  if (headers['transfer-encoding'] !== 'chunked') {
    const length = headers['content-length'];
    return { status, headers, body: length === undefined ? rest : rest.subarray(0, Number(length)) };
  }
  const pieces: Buffer[] = [];
  for (;;) {
    const line = rest.indexOf('\r\n');
    const size = Number.parseInt(rest.subarray(0, Math.max(0, line)).toString(), 16);
    if (!(size > 0)) return { status, headers, body: Buffer.concat(pieces) };
    pieces.push(rest.subarray(line + 2, line + 2 + size));
    rest = rest.subarray(line + 2 + size + 2);
  }
}

async function rest(tenant: CampaignTenant, { method, path, headers, body, damage }: RestRequest): Promise<void> {
  const lines = {
    host: `127.0.0.1:${service.httpPort}`,
    connection: 'close',
    authorization: tenant.authorization,
    ...headers,
  };
  const head = Object.entries({ ...lines, 'content-length': String(body.length) }).map(
    ([name, value]) => `${name}: ${value}\r\n`,
  );
  const whole = Buffer.concat([Buffer.from(`${method} ${path} HTTP/1.1\r\n${head.join('')}\r\n`, 'latin1'), body]);
  const bytes = damaged(whole, damage);
  const received = await talk(bytes);
  findLeak(tenant, bytes, received.toString('latin1'));
  const answer = parseAnswer(received);
  count(`REST ${answer?.status ?? 'no answer'}`);
  // Events have no end of their own, and a damaged head may be a request that never ends.
  if (!answer) return void (damage.length === 0 && note('unplanned', `REST no answer: ${bytes.toString('latin1')}`));
  // 503 and 507 are planned for outages, of which there are none here.
  if (answer.status >= 500 && answer.status !== 504)
    note('unplanned', `REST ${answer.status}: ${bytes.toString('latin1')} → ${answer.body}`);
  if (damage.length > 0) return;
  const flaw = flawOf(method, path, answer);
  if (flaw !== undefined)
    note('off the contract', `${method} ${path}: ${flaw}; ${body.subarray(0, 200)} → ${answer.body.subarray(0, 300)}`);
}

const sessions = new Map<CampaignTenant, Awaited<ReturnType<typeof openSession>>>();
async function grpc(tenant: CampaignTenant, { method, message, wholeFrame }: GrpcRequest): Promise<void> {
  let session = sessions.get(tenant);
  if (!session || session.destroyed || session.closed) {
    session = await openSession(service.grpcPort);
    sessions.set(tenant, session);
  }
  const path = `${method.parent.typeName}/${method.name}`;
  const stream = call(session, path, { 'grpc-timeout': '2S', authorization: tenant.authorization });
  if (!stream) return;
  const heard: Buffer[] = [];
  const trailers = await new Promise<Record<string, unknown> | undefined>((resolve) => {
    const take = (fields: Record<string, unknown>): void => {
      if (fields['grpc-status'] !== undefined) resolve(fields);
    };
    stream
      .on('response', take)
      .on('trailers', take)
      .on('close', () => resolve(undefined));
    stream.on('data', (chunk: Buffer) => heard.push(chunk));
    stream.end(wholeFrame ? framed(message) : message);
  });
  const status = trailers === undefined ? -1 : Number(trailers['grpc-status']);
  count(`gRPC ${status === -1 ? 'no status' : status}`);
  const details = Buffer.from(String(trailers?.['grpc-status-details-bin'] ?? ''), 'base64');
  findLeak(
    tenant,
    message,
    Buffer.concat([...heard, details]).toString('latin1') + decodeURI(String(trailers?.['grpc-message'] ?? '')),
  );
  const shown = `gRPC ${status} ${path}: ${message.toString('hex')}`;
  // 2 UNKNOWN, 13 INTERNAL, 15 DATA_LOSS
  if ([2, 13, 15].includes(status)) note('unplanned', shown);
  // 1 CANCELLED and 4 DEADLINE_EXCEEDED may be the library's own words.
  if (status <= 0 || [1, 4].includes(status)) return;
  const reasons = fromBinary(StatusSchema, details).details.map((detail) => anyUnpack(detail, ErrorInfoSchema)?.reason);
  if (!reasons.some((reason) => reason !== undefined && reason in errorTable))
    note('off the contract', `${shown}: no code of the error table`);
}

async function client<T>(
  arbitrary: fc.Arbitrary<T>,
  clientSeed: number,
  send: (value: T) => Promise<void>,
): Promise<void> {
  for (let batch = 0; !isOver(); batch++) {
    for (const value of fc.sample(arbitrary, { numRuns: 200, seed: clientSeed + batch * 1000 })) {
      if (isOver()) return;
      sent++;
      await send(value);
    }
  }
}

/** Requests sent and resident memory, every five seconds. */
const memory: { readonly sent: number; readonly mebibytes: number }[] = [];
const watch = setInterval(() => memory.push({ sent, mebibytes: service.rss() }), 5000);

await Promise.all(
  Array.from({ length: clients }, (_, i) => {
    const tenant = i % 4 < 2 ? acme : globex;
    const [own, other] = [tenant.things, otherOf(tenant).things];
    return i % 2 === 0
      ? client(restRequests(own, other), seed + i, (request) => rest(tenant, request))
      : client(grpcRequests(own, other), seed + i, (request) => grpc(tenant, request));
  }),
);
clearInterval(watch);
const seconds = (performance.now() - begunAt) / 1000;
const alive = await fetch(`http://127.0.0.1:${service.metricsPort}/livez`).then(({ status }) => status);
for (const session of sessions.values()) session.destroy();

/** MiB for each 100,000 requests, by least squares over the second half of the run: caches are full by then. */
function memorySlope(): number {
  const half = memory.slice(Math.floor(memory.length / 2));
  const mean = (of: (one: (typeof half)[number]) => number): number =>
    half.reduce((sum, one) => sum + of(one), 0) / half.length;
  const [x, y] = [mean((one) => one.sent), mean((one) => one.mebibytes)];
  const squares = half.reduce((sum, one) => sum + (one.sent - x) ** 2, 0);
  return (1e5 * half.reduce((sum, one) => sum + (one.sent - x) * (one.mebibytes - y), 0)) / squares;
}

const found = Object.fromEntries(
  Object.entries(findings).map(([kind, list]) => [kind, counts[`finding: ${kind}`] ?? list.length]),
);
const sorted = Object.fromEntries(Object.entries(counts).sort(([a], [b]) => a.localeCompare(b)));
const result = {
  requests: sent,
  seconds: Math.round(seconds),
  seed,
  clients,
  ...found,
  alive,
  peakMiB: service.peak(),
  slopeMiBPer100k: Number(memorySlope().toFixed(2)),
};
console.log(JSON.stringify({ ...result, counts: sorted }, null, 2));
for (const [kind, list] of Object.entries(findings))
  for (const line of new Set(list.slice(0, 10))) console.log(`${kind}: ${line}`);
await service.stop();
const isClean = alive === 200 && Object.values(findings).every((list) => list.length === 0);
if (options.out !== undefined) writeFileSync(options.out, page());
process.exitCode = isClean ? 0 : 1;

function page(): string {
  const rows = Object.entries(sorted).map(([what, times]) => `| ${what} | ${times} |`);
  return `# Generated requests of two tenants

\`npm run fuzz:requests\` on ${os.cpus().length} cores of ${os.cpus()[0]?.model}, Node.js ${process.versions.node}, senders and service on the same machine: ${sent.toLocaleString('en')} requests in ${Math.round(seconds)} s, seed ${seed}.
Half of them over REST, half over gRPC, from two tenants that know the names of each other's things.

| held | found |
| --- | ---: |
| unplanned 5xx, INTERNAL, UNKNOWN, or no answer | ${found.unplanned} |
| answers off the contract | ${found['off the contract']} |
| names of the other tenant in an answer, that were not in the request | ${found.leaks} |
| memory of the gateway over the second half, MiB for each 100,000 requests | ${result.slopeMiBPer100k} |
| most memory, MiB | ${result.peakMiB} |

| answers | |
| --- | ---: |
${rows.join('\n')}
`;
}
