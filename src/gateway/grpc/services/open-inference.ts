/** GRPCInferenceService of the Open Inference Protocol. See oip/models.ts for what a model is called. */

import type { MessageInitShape } from '@bufbuild/protobuf';
import { HourglassError, normaliseError } from '../../../base/errors.ts';
import {
  DataType,
  type GRPCInferenceService,
  type InferParameter,
  type InferTensorContents,
  type ModelInferRequest,
  type ModelInferResponseSchema,
} from '../../../gen/inference/grpc_predict_v2_pb.ts';
import { checkDatatype, floatsOfRaw } from '../../oip/datatypes.ts';
import { checkElements, type InferTensor, infer } from '../../oip/infer.ts';
import { describeModel, listNames, oipExtensions, parseName, platform } from '../../oip/models.ts';
import type { Readiness } from '../../readiness.ts';
import { bytesOfRows } from '../../row-conversion.ts';
import type { Call } from '../call.ts';
import type { Implementation } from '../service.ts';

export interface OpenInferenceParts {
  readonly readiness: Pick<Readiness, 'isReady'>;
  /** longest time for one answer */
  readonly deadlineMs: number;
  /** of this release */
  readonly version: string;
}

type InferAnswer = MessageInitShape<typeof ModelInferResponseSchema>;

export function openInferenceService(parts: OpenInferenceParts): Implementation<typeof GRPCInferenceService> {
  const { readiness, deadlineMs } = parts;

  async function ask(request: ModelInferRequest, { caller, demand, tenant }: Call): Promise<InferAnswer> {
    const { modelName, modelVersion, id, parameters, outputs } = request;
    const reference = parseName(modelName, modelVersion, parameterOf(parameters.operation));
    const question = { reference, inputs: inputsOf(request), outputs: outputs.map(({ name }) => name), demand };
    const { prediction, outputName: name } = await infer(tenant.predictions, caller, question);
    const { warnings } = prediction;
    return {
      ...{ modelName, id },
      ...(warnings && {
        parameters: { warning: { parameterChoice: { case: 'stringParam', value: warnings.join(' ') } } },
      }),
      modelVersion: String(prediction.version),
      outputs: [{ name, datatype: 'FP32', shape: prediction.outputs.shape.map(BigInt) }],
      rawOutputContents: [bytesOfRows(prediction.outputs)],
    };
  }

  /** Each message counts as a request; the first one was counted with the call. */
  async function* answerAll(requests: AsyncIterable<ModelInferRequest>, call: Call) {
    let isFirst = true;
    for await (const request of requests) {
      try {
        if (!isFirst) call.tenant.quota.takeRequest();
        isFirst = false;
        yield { inferResponse: await ask(request, call) };
      } catch (error) {
        call.signal.throwIfAborted();
        yield { errorMessage: normaliseError(error).message, inferResponse: { id: request.id } };
      }
    }
  }

  return {
    serverLive: async () => ({ live: true }),
    serverReady: async () => ({ ready: await readiness.isReady() }),

    async modelReady({ name, version }, { caller, tenant }) {
      await describeModel(tenant, caller, parseName(name, version));
      return { ready: true };
    },

    serverMetadata: async () => ({ name: 'hourglass', version: parts.version, extensions: [...oipExtensions] }),

    async modelMetadata({ name, version }, { caller, tenant }) {
      const model = await describeModel(tenant, caller, parseName(name, version));
      const tensor = ({ shape, ...rest }: typeof model.input) => ({ ...rest, shape: shape.map(BigInt) });
      return {
        ...{ name, platform },
        versions: [...model.versions],
        inputs: [tensor(model.input)],
        outputs: [tensor(model.output)],
      };
    },

    async modelInfer(request, call) {
      call.limit(deadlineMs);
      return ask(request, call);
    },

    async *modelStreamInfer(requests, call) {
      const close = call.tenant.quota.openStream();
      try {
        yield* answerAll(requests, call);
      } finally {
        close();
      }
    },

    async modelConfig({ name, version }, { caller, tenant }) {
      const { input, output } = await describeModel(tenant, caller, parseName(name, version));
      const port = ({ name: port, shape }: typeof input) => ({
        name: port,
        dataType: DataType.TYPE_FP32,
        dims: shape.slice(1).map(BigInt),
      });
      const config = { name, platform, backend: 'hourglass', maxBatchSize: tenant.predictions.maxBatch };
      return { config: { ...config, input: [port(input)], output: [port(output)] } };
    },

    async modelStatistics({ name, version }, { caller, tenant }) {
      const only = name === '' ? undefined : await describeModel(tenant, caller, parseName(name, version));
      const entries = tenant.predictions
        .statistics()
        .filter(({ model, operation }) => !only || (model === only.model && operation === only.operation));
      return {
        modelStats: entries.map(({ model, operation, requests, rows, nanoseconds, last }) => {
          const [base, of = ''] = model.split('@');
          return {
            ...{ name: `${base}.${operation}`, version: of },
            ...{ lastInference: BigInt(last), inferenceCount: BigInt(rows), executionCount: BigInt(requests) },
            inferenceStats: {
              success: { count: BigInt(requests), ns: BigInt(nanoseconds) },
            },
          };
        }),
      };
    },

    async repositoryIndex(_request, { tenant }) {
      return { models: (await listNames(tenant)).map((entry) => ({ ...entry, state: 'READY', reason: '' })) };
    },

    async repositoryModelLoad({ modelName }, { caller, tenant }) {
      await tenant.predictions.load(caller, parseName(modelName).model);
      return {};
    },

    async repositoryModelUnload({ modelName }, { caller, tenant }) {
      await tenant.predictions.unload(caller, parseName(modelName).model);
      return {};
    },
  };
}

const parameterOf = (parameter: InferParameter | undefined): unknown => parameter?.parameterChoice.value;

/** Tensors come typed beside their names, or all of them as raw bytes in their order. */
function inputsOf({ inputs, rawInputContents: raw }: ModelInferRequest): InferTensor[] {
  if (raw.length > 0 && raw.length !== inputs.length) {
    throw new HourglassError(
      'invalid-request',
      `The request has ${inputs.length} inputs, but ${raw.length} raw_input_contents. Send one for each.`,
      { field: '/rawInputContents', expected: inputs.length, found: raw.length },
    );
  }
  return inputs.map(({ name, datatype, shape: dims, contents }, i) => {
    const field = `/inputs/${i}`;
    const shape = dims.map(Number);
    checkDatatype(datatype, `${field}/datatype`);
    const bytes = raw[i];
    if (bytes && contents) {
      throw new HourglassError(
        'invalid-request',
        'The input has both contents and raw_input_contents. Send one of them.',
        {
          field: `${field}/contents`,
        },
      );
    }
    const data = bytes ? floatsOfRaw(bytes, datatype, `${field}/datatype`) : floatsOfContents(contents);
    checkElements(shape, data.length, field);
    return { name, shape, data };
  });
}

function floatsOfContents(contents: InferTensorContents | undefined): Float32Array {
  if (!contents) return new Float32Array(0);
  const { fp32Contents, fp64Contents, intContents, uintContents, int64Contents, uint64Contents, boolContents } =
    contents;
  const lists: readonly (readonly (number | bigint | boolean)[])[] = [
    ...[fp32Contents, fp64Contents, intContents, uintContents, int64Contents, uint64Contents, boolContents],
  ];
  return Float32Array.from(lists.find((list) => list.length > 0) ?? [], Number);
}
