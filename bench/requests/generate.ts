// What the campaign of requests sends: members of the wrong kind (schema-aware), and flipped, cut and repeated bytes, of requests that
// name things of the sender's tenant, of the other one, and of nobody.
import {
  create,
  type DescField,
  type DescMessage,
  type DescMethod,
  type MessageInitShape,
  toBinary,
} from '@bufbuild/protobuf';
import fc from 'fast-check';
import { AccessService } from '../../src/gen/hourglass/v1/access_pb.ts';
import { DatasetService } from '../../src/gen/hourglass/v1/dataset_pb.ts';
import { InferenceService } from '../../src/gen/hourglass/v1/inference_pb.ts';
import { RegistryService } from '../../src/gen/hourglass/v1/registry_pb.ts';
import { SweepService } from '../../src/gen/hourglass/v1/sweep_pb.ts';
import { TrainingService } from '../../src/gen/hourglass/v1/training_pb.ts';
import { GRPCInferenceService } from '../../src/gen/inference/grpc_predict_v2_pb.ts';
import type { Things } from './tenants.ts';

export interface RestRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** the request line or a header is damaged too: what comes back may be of another request */
  readonly damage: readonly Damage[];
}

export interface GrpcRequest {
  readonly method: DescMethod;
  readonly message: Buffer;
  readonly wholeFrame: boolean;
}

interface Damage {
  readonly kind: 'flip' | 'cut' | 'repeat';
  readonly at: number;
  readonly value: number;
}

const damage: fc.Arbitrary<Damage> = fc.record({
  kind: fc.constantFrom('flip', 'cut', 'repeat'),
  at: fc.nat(2 ** 20),
  value: fc.nat(255),
});

export const damaged = (original: Buffer, changes: readonly Damage[]): Buffer =>
  changes.reduce((now, { kind, at, value }) => {
    if (now.length === 0) return now;
    const place = at % now.length;
    if (kind === 'cut') return now.subarray(0, place);
    if (kind === 'repeat') return Buffer.concat([now, now.subarray(place, place + value)]);
    const copy = Buffer.from(now);
    copy[place] = value;
    return copy;
  }, original);

/** Half of them as they are. */
const mutated = (bytes: fc.Arbitrary<Buffer>): fc.Arbitrary<Buffer> =>
  fc
    .tuple(bytes, fc.oneof(fc.constant([]), fc.array(damage, { maxLength: 4 })))
    .map(([original, changes]) => damaged(original, changes));

const rows = fc.oneof(
  fc.constant([Array(4).fill(0.5)]),
  fc.array(fc.array(fc.oneof(fc.double(), fc.integer(), fc.constant(null), fc.string()), { maxLength: 5 }), {
    maxLength: 5,
  }),
  fc.jsonValue(),
);
const member = fc.oneof(fc.jsonValue(), fc.integer(), fc.constantFrom('dense', 'mnist', 'constructor', '__proto__'));

function bodiesOf(things: readonly Things[]): fc.Arbitrary<unknown> {
  const model = fc.oneof(
    fc.constantFrom(
      ...things.flatMap(({ model: name }) => [name, `${name}@1`, `${name}:stable`]),
      'none',
      '',
      '__proto__',
    ),
    fc.jsonValue(),
  );
  const job = fc.record(
    {
      name: fc.oneof(fc.constantFrom('fuzz', ...things.map((of) => of.model)), member),
      dataset: fc.oneof(fc.constantFrom('none', ...things.map((of) => of.dataset)), member),
      model: fc.oneof(
        fc.constant({ type: 'dense', code: 1 }),
        fc.record({ type: fc.oneof(fc.constantFrom('dense', 'variational', 'rbm'), member), code: member }),
        member,
      ),
      training: fc.oneof(fc.record({ epochs: member, batchSize: member, optimizer: member, schedule: member }), member),
      priority: member,
    },
    { requiredKeys: [] },
  );
  const parameters = fc.dictionary(
    fc.constantFrom('/model/code', '/training/seed', '/x', ''),
    fc.oneof(fc.constant([1, 2]), member),
  );
  const search = fc.oneof(fc.record({ type: fc.constantFrom('grid', 'random', 'constructor'), parameters }), member);
  const input = fc.record({
    name: fc.constantFrom('inputs', 'codes'),
    datatype: fc.constantFrom('FP32', 'BYTES'),
    shape: member,
    data: rows,
  });
  return fc.oneof(
    fc.record({ inputs: rows, model }, { requiredKeys: [] }),
    fc.record({ codes: rows, model }, { requiredKeys: [] }),
    fc.record({ inputs: fc.array(input, { maxLength: 2 }) }),
    fc.record({ instances: rows, inputs: rows, signature_name: member }, { requiredKeys: [] }),
    job,
    fc.record({ job, search }, { requiredKeys: [] }),
    fc.record(
      { name: fc.oneof(fc.constant('fuzz'), member), scopes: fc.oneof(fc.constant(['infer']), member), tenant: member },
      { requiredKeys: [] },
    ),
    fc.record({ version: fc.oneof(fc.constant(1), member) }),
    fc.record({ count: member, seed: member, ratings: member, texts: member }, { requiredKeys: [] }),
    fc.jsonValue(),
  );
}

