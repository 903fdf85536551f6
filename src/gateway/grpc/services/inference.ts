/** InferenceService: encode, decode, denoise and reconstruct with a trained model. */

import type { MessageInitShape } from '@bufbuild/protobuf';
import { HourglassError } from '../../../base/errors.ts';
import type { NdArray } from '../../../base/ndarray.ts';
import {
  type DenoiseRequest,
  type DenoiseResponseSchema,
  type InferenceService,
  OutputFormat,
  type Tensor,
} from '../../../gen/hourglass/v1/inference_pb.ts';
import type { Operation } from '../../../registry/manifest.ts';
import type { Prediction, Predictor } from '../../../serve/predictor.ts';
import type { Call } from '../call.ts';
import { tensorArray, tensorMessage } from '../messages/tensor.ts';
import type { Implementation } from '../service.ts';

/** What encode, denoise and reconstruct ask alike. */
type RowsRequest = Pick<DenoiseRequest, 'model' | 'content' | 'outputFormat'>;
type RowsAnswer = Pick<MessageInitShape<typeof DenoiseResponseSchema>, 'model' | 'version' | 'content'>;

export function inferenceService(predictor: Predictor): Implementation<typeof InferenceService> {
  const predict = (operation: Operation, model: string | undefined, inputs: NdArray<'float32'>, call: Call) =>
    predictor.predict({ operation, model, inputs, signal: call.signal });

  const predictRows = async (operation: Operation, { model, content }: RowsRequest, call: Call) => {
    if (content.case !== 'inputs') throw missing('inputs');
    return predict(operation, model, tensorArray(content.value, 'inputs'), call);
  };

  const restore = async (operation: Operation, request: RowsRequest, call: Call): Promise<RowsAnswer> =>
    rowsAnswer(await predictRows(operation, request, call), formatOfRows(request));

  return {
    async encode(request, call) {
      const format = formatOfRows(request);
      const { model, version, outputs } = await predictRows('encode', request, call);
      return { model, version, codes: tensorMessage(outputs, format === OutputFormat.RAW) };
    },

    async decode(request, call) {
      const { model, codes, outputFormat } = request;
      if (!codes) throw missing('codes');
      return rowsAnswer(
        await predict('decode', model, tensorArray(codes, 'codes'), call),
        formatOf(outputFormat, codes),
      );
    },

    denoise: (request, call) => restore('denoise', request, call),

    reconstruct: (request, call) => restore('reconstruct', request, call),
  };
}

function missing(field: string): HourglassError {
  return new HourglassError(
    'invalid-request',
    `The request has no "${field}". It takes a tensor of shape [batch, …row].`,
    {
      field: `/${field}`,
      expected: 'a tensor',
    },
  );
}

/** The format that the answer will have; what the client left open follows the request. */
function formatOf(asked: OutputFormat, tensor: Tensor | undefined): OutputFormat {
  if (asked !== OutputFormat.UNSPECIFIED) return asked;
  return tensor && tensor.raw.length > 0 ? OutputFormat.RAW : OutputFormat.VALUES;
}

const formatOfRows = ({ outputFormat, content }: RowsRequest): OutputFormat =>
  formatOf(outputFormat, content.case === 'inputs' ? content.value : undefined);

function rowsAnswer({ model, version, outputs }: Prediction, format: OutputFormat): RowsAnswer {
  return { model, version, content: { case: 'outputs', value: tensorMessage(outputs, format === OutputFormat.RAW) } };
}
