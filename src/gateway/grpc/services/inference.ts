/** InferenceService: what trained models answer to rows, ratings and texts; frames of devices. */

import type { MessageInitShape } from '@bufbuild/protobuf';
import { HourglassError } from '../../../base/errors.ts';
import { isPictureFrame } from '../../../codec/picture/picture-header.ts';
import {
  type DenoiseRequest,
  type DenoiseResponseSchema,
  type Images,
  type InferenceService,
  OutputFormat,
  type Tensor,
} from '../../../gen/hourglass/v1/inference_pb.ts';
import type { RowOperation } from '../../../registry/manifest.ts';
import { checkAnalysis } from '../../../serve/analyse.ts';
import { labelsOf } from '../../../serve/classes.ts';
import type { Answer, PredictAnswer, RowSource } from '../../../serve/prediction-service.ts';
import { checkSeriesRequest } from '../../../serve/series.ts';
import { checkTranslation } from '../../../serve/translate.ts';
import { encodePictureFrame, refuseBitsPerPixel } from '../../picture-frames.ts';
import { restoreFile } from '../../picture-restoration.ts';
import { picturesOfRows, rowsOfBytes, rowsOfPictures } from '../../row-conversion.ts';
import type { Call } from '../call.ts';
import { frameTargetOf, pictureReceiptMessage, receiptMessage } from '../messages/frame.ts';
import { pictureContent } from '../messages/picture.ts';
import { checkRowCount, tensorArray, tensorMessage } from '../messages/tensor.ts';
import type { Implementation } from '../service.ts';

/** What encode, denoise and reconstruct ask alike. */
type RowsRequest = Pick<DenoiseRequest, 'model' | 'content' | 'outputFormat'>;
type RowsAnswer = Pick<MessageInitShape<typeof DenoiseResponseSchema>, 'model' | 'version' | 'content' | 'warnings'>;

type Content =
  | { readonly kind: 'tensor'; readonly tensor: Tensor | undefined; readonly field: 'inputs' | 'codes' }
  /** rows without a shape of their own */
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'pictures'; readonly images: Images };

interface Question {
  readonly operation: RowOperation;
  readonly model: string | undefined;
  readonly content: Content;
  readonly format: OutputFormat;
}

export interface InferenceParts {
  /** rows per request allowed */
  readonly maxBatch: number;
  readonly maxImagePixels: number;
  /** longest time for one answer */
  readonly deadlineMs: number;
}

