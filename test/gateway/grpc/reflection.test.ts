// Reflection as grpcurl uses it: from the names of the services to every message they use.
import { create, createFileRegistry, fromBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ServerReflection as V1 } from '../../../src/gen/grpc/reflection/v1/reflection_pb.ts';
import { ServerReflection as V1alpha } from '../../../src/gen/grpc/reflection/v1alpha/reflection_pb.ts';
import { startServer, type TestServer } from './harness.ts';

let running: TestServer;
beforeAll(async () => {
  running = await startServer();
});
afterAll(() => running.stop());

type Question = {
  case: 'fileContainingSymbol' | 'fileByFilename' | 'listServices' | 'allExtensionNumbersOfType';
  value: string;
};

describe.each([
  ['v1', V1.method.serverReflectionInfo],
  ['v1alpha', V1alpha.method.serverReflectionInfo],
] as const)('reflection %s', (_, method) => {
  async function ask(...questions: Question[]) {
    const requests = questions.map((messageRequest) => ({ host: 'here', messageRequest }));
    const answers = await running.client.converse(method as typeof V1.method.serverReflectionInfo, requests);
    expect(answers.map(({ originalRequest }) => originalRequest?.messageRequest)).toEqual(questions);
    return answers.map(({ messageResponse }) => messageResponse);
  }

  it('lists the services', async () => {
    const [answer] = await ask({ case: 'listServices', value: '' });
    const names = answer?.case === 'listServicesResponse' ? answer.value.service.map(({ name }) => name) : [];
    expect(names.sort()).toEqual([
      'grpc.health.v1.Health',
      'grpc.reflection.v1.ServerReflection',
      'grpc.reflection.v1alpha.ServerReflection',
      'hourglass.v1.AccessService',
      'hourglass.v1.DatasetService',
      'hourglass.v1.InferenceService',
      'hourglass.v1.RegistryService',
      'hourglass.v1.SweepService',
      'hourglass.v1.TrainingService',
      'inference.GRPCInferenceService',
    ]);
  });

  it.each([
    ['hourglass.v1.TrainingService'],
    ['hourglass.v1.Job'],
    ['hourglass.v1.Sweep'],
    ['hourglass.v1.Job.metrics'],
    ['hourglass.v1.TrainingService.SubmitJob'],
    ['hourglass.v1.JobState'],
    ['grpc.health.v1.HealthCheckResponse.ServingStatus'],
    ['google.rpc.ErrorInfo'],
    ['google.protobuf.Struct'],
  ])('describes %s with all that it imports', async (symbol) => {
    const [answer] = await ask({ case: 'fileContainingSymbol', value: symbol });
    if (answer?.case !== 'fileDescriptorResponse') throw new Error(`no file for ${symbol}`);
    const file = answer.value.fileDescriptorProto.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes));
    const registry = createFileRegistry(create(FileDescriptorSetSchema, { file: file.reverse() }));
    const [owner = '', member = ''] = [
      symbol.slice(0, symbol.lastIndexOf('.')),
      symbol.slice(symbol.lastIndexOf('.') + 1),
    ];
    const found =
      registry.get(symbol) ??
      registry.getMessage(owner)?.fields.find(({ name }) => name === member) ??
      registry.getService(owner)?.methods.find(({ name }) => name === member);
    expect(found).toBeDefined();
  });

  it('answers several questions of one conversation, and says what it does not have', async () => {
    const [file, symbol, name, extensions] = await ask(
      { case: 'fileByFilename', value: 'hourglass/v1/training.proto' },
      { case: 'fileContainingSymbol', value: 'hourglass.v1.Nothing' },
      { case: 'fileByFilename', value: '../../etc/passwd' },
      { case: 'allExtensionNumbersOfType', value: 'hourglass.v1.Job' },
    );
    expect(file?.case).toBe('fileDescriptorResponse');
    expect(symbol).toMatchObject({ case: 'errorResponse', value: { errorCode: 5 } });
    expect(name).toMatchObject({ case: 'errorResponse', value: { errorCode: 5 } });
    expect(extensions).toMatchObject({ case: 'allExtensionNumbersResponse', value: { extensionNumber: [] } });
  });
});
