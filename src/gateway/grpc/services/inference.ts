/** InferenceService: encode, decode, denoise, reconstruct, classify and generate with a trained model; frames of devices. */

import type { MessageInitShape } from '@bufbuild/protobuf';
import { HourglassError } from '../../../base/errors.ts';
import type { NdArray } from '../../../base/ndarray.ts';
import {
  type DenoiseRequest,
  type DenoiseResponseSchema,
  type Images,
  type InferenceService,
  OutputFormat,
  type Tensor,
} from '../../../gen/hourglass/v1/inference_pb.ts';
import type { Operation } from '../../../registry/manifest.ts';
import { labelsOf } from '../../../serve/classes.ts';
import type { FrameCodec } from '../../../serve/frame-codec.ts';
import { drawSeed, generate } from '../../../serve/generate.ts';
import type { OutlierRater } from '../../../serve/outliers.ts';
import type { Prediction, Predictor, PredictTarget } from '../../../serve/predictor.ts';
import { picturesOfRows, rowsOfBytes, rowsOfPictures } from '../../row-conversion.ts';
import type { Call } from '../call.ts';
import { frameTargetOf, receiptMessage } from '../messages/frame.ts';
import { checkRowCount, tensorArray, tensorMessage } from '../messages/tensor.ts';
import type { Implementation } from '../service.ts';

/** What encode, denoise and reconstruct ask alike. */
type RowsRequest = Pick<DenoiseRequest, 'model' | 'content' | 'outputFormat'>;
type RowsAnswer = Pick<MessageInitShape<typeof DenoiseResponseSchema>, 'model' | 'version' | 'content'>;

type Content =
  | { readonly kind: 'tensor'; readonly tensor: Tensor | undefined; readonly field: 'inputs' | 'codes' }
  /** rows without a shape of their own */
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'pictures'; readonly images: Images };

interface Question {
  readonly operation: Operation;
  readonly model: string | undefined;
  readonly content: Content;
  readonly format: OutputFormat;
}

interface Answer {
  readonly prediction: Prediction;
  /** known when pictures are asked or sent */
  readonly target: PredictTarget | undefined;
}

interface Asked extends Answer {
  readonly inputs: NdArray<'float32'>;
}

export interface InferenceParts {
  readonly predictor: Predictor;
  readonly frames: FrameCodec;
  readonly rater: OutlierRater;
  readonly maxImagePixels: number;
  /** longest time for one answer */
  readonly deadlineMs: number;
}

