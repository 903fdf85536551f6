// Calls over gRPC from the descriptors: any method, with fields that are valid, at their limits, of the other tenant, or damaged bytes.
import {
  create,
  type DescField,
  type DescMessage,
  type DescMethod,
  type MessageInitShape,
  ScalarType,
  toBinary,
} from '@bufbuild/protobuf';
import { AccessService } from '../../src/gen/hourglass/v1/access_pb.ts';
import { DatasetService } from '../../src/gen/hourglass/v1/dataset_pb.ts';
import { InferenceService } from '../../src/gen/hourglass/v1/inference_pb.ts';
import { RegistryService } from '../../src/gen/hourglass/v1/registry_pb.ts';
import { SweepService } from '../../src/gen/hourglass/v1/sweep_pb.ts';
import { TrainingService } from '../../src/gen/hourglass/v1/training_pb.ts';
import { GRPCInferenceService } from '../../src/gen/inference/grpc_predict_v2_pb.ts';
import { framed } from '../attack/wire.ts';
import { anyJunk, type Draw, damaged, wellFormed } from './draw.ts';
import { kindOf, minimalJob, minimalSearch, newName, reference, rows, type Sender } from './names.ts';

export interface GrpcRequest {
  readonly method: DescMethod;
  /** what is written: frames of messages */
  readonly bytes: Buffer;
  /** What comes back may be about the bytes rather than about the call. */
  readonly isDamaged: boolean;
}

const services = [
  ...[InferenceService, TrainingService, SweepService, RegistryService, DatasetService, AccessService],
  GRPCInferenceService,
];
export const grpcMethods = services.flatMap(({ methods }): readonly DescMethod[] => methods);
const weighted: readonly DescMethod[] = grpcMethods.flatMap((method) =>
  Array<DescMethod>(/CreateDataset|WatchJob/.test(method.name) ? 1 : 5).fill(method),
);
const takesAway = /^(Delete|Revoke|Rotate|RepositoryModelUnload)/;
const deepest = 4;

export function grpcRequest(draw: Draw, sender: Sender): GrpcRequest {
  const method = draw.pick(weighted);
  const count = method.methodKind === 'client_streaming' ? draw.below(4) : 1;
  const share = draw.pick([0.2, 0.5, 0.9]);
  const inits =
    (draw.chance(0.4) && fitting(draw, sender, method)) ||
    Array.from({ length: Math.max(1, count) }, () =>
      new FieldValues(draw, sender, method, share).message(method.input, 0),
    );
  const messages = inits.map((init) =>
    Buffer.from(toBinary(method.input, create(method.input, init as MessageInitShape<DescMessage>))),
  );
  const isDamaged = draw.chance(0.15);
  if (!isDamaged) return { method, bytes: Buffer.concat(messages.map((message) => framed(message))), isDamaged };
  const bytes = draw.chance(0.8)
    ? Buffer.concat(messages.map((message) => framed(damaged(draw, message))))
    : damaged(draw, Buffer.concat(messages.map((message) => framed(message))));
  return { method, bytes, isDamaged };
}

/** Messages of calls that hardly ever succeed with fields that are drawn one by one. */
function fitting(draw: Draw, { own }: Sender, method: DescMethod): readonly unknown[] | undefined {
  const model = own.things.model;
  switch (method) {
    case DatasetService.method.createDataset: {
      const csv = Buffer.from(`a,b,c,d\n${'1,2,3,4\n5,6,7,8\n'.repeat(10)}`);
      const parts = [
        { case: 'upload', value: { name: newName(draw) } },
        { case: 'part', value: { fileName: 'a.csv' } },
      ];
      return [...parts, { case: 'chunk', value: csv }].map((content) => ({ content }));
    }
    case GRPCInferenceService.method.modelInfer: {
      const contents = { fp32Contents: rows(draw, 4)[0] };
      return [{ modelName: model, inputs: [{ name: 'inputs', datatype: 'FP32', shape: [1n, 4n], contents }] }];
    }
    case RegistryService.method.getFile:
      return [{ name: model, version: 1, path: draw.pick(['report.json', 'encoder.onnx', '../report.json']) }];
    case RegistryService.method.setAlias:
    case RegistryService.method.deleteAlias:
      return [{ name: model, alias: draw.pick(['fuzz', 'fuzz-2']), version: 1 }];
    case RegistryService.method.deleteVersion:
    case RegistryService.method.deleteModel: {
      const name = own.one('model', draw);
      return own.needs(name) ? undefined : [{ name, version: 1, force: true }];
    }
    default:
      return undefined;
  }
}

class FieldValues {
  readonly #draw: Draw;
  readonly #sender: Sender;
  readonly #method: DescMethod;
  readonly #share: number;

  /** `share`: of the fields that are set */
  constructor(draw: Draw, sender: Sender, method: DescMethod, share: number) {
    this.#draw = draw;
    this.#sender = sender;
    this.#method = method;
    this.#share = share;
  }

