// `npm run fuzz:requests`: mutated requests over REST and gRPC for a while, from the contract's own requests: members of the
// wrong kind (schema-aware), and flipped, cut and repeated bytes. Every answer must be a planned one: no 500, no INTERNAL or
// UNKNOWN, and the service goes on. Prints counts and the seed; with the seed and the same order a run can be repeated.
//
//   npm run fuzz:requests -- [--seconds 300] [--seed N] [--clients 8]
import { connect, type Socket } from 'node:net';
import { parseArgs } from 'node:util';
import {
  create,
  type DescField,
  type DescMessage,
  type DescMethod,
  type MessageInitShape,
  toBinary,
} from '@bufbuild/protobuf';
import fc from 'fast-check';
import { DatasetService } from '../src/gen/hourglass/v1/dataset_pb.ts';
import { InferenceService } from '../src/gen/hourglass/v1/inference_pb.ts';
import { RegistryService } from '../src/gen/hourglass/v1/registry_pb.ts';
import { SweepService } from '../src/gen/hourglass/v1/sweep_pb.ts';
import { TrainingService } from '../src/gen/hourglass/v1/training_pb.ts';
import { startService } from './attack/service.ts';
import { call, framed, openSession } from './attack/wire.ts';

const { values: options } = parseArgs({
  options: {
    seconds: { type: 'string', default: '300' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    clients: { type: 'string', default: '8' },
  },
});
const [seconds, seed, clients] = [Number(options.seconds), Number(options.seed), Number(options.clients)];

const service = await startService();
const endAt = performance.now() + seconds * 1000;
const counts: Record<string, number> = {};
const unplanned: string[] = [];
const count = (what: string): void => {
  counts[what] = (counts[what] ?? 0) + 1;
};

/** JSON that is nearly what a route wants. */
const inputs = fc.oneof(
  fc.constant([Array(784).fill(0.5)]),
  fc.array(fc.array(fc.oneof(fc.double(), fc.integer(), fc.constant(null), fc.string()), { maxLength: 5 }), {
    maxLength: 5,
  }),
  fc.jsonValue(),
);
const model = fc.oneof(fc.constantFrom('digits', 'digits@1', 'digits:stable', 'none', '', '__proto__'), fc.jsonValue());
const member = fc.oneof(fc.jsonValue(), fc.integer(), fc.constantFrom('dense', 'mnist', 'constructor', '__proto__'));
const jobs = fc.record(
  {
    name: fc.oneof(fc.constant('fuzz'), member),
    dataset: fc.oneof(fc.constant('none'), member),
    model: fc.oneof(
      fc.record({ type: fc.oneof(fc.constantFrom('dense', 'variational', 'rbm'), member), code: member }),
      member,
    ),
    training: fc.oneof(fc.record({ epochs: member, batchSize: member, optimizer: member, schedule: member }), member),
    priority: member,
  },
  { requiredKeys: [] },
);
const bodies = fc.oneof(
  fc.record({ inputs, model }, { requiredKeys: [] }),
  fc.record({ codes: inputs, model }, { requiredKeys: [] }),
  jobs,
  fc.record(
    {
      job: jobs,
      search: fc.oneof(
        fc.record({
          type: fc.constantFrom('grid', 'random', 'constructor'),
          parameters: fc.dictionary(fc.constantFrom('/model/code', '/x', ''), member),
        }),
        member,
      ),
    },
    { requiredKeys: [] },
  ),
  fc.record({ version: member }),
  fc.jsonValue(),
);
const paths = fc.constantFrom(
  ...['/encode', '/decode', '/denoise', '/reconstruct', '/classify', '/generate', '/v1/models/digits/encode'],
  ...['/v1/jobs', '/v1/sweeps', '/v1/datasets?name=fuzz', '/v1/models', '/v1/models/digits/versions/1'],
  ...[
    '/v1/models/digits/aliases/fuzz',
    '/v1/models/digits/bundle?weights=int8',
    '/v1/jobs/x/events',
    '/v1/info',
    '/livez',
  ],
);
const types = fc.constantFrom(
  'application/json',
  'application/octet-stream',
  'image/png',
  'text/csv',
  'multipart/form-data; boundary=x',
  'x/y',
);

/** Flips, cuts or repeats some of the bytes. */
const mutated = (bytes: fc.Arbitrary<Buffer>): fc.Arbitrary<Buffer> =>
  fc
    .tuple(
      bytes,
      fc.array(fc.record({ kind: fc.constantFrom('flip', 'cut', 'repeat'), at: fc.nat(2 ** 20), value: fc.nat(255) }), {
        maxLength: 4,
      }),
    )
    .map(([original, changes]) =>
      changes.reduce((now, { kind, at, value }) => {
        if (now.length === 0) return now;
        const place = at % now.length;
        if (kind === 'cut') return now.subarray(0, place);
        if (kind === 'repeat') return Buffer.concat([now, now.subarray(place, place + value)]);
        const copy = Buffer.from(now);
        copy[place] = value;
        return copy;
      }, original),
    );

const requests = fc
  .record({
    method: fc.constantFrom('GET', 'POST', 'POST', 'POST', 'PUT', 'DELETE', 'HEAD', 'PATCH'),
    path: fc.oneof(paths, fc.webPath()),
    type: types,
    accept: fc.constantFrom('*/*', 'application/json', 'image/png', 'application/octet-stream', 'x'),
    body: mutated(bodies.map((value) => Buffer.from(JSON.stringify(value) ?? ''))),
  })
  .map(({ method, path, type, accept, body }) =>
    Buffer.concat([
      Buffer.from(
        `${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1:${service.httpPort}\r\nConnection: close\r\nContent-Type: ${type}\r\nAccept: ${accept}\r\nContent-Length: ${body.length}\r\n\r\n`,
      ),
      body,
    ]),
  );
/** A few with mutated heads, too. */
const wire = fc.oneof({ arbitrary: requests, weight: 4 }, { arbitrary: mutated(requests), weight: 1 });

function talk(bytes: Buffer): Promise<string> {
  return new Promise((resolve) => {
    const socket: Socket = connect(service.httpPort, '127.0.0.1');
    let received = '';
    socket.setTimeout(3000, () => socket.destroy());
    socket.on('data', (chunk) => (received += chunk.toString('latin1')));
    socket.on('error', () => {}).on('close', () => resolve(received));
    socket.write(bytes);
  });
}

/** 503 and 507 are what the table plans for outages, which there are none of here. */
async function rest(bytes: Buffer): Promise<void> {
  const answer = await talk(bytes);
  const status = Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1] ?? 0);
  count(`REST ${status === 0 ? 'no answer' : status}`);
  if (status >= 500 && status !== 504) unplanned.push(`REST ${status}: ${bytes.toString('latin1').slice(0, 300)}`);
}

