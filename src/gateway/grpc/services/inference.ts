/** InferenceService: encode, decode, denoise and reconstruct with a trained model. */

import type { MessageInitShape } from '@bufbuild/protobuf';
import { HourglassError } from '../../../base/errors.ts';
import {
  type DenoiseRequest,
  type DenoiseResponseSchema,
  type Images,
  type InferenceService,
  OutputFormat,
  type Tensor,
} from '../../../gen/hourglass/v1/inference_pb.ts';
import type { Operation } from '../../../registry/manifest.ts';
import type { Prediction, Predictor, PredictTarget } from '../../../serve/predictor.ts';
import { picturesOf, rowsOfPictures } from '../../pictures.ts';
import type { Call } from '../call.ts';
import { tensorArray, tensorMessage } from '../messages/tensor.ts';
import type { Implementation } from '../service.ts';

/** What encode, denoise and reconstruct ask alike. */
type RowsRequest = Pick<DenoiseRequest, 'model' | 'content' | 'outputFormat'>;
type RowsAnswer = Pick<MessageInitShape<typeof DenoiseResponseSchema>, 'model' | 'version' | 'content'>;

interface Question {
  readonly operation: Operation;
  readonly model: string | undefined;
  readonly content:
    | { readonly case: 'inputs' | 'codes'; readonly value: Tensor | undefined }
    | { readonly case: 'images'; readonly value: Images };
  readonly format: OutputFormat;
}

interface Answer {
  readonly prediction: Prediction;
  /** known when pictures are asked or sent */
  readonly target: PredictTarget | undefined;
}

export interface InferenceParts {
  readonly predictor: Predictor;
  readonly maxImagePixels: number;
}

export function inferenceService({
  predictor,
  maxImagePixels,
}: InferenceParts): Implementation<typeof InferenceService> {
  const { maxBatch } = predictor;

  async function ask({ operation, model, content, format }: Question, { signal }: Call): Promise<Answer> {
    if (content.case !== 'images') {
      const inputs = tensorArray(content.value, content.case);
      const target = format === OutputFormat.PNG ? await predictor.resolve(operation, model) : undefined;
      const prediction = await predictor.predict({ operation, model: pinned(target) ?? model, inputs, signal });
      return { prediction, target };
    }
    const { files, resize } = content.value;
    const target = await predictor.resolve(operation, model);
    const inputs = await rowsOfPictures(files, target, { resize, maxPixels: maxImagePixels, maxBatch, signal });
    return { prediction: await predictor.predict({ operation, model: pinned(target), inputs, signal }), target };
  }

  async function restore(operation: Operation, request: RowsRequest, call: Call): Promise<RowsAnswer> {
    const question = questionOf(operation, request);
    return rowsAnswer(await ask(question, call), question.format);
  }

  return {
    async encode(request, call) {
      const question = questionOf('encode', request);
      if (question.format === OutputFormat.PNG) {
        throw new HourglassError('not-acceptable', 'Codes are not pictures. Ask for values or raw bytes.', {
          field: '/outputFormat',
          expected: ['values', 'raw'],
        });
      }
      const { prediction } = await ask(question, call);
      const { model, version, outputs } = prediction;
      return { model, version, codes: tensorMessage(outputs, question.format === OutputFormat.RAW) };
    },

    async decode({ model, codes, outputFormat }, call) {
      const format = formatOf(outputFormat, codes);
      return rowsAnswer(
        await ask({ operation: 'decode', model, content: { case: 'codes', value: codes }, format }, call),
        format,
      );
    },

    denoise: (request, call) => restore('denoise', request, call),

    reconstruct: (request, call) => restore('reconstruct', request, call),
  };
}

function questionOf(operation: Operation, { model, content, outputFormat }: RowsRequest): Question {
  if (content.case === 'images') return { operation, model, content, format: formatOf(outputFormat, undefined) };
  const { value } = content;
  return { operation, model, content: { case: 'inputs', value }, format: formatOf(outputFormat, value) };
}

/** What the client left open follows the request. Throws `invalid-request` for a number that is no format. */
function formatOf(asked: OutputFormat, tensor: Tensor | undefined): OutputFormat {
  switch (asked) {
    case OutputFormat.UNSPECIFIED:
      return tensor && tensor.raw.length > 0 ? OutputFormat.RAW : OutputFormat.VALUES;
    case OutputFormat.VALUES:
    case OutputFormat.RAW:
    case OutputFormat.PNG:
      return asked;
    default:
      throw new HourglassError('invalid-request', `There is no output format ${asked}.`, {
        field: '/outputFormat',
        expected: ['values', 'raw', 'png'],
        found: asked,
      });
  }
}

/** The resolved version, so that a newer one published in between does not answer with another shape. */
const pinned = (target: PredictTarget | undefined): string | undefined => target && `${target.model}@${target.version}`;

async function rowsAnswer({ prediction, target }: Answer, format: OutputFormat): Promise<RowsAnswer> {
  const { model, version, outputs } = prediction;
  if (!target || format !== OutputFormat.PNG) {
    return { model, version, content: { case: 'outputs', value: tensorMessage(outputs, format === OutputFormat.RAW) } };
  }
  return {
    model,
    version,
    content: { case: 'images', value: { files: await picturesOf(prediction, target.inputRange) } },
  };
}
