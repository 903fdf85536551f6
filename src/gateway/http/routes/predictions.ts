/**
 * Answers of models to rows: encode, decode, denoise, reconstruct, classify, under the model's path or in short. Rows come as
 * JSON, raw float32 or a picture, codes also as a frame, and go out as the client accepts.
 */

import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { HourglassError } from '../../../base/errors.ts';
import { isPictureFrame } from '../../../codec/picture/picture-header.ts';
import type { RowOperation } from '../../../registry/manifest.ts';
import { encodePictureFrame } from '../../picture-frames.ts';
import { restoreFile } from '../../picture-restoration.ts';
import { codeTypes, type RowsBody, rowTypes } from '../body.ts';
import { Demand, timeoutOf } from '../demand.ts';
import { type FrameQuery, frameQuery, frameTargetOf, sendFrame } from '../frame-answer.ts';
import { frame, json, negotiate, png } from '../media.ts';
import {
  type PictureType,
  picturesOnly,
  pictureTypes,
  regionOf,
  regionQuery,
  sendPicture,
  sendPictureFrame,
} from '../picture-answer.ts';
import type { App, RouteParts } from '../route-parts.ts';
import { offeredBy, type RowsType, refuseSeveral, sendRows } from '../rows-answer.ts';
import { inputOf, rowsOf } from '../rows-request.ts';
import { ModelReference, problem, ReferenceParams, ref } from '../schemas.ts';

const tags = ['predictions'];
const binary = { schema: { type: 'string', format: 'binary' } };

const summaries: Readonly<Record<RowOperation, string>> = {
  encode: 'Rows to codes',
  decode: 'Codes to rows',
  denoise: 'Noisy rows to clean rows',
  reconstruct: 'Rows through the code and back',
  classify: 'Rows to classes, by a model with a classifier on top',
};

const resize = Type.Optional(
  Type.Boolean({ default: false, description: 'fit a picture of another size to the model instead of refusing it' }),
);
const model = Type.Optional(ModelReference);
const closed = { additionalProperties: false } as const;
const encodeQuery = {
  outliers: Type.Optional(
    Type.Boolean({
      default: false,
      description: 'say of each row how unusual it is to the model; answers in JSON only',
    }),
  ),
  ...frameQuery,
};
const queryOf = (operation: RowOperation) => ({
  resize,
  ...(operation === 'encode' && encodeQuery),
  ...(operation === 'decode' && regionQuery),
});

/** A query of any operation. */
interface Asked extends FrameQuery {
  readonly resize?: boolean;
  readonly outliers?: boolean;
  readonly region?: string;
}

export function predictionRoutes(app: App, parts: RouteParts): void {
  for (const operation of Object.keys(summaries) as RowOperation[]) {
    const answer = answerer(operation, parts);
    const { config, schema } = describe(operation);
    const query = queryOf(operation);
    app.post(
      `/v1/models/:model/${operation}`,
      { config, schema: { ...schema, params: ReferenceParams, querystring: Type.Object(query, closed) } },
      async (request, reply) => answer(request, reply, request.params.model, request.query as Asked),
    );
    app.post(
      `/${operation}`,
      {
        config,
        schema: {
          ...schema,
          summary: `${summaries[operation]}; the model is named in the body, the query, or the only one`,
          querystring: Type.Object({ ...query, model }, closed),
        },
      },
      async (request, reply) => {
        const { model: named, ...asked } = request.query as Asked & { readonly model?: string };
        return answer(request, reply, named, asked);
      },
    );
  }
}

const answerSchemas = {
  encode: { anyOf: [ref('CodesAnswer'), ref('FrameAnswer'), ref('PictureFrameAnswer')] },
  decode: ref('OutputsAnswer'),
  denoise: ref('OutputsAnswer'),
  reconstruct: ref('OutputsAnswer'),
  classify: ref('ClassesAnswer'),
} as const satisfies Record<RowOperation, object>;

function describe(operation: RowOperation) {
  const takes = operation === 'decode' ? codeTypes : rowTypes;
  const asked = { [json]: { schema: ref(operation === 'decode' ? 'CodesRequest' : 'RowsRequest') } };
  const others = Object.fromEntries(takes.slice(1).map((type) => [type, binary]));
  const answered = Object.fromEntries(
    offeredBy(operation).map((type) => [type, type === json ? { schema: answerSchemas[operation] } : binary]),
  );
  return {
    config: { scope: 'infer', body: 'rows', handlerChecks: ['params', 'body'], takes, tensors: [inputOf(operation)] },
    schema: {
      tags,
      summary: summaries[operation],
      body: { content: { ...asked, ...others } },
      response: {
        200: {
          description:
            'In the accepted type; X-Hourglass-Model and X-Hourglass-Shape say the same of binary answers, X-Hourglass-Warning what is odd about the rows, X-Hourglass-Receipt what a frame costs',
          content: answered,
        },
        400: problem('The body cannot be read, has unknown fields, or names no model where one is needed'),
        404: problem('No such model, version or alias; no model here decodes the frame'),
        406: problem('No answer in the accepted types'),
        409: problem('The model does not answer this call; the frame is another model’s'),
        413: problem('Too many rows or bytes'),
        415: problem('The content type is not taken'),
        422: problem('Wrong shape or type, no rows, or numbers that are not finite'),
        429: problem('Too much work is waiting; Retry-After says when to come back'),
        503: problem('The model is damaged, or the server is stopping'),
        504: problem('No answer in time'),
      },
    },
  } as const;
}