export function inferenceService({
  maxBatch,
  maxImagePixels,
  deadlineMs,
}: InferenceParts): Implementation<typeof InferenceService> {
  function ask({ content, format, ...question }: Question, call: Call, rateOutliers = false): Promise<PredictAnswer> {
    const { caller, demand, tenant } = call;
    call.limit(deadlineMs);
    const withTarget = format === OutputFormat.PNG;
    return tenant.predictions.predict(caller, { ...question, rows: rowsOf(content), withTarget, rateOutliers, demand });
  }

  function rowsOf(content: Content): RowSource {
    switch (content.kind) {
      case 'tensor':
        return tensorArray(content.tensor, content.field, maxBatch);
      case 'bytes':
        return (target) => rowsOfBytes(content.bytes, target);
      case 'pictures': {
        const { files, resize } = content.images;
        checkRowCount(files.length, 'images', maxBatch);
        return (target) => rowsOfPictures(files, target, { resize, maxPixels: maxImagePixels });
      }
      default:
        return content satisfies never;
    }
  }

  async function restore(operation: RowOperation, request: RowsRequest, call: Call): Promise<RowsAnswer> {
    const question = questionOf(operation, request);
    return rowsAnswer(await ask(question, call), question.format);
  }

  return {
    async encode(request, call) {
      const question = notPictures(questionOf('encode', request), 'Codes');
      const { prediction, outliers = [] } = await ask(question, call, request.outliers);
      const { model, version, outputs, warnings = [] } = prediction;
      const codes = tensorMessage(outputs, question.format === OutputFormat.RAW);
      return { model, version, codes, outliers: [...outliers], warnings: [...warnings] };
    },

    async classify(request, call) {
      const question = notPictures(questionOf('classify', request), 'Probabilities');
      const { prediction } = await ask(question, call);
      const { model, version, outputs, classes = [], warnings = [] } = prediction;
      const probabilities = tensorMessage(outputs, question.format === OutputFormat.RAW);
      const labels = labelsOf(prediction);
      return { model, version, probabilities, labels, classes: [...classes], warnings: [...warnings] };
    },

    async generate({ model, count, seed: wanted, outputFormat }, call) {
      call.limit(deadlineMs);
      const {
        caller,
        demand,
        tenant: { predictions },
      } = call;
      const format = formatOf(outputFormat, undefined);
      const withTarget = format === OutputFormat.PNG;
      const question = { model, count: count || 1, seed: wanted, withTarget, demand };
      const { seed, ...answer } = await predictions.generate(caller, question);
      return { ...(await rowsAnswer(answer, format)), seed };
    },

    async recommend({ model, ratings, count, includeSeen, items }, call) {
      call.limit(deadlineMs);
      checkRecommendation(ratings.length, count ?? 0, items.length);
      const {
        caller,
        demand,
        tenant: { predictions },
      } = call;
      const question = { model, ratings, count, includeSeen, items, demand };
      const { recommended, asked, unknown, ...answer } = await predictions.recommend(caller, question);
      return { ...answer, recommended: [...recommended], asked: [...asked], unknown: [...unknown] };
    },

    async analyse({ model, texts, nearest, words }, call) {
      call.limit(deadlineMs);
      checkAnalysis({ texts: texts.length, nearest: nearest ?? 0, words: words ?? 0 });
      const {
        caller,
        demand,
        tenant: { predictions },
      } = call;
      const analysis = await predictions.analyse(caller, { model, texts, nearest, words, demand });
      return {
        ...analysis,
        texts: analysis.texts.map(({ topics = [], expected, nearest: near, ...text }) => ({
          ...text,
          topics: topics.map((topic) => ({ ...topic, words: [...topic.words] })),
          expected: [...expected],
          nearest: [...near],
        })),
      };
    },

    async series({ model, series, forecast }, call) {
      call.limit(deadlineMs);
      checkSeriesRequest({ series: series.length, forecast: forecast ?? 0 });
      const {
        caller,
        demand,
        tenant: { predictions },
      } = call;
      const answer = await predictions.series(caller, { model, series, forecast, demand });
      return {
        ...answer,
        series: answer.series.map(({ reconstruction, forecast: after, ...one }) => ({
          ...{ ...one, reconstruction: [...reconstruction], forecast: [...after] },
        })),
      };
    },

    async translate({ model, sources, best }, call) {
      call.limit(deadlineMs);
      checkTranslation({ sources: sources.length, best: best ?? 1 });
      const {
        caller,
        demand,
        tenant: { predictions },
      } = call;
      const answer = await predictions.translate(caller, { model, sources, best, demand });
      return {
        ...answer,
        translations: answer.translations.map(({ targets, unknown }) => ({
          targets: [...targets],
          unknown: [...unknown],
        })),
      };
    },

    async decode({ model, codes, outputFormat }, call) {
      const format = formatOf(outputFormat, codes);
      const question = { operation: 'decode', model, content: contentOf(codes, 'codes'), format } as const;
      return rowsAnswer(await ask(question, call), format);
    },

    async denoise(request, call) {
      const { caller, demand, tenant } = call;
      const { restorers } = tenant.predictions;
      const [file, ...more] = request.content.case === 'images' ? request.content.value.files : [];
      const found = file && more.length === 0 ? await restorers.find(caller, request.model) : undefined;
      if (!file || !found) return restore('denoise', request, call);
      call.limit(deadlineMs);
      const asked = { caller, model: request.model, found, demand };
      const { raster, ...answered } = await restoreFile(restorers, asked, file, maxImagePixels);
      const format = formatOf(request.outputFormat || OutputFormat.PNG, undefined);
      return { ...answered, content: await pictureContent(raster, format, demand) };
    },

    reconstruct: (request, call) => restore('reconstruct', request, call),

    async encodeFrame(request, call) {
      call.limit(deadlineMs);
      const {
        caller,
        demand,
        tenant: { predictions },
      } = call;
      const target = frameTargetOf(request);
      const [file, ...more] = request.content.case === 'images' ? request.content.value.files : [];
      const codec = file && more.length === 0 ? await predictions.pictures.find(caller, request.model) : undefined;
      if (codec && file) {
        const asked = { caller, model: request.model, found: codec, demand };
        const { frame, receipt } = await encodePictureFrame(predictions.pictures, asked, file, target, maxImagePixels);
        return { frame, receipt: pictureReceiptMessage(receipt) };
      }
      refuseBitsPerPixel(target.bpp, 'bpp');
      const { model, content } = questionOf('encode', { ...request, outputFormat: OutputFormat.VALUES });
      const question = { model, rows: rowsOf(content), target, demand };
      const { frame, receipt } = await predictions.encodeFrame(caller, question);
      return { frame, receipt: receiptMessage(receipt) };
    },

    async decodeFrame({ frame, model, outputFormat, region }, call) {
      call.limit(deadlineMs);
      const {
        caller,
        demand,
        tenant: { predictions },
      } = call;
      if (isPictureFrame(frame)) {
        const asked = { model, region, maxPixels: maxImagePixels, demand };
        const { version, raster, lost, ...decoded } = await predictions.pictures.decode(caller, frame, asked);
        const parts = lost.map((part) => [part.x, part.y, part.width, part.height].join(','));
        const content = await pictureContent(raster, formatOf(outputFormat || OutputFormat.PNG, undefined), demand);
        return { model: decoded.model, version, content, lost: parts };
      }
      if (region) {
        throw new HourglassError('invalid-request', 'A region is for frames of pictures. Leave it out.', {
          field: '/region',
        });
      }
      const format = formatOf(outputFormat, undefined);
      const withTarget = format === OutputFormat.PNG;
      return rowsAnswer(await predictions.decodeFrame(caller, { frame, model, withTarget, demand }), format);
    },
  };
}

/** The limits of REST's schema. Throws `invalid-request`. */
function checkRecommendation(ratings: number, count: number, items: number): void {
  const found = { ratings, count, items };
  const most = { ratings: 20_000, count: 1000, items: 1000 };
  for (const field of ['ratings', 'count', 'items'] as const) {
    if (found[field] <= most[field]) continue;
    throw new HourglassError('invalid-request', `"${field}" is ${found[field]}; at most ${most[field]} are allowed.`, {
      field: `/${field}`,
      expected: most[field],
      found: found[field],
    });
  }
}

function questionOf(operation: RowOperation, { model, content, outputFormat }: RowsRequest): Question {
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
  const { model, version, outputs, warnings } = prediction;
  const common = { model, version, ...(warnings && { warnings: [...warnings] }) };
  if (!target || format !== OutputFormat.PNG) {
    return { ...common, content: { case: 'outputs', value: tensorMessage(outputs, format === OutputFormat.RAW) } };
  }
  return { ...common, content: { case: 'images', value: { files: await picturesOfRows(prediction, target) } } };
}
