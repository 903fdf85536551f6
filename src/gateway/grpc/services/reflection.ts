/**
 * Server reflection from the generated descriptors, in both of its published versions: what grpcurl and its like ask for
 * to learn the services.
 */

import { type DescFile, type DescMessage, type DescService, toBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import { grpcStatus } from '../../../base/errors.ts';
import type { ServerReflectionRequest, ServerReflection as V1 } from '../../../gen/grpc/reflection/v1/reflection_pb.ts';
import type {
  ServerReflectionRequest as AlphaRequest,
  ServerReflection as V1alpha,
} from '../../../gen/grpc/reflection/v1alpha/reflection_pb.ts';
import { withoutPauses } from '../../pauses.ts';
import type { Places } from '../../places.ts';
import type { Call } from '../call.ts';
import type { Implementation } from '../service.ts';

type Question = ServerReflectionRequest['messageRequest'] | AlphaRequest['messageRequest'];

export interface ReflectionLimits {
  readonly watchers: Places;
  /** a stream without a further question for so long ends */
  readonly stallMs: number;
}

export interface Reflection {
  readonly v1: Implementation<typeof V1>;
  readonly v1alpha: Implementation<typeof V1alpha>;
}

/** Describes the services, and the messages of further files that they send without naming them (error details). */
export function createReflection(
  services: readonly DescService[],
  further: readonly DescFile[],
  { watchers, stallMs }: ReflectionLimits,
): Reflection {
  const index = new DescriptorIndex([...services.map(({ file }) => file), ...further]);
  const names = services.map(({ typeName }) => ({ name: typeName }));
  const answer = (question: Question) => answerTo(question, index, names);
  /** A stream takes a place like one of events, and ends when its client asks nothing more. */
  async function* limited<T>(requests: AsyncIterable<T>, { client }: Call): AsyncGenerator<T> {
    const giveBack = watchers.take(client);
    try {
      yield* withoutPauses(requests, stallMs);
    } finally {
      giveBack();
    }
  }
  return {
    v1: {
      async *serverReflectionInfo(requests, call) {
        for await (const request of limited(requests, call)) {
          yield { validHost: request.host, originalRequest: request, messageResponse: answer(request.messageRequest) };
        }
      },
    },
    v1alpha: {
      async *serverReflectionInfo(requests, call) {
        for await (const request of limited(requests, call)) {
          yield { validHost: request.host, originalRequest: request, messageResponse: answer(request.messageRequest) };
        }
      },
    },
  };
}

function answerTo(question: Question, index: DescriptorIndex, services: { name: string }[]) {
  switch (question.case) {
    case 'listServices':
      return { case: 'listServicesResponse' as const, value: { service: services } };
    case 'fileByFilename':
      return describe(index.fileByName(question.value), question.value);
    case 'fileContainingSymbol':
      return describe(index.fileOf(question.value), question.value);
    case 'allExtensionNumbersOfType':
      return index.fileOf(question.value)
        ? { case: 'allExtensionNumbersResponse' as const, value: { baseTypeName: question.value, extensionNumber: [] } }
        : notFound(question.value);
    case 'fileContainingExtension':
      return notFound(`extension ${question.value.extensionNumber} of ${question.value.containingType}`);
    case undefined:
      return failure(grpcStatus.INVALID_ARGUMENT, 'The reflection request asks for nothing.');
    default:
      return question satisfies never;
  }
}

/** The file and all that it imports, so that one answer is enough; each before what it imports itself. */
function describe(file: DescFile | undefined, name: string) {
  if (!file) return notFound(name);
  const all = new Set<DescFile>();
  collect(file, all);
  const fileDescriptorProto = [...all].reverse().map(({ proto }) => toBinary(FileDescriptorProtoSchema, proto));
  return { case: 'fileDescriptorResponse' as const, value: { fileDescriptorProto } };
}

const notFound = (name: string) => failure(grpcStatus.NOT_FOUND, `There is no ${name.slice(0, 200)} here.`);

const failure = (errorCode: number, errorMessage: string) => ({
  case: 'errorResponse' as const,
  value: { errorCode, errorMessage },
});

/** Adds a file and its imports, these first. */
function collect(file: DescFile, into: Set<DescFile>): void {
  if (into.has(file)) return;
  for (const imported of file.dependencies) collect(imported, into);
  into.add(file);
}

class DescriptorIndex {
  readonly #files = new Map<string, DescFile>();
  readonly #symbols = new Map<string, DescFile>();

  constructor(roots: readonly DescFile[]) {
    const files = new Set<DescFile>();
    for (const root of roots) collect(root, files);
    for (const file of files) {
      this.#files.set(file.proto.name, file);
      for (const message of file.messages) this.#addMessage(message);
      for (const { typeName } of file.enums) this.#symbols.set(typeName, file);
      for (const service of file.services) {
        this.#symbols.set(service.typeName, file);
        for (const method of service.methods) this.#symbols.set(`${service.typeName}.${method.name}`, file);
      }
    }
  }

  fileByName(name: string): DescFile | undefined {
    return this.#files.get(name);
  }

  /** of a message, field, enum, service or method by its full name */
  fileOf(symbol: string): DescFile | undefined {
    return this.#symbols.get(symbol);
  }

  #addMessage(message: DescMessage): void {
    this.#symbols.set(message.typeName, message.file);
    for (const field of message.fields) this.#symbols.set(`${message.typeName}.${field.name}`, message.file);
    for (const { typeName } of message.nestedEnums) this.#symbols.set(typeName, message.file);
    for (const nested of message.nestedMessages) this.#addMessage(nested);
  }
}