const operations = ['encode', 'decode', 'denoise', 'reconstruct', 'classify', 'generate', 'recommend', 'analyse'];
const pathsOf = ({ model, dataset, job, sweep, key }: Things): string[] => [
  ...operations.map((operation) => `/v1/models/${model}/${operation}`),
  ...[`/v1/models/${model}`, `/v1/models/${model}/versions/1`, `/v1/models/${model}/versions/1/files/report.json`],
  ...[`/v1/models/${model}/aliases/fuzz`, `/v1/models/${model}/bundle?weights=int8`, `/v1/models/${model}/metadata`],
  ...[`/v1/models/${model}:predict`, `/v2/models/${model}/infer`, `/v2/models/${model}`, `/v2/models/${model}/stats`],
  ...[`/v1/jobs/${job}`, `/v1/jobs/${job}/cancel`, `/v1/jobs/${job}/samples`, `/v1/jobs/${job}/retry`],
  ...[`/v1/sweeps/${sweep}`, `/v1/sweeps/${sweep}/cancel`],
  ...[`/v1/datasets/${dataset}`, `/v1/datasets/${dataset}/rows`, `/v1/keys/${key}`],
];
const commonPaths = [
  ...[
    '/encode',
    '/decode',
    '/denoise',
    '/reconstruct',
    '/classify',
    '/v1/info',
    '/livez',
    '/v1/audit',
    '/v1/audit?limit=5',
  ],
  ...[
    '/v1/jobs',
    '/v1/jobs?validate=only',
    '/v1/jobs?search=a&limit=3',
    '/v1/sweeps',
    '/v1/keys',
    '/v1/queues',
    '/v1/workers',
  ],
  ...[
    '/v1/datasets',
    '/v1/datasets?name=fuzz',
    '/v1/models',
    '/v2',
    '/v2/models',
    '/v2/models/stats',
    '/v2/repository/index',
  ],
];

const types = fc.constantFrom(
  ...['application/json', 'application/json', 'application/json', 'application/octet-stream', 'image/png', 'text/csv'],
  ...['application/vnd.hourglass.frame', 'multipart/form-data; boundary=x', 'x/y'],
);

/** `own` and `other`: things of the sender's tenant and of the other one. Deletions of what the campaign needs are left out. */
export function restRequests(own: Things, other: Things): fc.Arbitrary<RestRequest> {
  const path = fc.oneof(
    { arbitrary: fc.constantFrom(...pathsOf(own)), weight: 4 },
    { arbitrary: fc.constantFrom(...pathsOf(other)), weight: 4 },
    { arbitrary: fc.constantFrom(...commonPaths), weight: 4 },
    { arbitrary: fc.webPath(), weight: 1 },
  );
  return fc
    .record({
      method: fc.constantFrom('GET', 'GET', 'POST', 'POST', 'POST', 'POST', 'PUT', 'DELETE', 'HEAD', 'PATCH'),
      path,
      type: types,
      accept: fc.constantFrom('*/*', '*/*', 'application/json', 'image/png', 'application/octet-stream', 'x'),
      body: mutated(bodiesOf([own, other]).map((value) => Buffer.from(JSON.stringify(value) ?? ''))),
      damage: fc.oneof(
        { arbitrary: fc.constant([]), weight: 4 },
        { arbitrary: fc.array(damage, { minLength: 1, maxLength: 3 }), weight: 1 },
      ),
    })
    .filter(({ method, path: target }) => !isNeeded(method, target, own))
    .map(({ method, path: target, type, accept, ...rest }) => ({
      ...{ method, path: target, ...rest },
      headers: { 'content-type': type, accept },
    }));
}

/** Whether this would take away what later requests ask for. */
const isNeeded = (method: string, path: string, { model, dataset, key }: Things): boolean =>
  method === 'DELETE' &&
  [`/v1/models/${model}`, `/v1/models/${model}/versions/1`, `/v1/datasets/${dataset}`, `/v1/keys/${key}`].includes(
    path,
  );

export const services = [
  ...[InferenceService, TrainingService, SweepService, RegistryService, DatasetService, AccessService],
  GRPCInferenceService,
];
const { method: registry } = RegistryService;
/** They would take away what later calls ask for. */
const leftOut: readonly DescMethod[] = [
  ...[registry.deleteModel, registry.deleteVersion, DatasetService.method.deleteDataset],
  ...[AccessService.method.revokeKey, AccessService.method.rotateKey],
];
const methods: readonly DescMethod[] = services
  .flatMap((described) => [...described.methods])
  .filter((method) => !leftOut.includes(method));

function scalar(field: DescField, names: readonly string[]): fc.Arbitrary<unknown> {
  switch (field.fieldKind) {
    case 'message':
      return messageOf(field.message, 2, names);
    case 'enum':
      return fc.integer({ min: -1, max: 10 });
    case 'scalar':
      switch (field.scalar) {
        case 9:
          return fc.constantFrom('', 'fuzz', '\u0000', 'x'.repeat(1000), ...names);
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
          return fc.oneof(fc.constantFrom(0, 1), fc.integer({ min: 0, max: 2 ** 31 - 1 }));
      }
    case 'list':
      return fc.constant([]);
    case 'map':
      return fc.constant({});
    default:
      return field satisfies never;
  }
}

/** Some of the members of a message, with values of their kind. */
function messageOf(schema: DescMessage, depth: number, names: readonly string[]): fc.Arbitrary<unknown> {
  if (depth === 0) return fc.constant({});
  const members = Object.fromEntries(
    schema.fields
      .filter(({ oneof }) => oneof === undefined)
      .map((field) => [
        field.localName,
        field.fieldKind === 'message' ? messageOf(field.message, depth - 1, names) : scalar(field, names),
      ]),
  );
  return fc.record(members, { requiredKeys: [] });
}

export function grpcRequests(own: Things, other: Things): fc.Arbitrary<GrpcRequest> {
  const names = [own, other].flatMap((things) => Object.values(things) as string[]);
  return fc.constantFrom(...methods).chain((method) =>
    fc.record({
      method: fc.constant(method),
      message: mutated(
        messageOf(method.input, 3, names).map((init) => {
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
}
