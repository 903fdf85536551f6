/**
 * Answers of models: encode, decode, denoise, reconstruct, under the model's path or in short. Rows come as JSON, raw
 * float32 or a picture, and go out as the client accepts.
 */

import { Readable } from 'node:stream';
import { setImmediate as breathe } from 'node:timers/promises';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { HourglassError } from '../../../base/errors.ts';
import type { NdArray } from '../../../base/ndarray.ts';
import type { Operation } from '../../../registry/manifest.ts';
import type { Prediction, PredictTarget } from '../../../serve/predictor.ts';
import { writeNumbers } from '../../json/write.ts';
import { bytesOfRows, picturesOfRows, rowsOfBytes, rowsOfPictures } from '../../rows.ts';
import { codeTypes, type RowsBody, rowTypes } from '../body.ts';
import { cancellation, orAborted } from '../cancellation.ts';
import { json, negotiate, octets, png } from '../media.ts';
import type { App, RouteParts } from '../parts.ts';
import { problem, ref } from '../schemas.ts';

const tags = ['predictions'];
const binary = { schema: { type: 'string', format: 'binary' } };

const summaries: Readonly<Record<Operation, string>> = {
  encode: 'Rows to codes',
  decode: 'Codes to rows',
  denoise: 'Noisy rows to clean rows',
  reconstruct: 'Rows through the code and back',
};

const resize = Type.Optional(
  Type.Boolean({ default: false, description: 'fit a picture of another size to the model instead of refusing it' }),
);
const LongQuery = Type.Object({ resize }, { additionalProperties: false });
const ShortQuery = Type.Object(
  { resize, model: Type.Optional(Type.String({ description: 'digits (newest), digits@2 or digits:stable' })) },
  { additionalProperties: false },
);
const ReferenceParams = Type.Object({
  model: Type.String({ description: 'digits (newest), digits@2 or digits:stable' }),
});

export function predictionRoutes(app: App, parts: RouteParts): void {
  for (const operation of Object.keys(summaries) as Operation[]) {
    const answer = answerer(operation, parts);
    const { config, schema } = describe(operation);
    app.post(
      `/v1/models/:model/${operation}`,
      { config, schema: { ...schema, params: ReferenceParams, querystring: LongQuery } },
      async (request, reply) => answer(request, reply, request.params.model, request.query.resize ?? false),
    );
    app.post(
      `/${operation}`,
      {
        config,
        schema: {
          ...schema,
          summary: `${summaries[operation]}; the model is named in the body, the query, or the only one`,
          querystring: ShortQuery,
        },
      },
      async (request, reply) => answer(request, reply, request.query.model, request.query.resize ?? false),
    );
  }
}

const inputOf = (operation: Operation): 'codes' | 'inputs' => (operation === 'decode' ? 'codes' : 'inputs');
const outputOf = (operation: Operation): 'codes' | 'outputs' => (operation === 'encode' ? 'codes' : 'outputs');