type Answer = (
  request: FastifyRequest,
  reply: FastifyReply,
  model: string | undefined,
  asked: Asked,
) => Promise<FastifyReply>;

function answerer(operation: RowOperation, { config, observer, limits }: RouteParts): Answer {
  const offered = offeredBy(operation);
  const { maxImagePixels } = config;
  return async (request, reply, named, { resize = false, outliers = false, region, ...frameQuery }) => {
    const stages = observer.predicting(reply, operation);
    const { caller, headers } = request;
    const { predictions } = request.tenant;
    const content = request.body as RowsBody;
    if (operation === 'decode' && content.form === 'frame' && isPictureFrame(content.bytes)) {
      const type = negotiate<PictureType>(headers.accept, pictureTypes);
      const demand = new Demand(reply.raw, timeoutOf(headers['x-request-timeout'], config.deadlineMs), limits.memory);
      const question = { model: named, region: regionOf(region), maxPixels: maxImagePixels, demand };
      const decoded = await demand.meet(predictions.pictures.decode(caller, content.bytes, question));
      stages.answering();
      return sendPicture(reply, type, decoded);
    }
    if (operation === 'denoise' && content.form === 'picture') {
      const found = await predictions.restorers.find(caller, named);
      if (found) {
        const type = negotiate<PictureType>(headers.accept, pictureTypes);
        const demand = new Demand(reply.raw, timeoutOf(headers['x-request-timeout'], config.deadlineMs), limits.memory);
        const asked = { caller, model: named, found, demand };
        const restored = await demand.meet(restoreFile(predictions.restorers, asked, content.bytes, maxImagePixels));
        stages.answering();
        return sendPicture(reply, type, restored);
      }
    }
    const codec =
      operation === 'encode' && content.form === 'picture' && (await predictions.pictures.find(caller, named));
    const type = negotiate<(typeof offered)[number]>(headers.accept, offered);
    if (outliers && type !== json) throw jsonOnly(type);
    const demand = new Demand(reply.raw, timeoutOf(headers['x-request-timeout'], config.deadlineMs), limits.memory);
    const body = content;
    if (codec && body.form === 'picture') {
      if (type !== frame)
        throw picturesOnly(codec.name, `its codes are frames. Send Accept: ${frame} with the picture.`);
      const encoded = await demand.meet(
        encodePictureFrame(
          predictions.pictures,
          { caller, model: named, found: codec, demand },
          body.bytes,
          frameQuery,
          maxImagePixels,
        ),
      );
      stages.answering();
      return sendPictureFrame(reply, encoded, frameQuery.receipt === 'json');
    }
    const frameTarget = frameTargetOf(frameQuery, type === frame);
    const withTarget = type === png;

    if (body.form === 'frame') {
      const question = { frame: body.bytes, model: named, withTarget, demand };
      const { prediction, target } = await demand.meet(predictions.decodeFrame(caller, question));
      if (type === png) refuseSeveral(prediction.outputs);
      stages.answering();
      return sendRows(reply, type as RowsType, operation, prediction, target);
    }

    const context = { named, resize, maxPixels: maxImagePixels, isPicture: withTarget };
    const { model, rows } = rowsOf(body, operation, context);
    if (type === frame) {
      const question = { model, rows, target: frameTarget, demand };
      const encoded = await demand.meet(predictions.encodeFrame(caller, question));
      stages.answering();
      return sendFrame(reply, encoded, frameQuery.receipt === 'json');
    }
    const question = { operation, model, rows, withTarget, rateOutliers: outliers, demand };
    const { prediction, target, outliers: rated } = await demand.meet(predictions.predict(caller, question));
    stages.answering();
    return sendRows(reply, type, operation, prediction, target, rated && { outliers: rated });
  };
}

const jsonOnly = (type: string): HourglassError =>
  new HourglassError('invalid-request', `?outliers is said in JSON. Send Accept: ${json} with it.`, {
    field: 'Accept',
    expected: json,
    found: type,
  });