export function inferenceService({
  predictor,
  frames,
  rater,
  maxImagePixels,
  deadlineMs,
}: InferenceParts): Implementation<typeof InferenceService> {
  async function ask({ operation, model, content, format }: Question, call: Call): Promise<Asked> {
    const { signal } = call;
    call.limit(deadlineMs);
    if (content.kind === 'tensor' && format !== OutputFormat.PNG) {
      const inputs = tensorArray(content.tensor, content.field, predictor.maxBatch);
      return { prediction: await predictor.predict({ operation, model, inputs, signal }), inputs, target: undefined };
    }
    const target = await predictor.resolve(operation, model);
    const inputs = await rowsOf(content, target);
    // The resolved version, so that one published in between does not answer rows of another shape.
    const reference = `${target.model}@${target.version}`;
    return { prediction: await predictor.predict({ operation, model: reference, inputs, signal }), inputs, target };
  }

  async function rowsOf(content: Content, target: PredictTarget): Promise<NdArray<'float32'>> {
    switch (content.kind) {
      case 'tensor':
        return tensorArray(content.tensor, content.field, predictor.maxBatch);
      case 'bytes':
        return rowsOfBytes(content.bytes, target);
      case 'pictures': {
        const { files, resize } = content.images;
        checkRowCount(files.length, 'images', predictor.maxBatch);
        return rowsOfPictures(files, target, { resize, maxPixels: maxImagePixels });
      }
      default:
        return content satisfies never;
    }
  }

  async function restore(operation: Operation, request: RowsRequest, call: Call): Promise<RowsAnswer> {
    const question = questionOf(operation, request);
    return rowsAnswer(await ask(question, call), question.format);
  }

  return {
    async encode(request, call) {
      const question = notPictures(questionOf('encode', request), 'Codes');
      const { prediction, inputs } = await ask(question, call);
      const { model, version, outputs } = prediction;
      const asked = { model: `${model}@${version}`, inputs, signal: call.signal };
      return {
        model,
        version,
        codes: tensorMessage(outputs, question.format === OutputFormat.RAW),
        outliers: request.outliers ? await rater.rate(asked) : [],
      };
    },

    async classify(request, call) {
      const question = notPictures(questionOf('classify', request), 'Probabilities');
      const { prediction } = await ask(question, call);
      const { model, version, outputs, classes = [] } = prediction;
      const probabilities = tensorMessage(outputs, question.format === OutputFormat.RAW);
      return { model, version, probabilities, labels: labelsOf(prediction), classes: [...classes] };
    },

    async generate({ model, count, seed = drawSeed(), outputFormat }, call) {
      call.limit(deadlineMs);
      const format = formatOf(outputFormat, undefined);
      const prediction = await generate(predictor, { model, count: count || 1, seed, signal: call.signal });
      const reference = `${prediction.model}@${prediction.version}`;
      const target = format === OutputFormat.PNG ? await predictor.resolve('generate', reference) : undefined;
      return { ...(await rowsAnswer({ prediction, target }, format)), seed };
    },

    async decode({ model, codes, outputFormat }, call) {
      const format = formatOf(outputFormat, codes);
      return rowsAnswer(
        await ask({ operation: 'decode', model, content: contentOf(codes, 'codes'), format }, call),
        format,
      );
    },

    denoise: (request, call) => restore('denoise', request, call),

    reconstruct: (request, call) => restore('reconstruct', request, call),

    async encodeFrame(request, call) {
      call.limit(deadlineMs);
      const frameTarget = frameTargetOf(request);
      const { content } = questionOf('encode', { ...request, outputFormat: OutputFormat.VALUES });
      const target = await predictor.resolve('encode', request.model);
      const inputs = await rowsOf(content, target);
      const model = `${target.model}@${target.version}`;
      const { frame, receipt } = await frames.encode({ model, inputs, signal: call.signal, ...frameTarget });
      return { frame, receipt: receiptMessage(receipt) };
    },

    async decodeFrame({ frame, model, outputFormat }, call) {
      call.limit(deadlineMs);
      const format = formatOf(outputFormat, undefined);
      const prediction = await frames.decode({ frame, model, signal: call.signal });
      if (format !== OutputFormat.PNG) return rowsAnswer({ prediction, target: undefined }, format);
      const target = await predictor.resolve('decode', `${prediction.model}@${prediction.version}`);
      return rowsAnswer({ prediction, target }, format);
    },
  };
}

function questionOf(operation: Operation, { model, content, outputFormat }: RowsRequest): Question {
  if (content.case === 'images') {
    const pictures = { kind: 'pictures', images: content.value } as const;
    return { operation, model, content: pictures, format: formatOf(outputFormat, undefined) };
  }
  const tensor = content.case === 'inputs' ? content.value : undefined;
  return { operation, model, content: contentOf(tensor, 'inputs'), format: formatOf(outputFormat, tensor) };
}

/** Throws `not-acceptable`. */
function notPictures(question: Question, what: string): Question {
  if (question.format !== OutputFormat.PNG) return question;
  throw new HourglassError('not-acceptable', `${what} are not pictures. Ask for values or raw bytes.`, {
    field: '/outputFormat',
    expected: ['values', 'raw'],
  });
}

function contentOf(tensor: Tensor | undefined, field: 'inputs' | 'codes'): Content {
  const isShapeless = tensor !== undefined && tensor.shape.length === 0 && tensor.values.length === 0;
  return isShapeless ? { kind: 'bytes', bytes: tensor.raw } : { kind: 'tensor', tensor, field };
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

async function rowsAnswer({ prediction, target }: Answer, format: OutputFormat): Promise<RowsAnswer> {
  const { model, version, outputs } = prediction;
  if (!target || format !== OutputFormat.PNG) {
    return { model, version, content: { case: 'outputs', value: tensorMessage(outputs, format === OutputFormat.RAW) } };
  }
  return {
    model,
    version,
    content: { case: 'images', value: { files: await picturesOfRows(prediction, target) } },
  };
}