function describe(operation: Operation) {
  const takes = operation === 'decode' ? codeTypes : rowTypes;
  const asked = { [json]: { schema: ref(operation === 'decode' ? 'CodesRequest' : 'RowsRequest') } };
  const others = Object.fromEntries(takes.slice(1).map((type) => [type, binary]));
  const answered = {
    [json]: { schema: ref(operation === 'encode' ? 'CodesAnswer' : 'OutputsAnswer') },
    [octets]: binary,
  };
  return {
    config: { body: 'rows', takes, tensors: [inputOf(operation)] },
    schema: {
      tags,
      summary: summaries[operation],
      body: { content: { ...asked, ...others } },
      response: {
        200: {
          description: 'In the accepted type; X-Hourglass-Model and X-Hourglass-Shape say the same of binary answers',
          content: operation === 'encode' ? answered : { ...answered, [png]: binary },
        },
        400: problem('The body cannot be read, has unknown fields, or names no model where one is needed'),
        404: problem('No such model, version or alias'),
        406: problem('No answer in the accepted types'),
        409: problem('The model does not answer this call'),
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
  resize: boolean,
) => Promise<unknown>;

function answerer(operation: Operation, { predictor, config, metrics }: RouteParts): Answer {
  const offered = [json, octets, ...(operation === 'encode' ? [] : ([png] as const))] as const;
  return async (request, reply, named, resize) => {
    metrics.observe('stageDuration', reply.elapsedTime / 1000, { stage: 'read', operation });
    const type = negotiate(request.headers.accept, offered);
    const signal = cancellation(reply.raw, { deadlineMs: config.deadlineMs });
    const body = request.body as RowsBody | undefined;

    const work = async (): Promise<{ prediction: Prediction; target: PredictTarget | undefined }> => {
      const members = body === undefined || body.form === 'json' ? jsonMembers(body?.value, operation) : undefined;
      const model = oneModel(named, members?.model);
      const needsTarget = members === undefined || type === png;
      const target = needsTarget ? await predictor.resolve(operation, model) : undefined;
      const exact = target ? `${target.model}@${target.version}` : model;
      const inputs =
        members?.rows ?? (await rowsOf(body as RowsBody, target as PredictTarget, resize, config.maxImagePixels));
      if (type === png) refuseSeveral(inputs);
      return { prediction: await predictor.predict({ operation, model: exact, inputs, signal }), target };
    };
    const { prediction, target } = await orAborted(work(), signal);

    metrics.count('predictedRows', prediction.outputs.shape[0] ?? 0, { operation });
    const start = performance.now();
    reply.raw.once('finish', () =>
      metrics.observe('stageDuration', (performance.now() - start) / 1000, { stage: 'write', operation }),
    );
    const { model, version, outputs } = prediction;
    reply
      .type(type)
      .header('cache-control', 'no-store')
      .header('vary', 'accept')
      .header('x-hourglass-model', `${model}@${version}`)
      .header('x-hourglass-shape', outputs.shape.join(','));
    switch (type) {
      case json:
        return reply.send(jsonAnswer(outputOf(operation), prediction));
      case octets:
        return reply.send(Buffer.from(bytesOfRows(outputs)));
      case png: {
        const [picture] = await picturesOfRows(prediction, target as PredictTarget);
        return reply.header('x-hourglass-shape', outputs.shape.join(',')).send(Buffer.from(picture as Uint8Array));
      }
      default:
        return type satisfies never;
    }
  };
}

function jsonMembers(value: unknown, operation: Operation): { model: string | undefined; rows: NdArray<'float32'> } {
  const name = inputOf(operation);
  const fields = ['model', name];
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new HourglassError('invalid-request', `The body must be an object with "${name}": {"${name}": [[…], […]]}.`, {
      expected: fields,
      found: value === undefined ? 'no body' : Array.isArray(value) ? 'an array' : String(value).slice(0, 20),
    });
  }
  const members = value as Record<string, unknown>;
  for (const key of Object.keys(members)) {
    if (fields.includes(key)) continue;
    const field = `/${key.slice(0, 100).replaceAll('~', '~0').replaceAll('/', '~1')}`;
    throw new HourglassError(
      'unknown-field',
      `There is no field ${JSON.stringify(key.slice(0, 100))} here; there are ${fields.join(' and ')}.`,
      {
        field,
        expected: fields,
        found: key.slice(0, 100),
      },
    );
  }
  const { model } = members;
  const rows = members[name];
  if (model !== undefined && typeof model !== 'string') {
    throw new HourglassError(
      'invalid-type',
      '"model" must be a text such as "digits", "digits@2" or "digits:stable".',
      {
        field: '/model',
        expected: 'a string',
        found: model === null ? 'null' : typeof model,
      },
    );
  }
  if (rows === undefined) {
    throw new HourglassError('invalid-request', `The body has no "${name}": {"${name}": [[…], […]]}.`, {
      field: `/${name}`,
      expected: 'a list of rows of numbers',
    });
  }
  return { model, rows: rows as NdArray<'float32'> };
}

function oneModel(inRequest: string | undefined, inBody: string | undefined): string | undefined {
  if (inRequest !== undefined && inBody !== undefined && inRequest !== inBody) {
    throw new HourglassError('invalid-request', 'The request and its body name different models. Name one.', {
      field: '/model',
      expected: inRequest.slice(0, 200),
      found: inBody.slice(0, 200),
    });
  }
  return inRequest ?? inBody;
}

async function rowsOf(
  body: RowsBody,
  target: PredictTarget,
  resize: boolean,
  maxPixels: number,
): Promise<NdArray<'float32'>> {
  if (body.form === 'octets') return rowsOfBytes(body.bytes, target);
  if (body.form === 'picture') return rowsOfPictures([body.bytes], target, { resize, maxPixels });
  throw new TypeError('JSON rows carry their own shape');
}

function refuseSeveral({ shape: [rows = 0] }: NdArray): void {
  if (rows === 1) return;
  throw new HourglassError(
    'not-acceptable',
    `A picture holds one row, but there are ${rows}. Send one, or accept ${json} or ${octets}.`,
    {
      field: 'Accept',
      expected: { rows: 1 },
      found: { rows },
    },
  );
}

/** Small answers in one piece, large ones as they are read. */
function jsonAnswer(name: string, { model, version, outputs }: Prediction): Buffer | Readable {
  const head = `{"model":${JSON.stringify(model)},"version":${version},"${name}":`;
  const pieces = writeNumbers(outputs);
  const first = pieces.next();
  const second = pieces.next();
  if (second.done) return Buffer.concat([Buffer.from(head), first.value as Buffer, Buffer.from('}')]);
  return Readable.from(
    (async function* () {
      yield Buffer.from(head);
      yield first.value as Buffer;
      yield second.value;
      for (const piece of pieces) {
        await breathe();
        yield piece;
      }
      yield Buffer.from('}');
    })(),
    { objectMode: false },
  );
}