  message(schema: DescMessage, depth: number, name = ''): Record<string, unknown> {
    const draw = this.#draw;
    if (schema.typeName === 'google.protobuf.Struct') return this.#struct(name);
    if (schema.typeName === 'hourglass.v1.Tensor' && draw.chance(0.8)) {
      const values = rows(draw, name === 'codes' ? 2 : 4);
      return { shape: [values.length, values[0]?.length ?? 0], values: values.flat() };
    }
    const found: Record<string, unknown> = {};
    if (depth > deepest) return found;
    const chosen = new Map(schema.oneofs.map((oneof) => [oneof, draw.pick(oneof.fields)]));
    for (const field of schema.fields) {
      if (field.oneof && chosen.get(field.oneof) !== field) continue;
      const isName = /^(name|id|modelName)$/.test(field.localName) && depth === 0;
      if (!draw.chance(isName ? 0.95 : this.#share)) continue;
      const value = this.#field(field, depth);
      if (field.oneof) found[field.oneof.localName] = { case: field.localName, value };
      else found[field.localName] = value;
    }
    return found;
  }

  #field(field: DescField, depth: number): unknown {
    const draw = this.#draw;
    switch (field.fieldKind) {
      case 'message':
        return this.message(field.message, depth + 1, field.localName);
      case 'enum':
        return draw.below(9) - 1;
      case 'scalar':
        return this.#scalar(field.scalar, field.localName);
      case 'list':
        return Array.from({ length: draw.below(4) }, () =>
          field.listKind === 'message'
            ? this.message(field.message, depth + 1, field.localName)
            : field.listKind === 'enum'
              ? draw.below(9) - 1
              : this.#scalar(field.scalar, field.localName),
        );
      case 'map':
        return draw.chance(0.5) || field.mapKind !== 'message'
          ? {}
          : { [newName(draw)]: this.message(field.message, depth + 1) };
      default:
        return field satisfies never;
    }
  }

  #scalar(type: ScalarType, name: string): unknown {
    const draw = this.#draw;
    switch (type) {
      case ScalarType.STRING:
        return this.#text(name);
      case ScalarType.BOOL:
        return draw.chance(0.5);
      case ScalarType.BYTES:
        return Buffer.from(draw.hex(2 * draw.below(64)), 'hex');
      case ScalarType.DOUBLE:
        return draw.pick([0, 1, -1, 0.5, 30, 1e308, Number.NaN, Number.POSITIVE_INFINITY]);
      case ScalarType.FLOAT:
        return draw.pick([0, 1, -1, 0.5, 3e38, Number.NaN, Number.NEGATIVE_INFINITY]);
      case ScalarType.INT64:
      case ScalarType.SINT64:
      case ScalarType.SFIXED64:
        return draw.pick([0n, 1n, 4n, -1n, 2n ** 53n, 2n ** 62n, -(2n ** 63n)]);
      case ScalarType.UINT64:
      case ScalarType.FIXED64:
        return draw.pick([0n, 1n, 4n, 2n ** 53n, 2n ** 64n - 1n]);
      case ScalarType.UINT32:
      case ScalarType.FIXED32:
        return draw.pick([0, 1, 1, 2, 4, 100, 2 ** 31, 2 ** 32 - 1]);
      default:
        return draw.pick([0, 1, 1, 2, -1, 100, 2 ** 31 - 1, -(2 ** 31)]);
    }
  }

  #text(name: string): string {
    const draw = this.#draw;
    const { name: method, parent } = this.#method;
    if (draw.chance(0.05)) return wellFormed(String(anyJunk(draw)).slice(0, 1500));
    if (/^(name|id|model|modelName|dataset)$/.test(name)) {
      if (name === 'name' && /^(Create|Submit|Check)/.test(method)) return newName(draw);
      const kind = kindOf(name === 'dataset' ? 'dataset' : /^model/.test(name) ? 'model' : parent.name) ?? 'model';
      const found = reference(draw, this.#sender, kind);
      return takesAway.test(method) && this.#sender.own.needs(found) ? newName(draw) : found;
    }
    if (name === 'tenant') return draw.pick([this.#sender.own.name, '', this.#sender.other.name]);
    if (name === 'scopes') return draw.pick(['infer', 'read', 'train', 'publish', 'x']);
    if (name === 'version' || name === 'modelVersion') return draw.pick(['', '1', '1', '2', 'x']);
    if (name === 'datatype') return draw.pick(['FP32', 'FP32', 'BYTES', 'INT64', 'x']);
    if (name === 'idempotencyKey') return draw.chance(0.5) ? '' : `key-${draw.below(50)}`;
    return draw.pick(['', 'fuzz', 'stable', 'report.json', 'train', '1-1', newName(draw)]);
  }

  #struct(name: string): Record<string, unknown> {
    const draw = this.#draw;
    const job = minimalJob(draw, this.#sender);
    if (name === 'job' && draw.chance(0.8)) return job;
    if (name === 'search' && draw.chance(0.8)) return minimalSearch(draw) as Record<string, unknown>;
    if ((name === 'model' || name === 'training') && draw.chance(0.8)) return job[name] as Record<string, unknown>;
    return { [draw.pick(['type', 'code', 'epochs', 'x', ''])]: JSON.parse(JSON.stringify(anyJunk(draw))) };
  }
}