const services = [InferenceService, TrainingService, SweepService, RegistryService, DatasetService];
const methods: readonly DescMethod[] = services.flatMap((described) => [...described.methods]);

const scalar = (field: DescField): fc.Arbitrary<unknown> => {
  switch (field.fieldKind) {
    case 'message':
      return messageOf(field.message, 2);
    case 'enum':
      return fc.integer({ min: -1, max: 10 });
    case 'scalar':
      switch (field.scalar) {
        case 9:
          return fc.constantFrom('', 'digits', 'fuzz', '\u0000', 'x'.repeat(1000));
        case 8:
          return fc.boolean();
        case 12:
          return fc.uint8Array({ maxLength: 64 });
        case 1:
        case 2:
          return fc.float();
        case 3:
        case 4:
        case 6:
        case 16:
        case 18:
          return fc.bigInt({ min: 0n, max: 2n ** 40n });
        default:
          return fc.integer({ min: 0, max: 2 ** 31 - 1 });
      }
    case 'list':
      return fc.constant([]);
    case 'map':
      return fc.constant({});
    default:
      return field satisfies never;
  }
};

/** Some of the members of a message, with values of their kind. */
function messageOf(schema: DescMessage, depth: number): fc.Arbitrary<unknown> {
  if (depth === 0) return fc.constant({});
  const members = Object.fromEntries(
    schema.fields
      .filter(({ oneof }) => oneof === undefined)
      .map((field) => [
        field.localName,
        field.fieldKind === 'message' ? messageOf(field.message, depth - 1) : scalar(field),
      ]),
  );
  return fc.record(members, { requiredKeys: [] });
}

const grpcCalls = fc.constantFrom(...methods).chain((method) =>
  fc.record({
    method: fc.constant(method),
    message: mutated(
      messageOf(method.input, 3).map((init) => {
        try {
          return Buffer.from(toBinary(method.input, create(method.input, init as MessageInitShape<DescMessage>)));
        } catch {
          return Buffer.alloc(0);
        }
      }),
    ),
    wholeFrame: fc.boolean(),
  }),
);

let session = await openSession(service.grpcPort);
async function grpc({
  method,
  message,
  wholeFrame,
}: {
  method: DescMethod;
  message: Buffer;
  wholeFrame: boolean;
}): Promise<void> {
  if (session.destroyed || session.closed) session = await openSession(service.grpcPort);
  const path = `${method.parent.typeName}/${method.name}`;
  const stream = call(session, path, { 'grpc-timeout': '2S' });
  if (!stream) return;
  const status = await new Promise<number>((resolve) => {
    const take = (fields: Record<string, unknown>): void => {
      if (fields['grpc-status'] !== undefined) resolve(Number(fields['grpc-status']));
    };
    stream
      .on('response', take)
      .on('trailers', take)
      .on('close', () => resolve(-1))
      .resume();
    stream.end(wholeFrame ? framed(message) : message);
  });
  count(`gRPC ${status === -1 ? 'no status' : status}`);
  // 2 UNKNOWN, 13 INTERNAL, 15 DATA_LOSS
  if ([2, 13, 15].includes(status)) unplanned.push(`gRPC ${status} ${path}: ${message.toString('hex').slice(0, 300)}`);
}

async function client<T>(
  arbitrary: fc.Arbitrary<T>,
  clientSeed: number,
  send: (value: T) => Promise<void>,
): Promise<void> {
  for (let batch = 0; performance.now() < endAt; batch++) {
    for (const value of fc.sample(arbitrary, { numRuns: 200, seed: clientSeed + batch * 1000 })) {
      if (performance.now() > endAt) return;
      await send(value);
    }
  }
}

await Promise.all(
  Array.from({ length: clients }, (_, i) =>
    i % 2 === 0 ? client(wire, seed + i, rest) : client(grpcCalls, seed + i, grpc),
  ),
);
const alive = await fetch(`http://127.0.0.1:${service.metricsPort}/livez`).then(({ status }) => status);
session.destroy();
console.log(
  JSON.stringify({ seconds, seed, counts, alive, peakMiB: service.peak(), unplanned: unplanned.length }, null, 2),
);
for (const line of new Set(unplanned.slice(0, 20))) console.log(line);
await service.stop();
process.exitCode = unplanned.length === 0 && alive === 200 ? 0 : 1;
