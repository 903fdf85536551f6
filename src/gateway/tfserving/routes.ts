/**
 * The REST API of TensorFlow Serving: `:predict` with rows (`instances` → `predictions`) or columns (`inputs` → `outputs`), and
 * metadata. The operation is the signature (`signature_name`: encode by default), or stands in the name as in the Open Inference
 * Protocol (`digits.decode:predict`).
 */

import type { FastifyReply, FastifyRequest } from 'fastify';
import { HourglassError } from '../../base/errors.ts';
import { Demand, timeoutOf } from '../http/demand.ts';
import { json } from '../http/media.ts';
import { numbersAnswer } from '../http/numbers-answer.ts';
import type { App, RouteParts } from '../http/route-parts.ts';
import { warnInHeader } from '../http/rows-answer.ts';
import { problem } from '../http/schemas.ts';
import { readJson } from '../json/read.ts';
import { describeModel, inputNameOf, type OipTensor, parseName } from '../oip/models.ts';
import { rowsOfInputs, rowsOfInstances } from './rows.ts';

const tags = ['tensorflow serving'];
const anyJson = { content: { [json]: { schema: { type: 'object' } } } };
const defaultSignature = 'serving_default';

interface Params {
  readonly model: string;
  readonly version?: string;
  readonly label?: string;
}

export function tensorflowRoutes(app: App, parts: RouteParts): void {
  const { config, observer, limits } = parts;

  const predict = async (request: FastifyRequest, reply: FastifyReply): Promise<unknown> => {
    const { model, version } = addressOf(request.params as Params);
    const body = await readJson(request.body as Buffer, { tensors: ['instances', 'inputs'], orValues: true });
    if (typeof body !== 'object' || body === null) throw neither();
    const { signature_name: signature, instances, inputs } = body as Record<string, unknown>;
    if ((instances === undefined) === (inputs === undefined)) throw neither();
    const isDefault = signature === undefined || signature === '' || signature === defaultSignature;
    const reference = parseName(model, version, isDefault ? undefined : signature);
    const { operation } = reference;
    const stages = observer.predicting(reply, operation);
    const { headers, caller } = request;
    const demand = new Demand(reply.raw, timeoutOf(headers['x-request-timeout'], config.deadlineMs), limits.memory);
    const name = inputNameOf(operation);
    const rows =
      instances === undefined ? rowsOfInputs(inputs, name) : rowsOfInstances(instances, name, config.maxImagePixels);
    const question = { operation, model: reference.model, rows, demand };
    const { prediction } = await demand.meet(request.tenant.predictions.predict(caller, question));
    stages.answering();
    warnInHeader(reply, prediction.warnings);
    const member = instances === undefined ? 'outputs' : 'predictions';
    reply.type(json).header('cache-control', 'no-store');
    return reply.send(numbersAnswer(`{"${member}":`, prediction.outputs, '}'));
  };

  const what = ', in the form of TensorFlow Serving';
  for (const [url, of] of [
    ['/v1/models/:model', 'NAME:predict: rows to codes, or what the signature names'],
    ['/v1/models/:model/versions/:version', 'VERSION:predict: the same of a version'],
    ['/v1/models/:model/labels/:label', 'ALIAS:predict: the same of an alias'],
  ] as const) {
    app.post(
      url,
      {
        config: { scope: 'infer', body: 'any', errorMember: true, handlerChecks: ['body'] },
        schema: {
          tags,
          summary: `${of}${what}`,
          body: anyJson,
          response: {
            200: { description: 'predictions by row, or outputs by column', ...anyJson },
            400: problem('The body cannot be read, or has neither or both of instances and inputs'),
            404: problem('No such model, version or alias, or no such verb'),
            409: problem('The model does not answer this operation'),
            413: problem('Too many rows or bytes'),
            422: problem('Wrong shape or type, or numbers that are not finite'),
            429: problem('Too much work is waiting; Retry-After says when to come back'),
            503: problem('The model is damaged, or the server is stopping'),
            504: problem('No answer in time'),
          },
        },
      },
      predict,
    );
  }

  app.get(
    '/v1/models/:model/metadata',
    {
      config: { scope: 'infer', errorMember: true },
      schema: {
        tags,
        summary: `Signatures of a model${what}`,
        response: { 200: { description: 'Signatures', ...anyJson }, 404: problem('No such model, version or alias') },
      },
    },
    async ({ params, caller, tenant }) => {
      const reference = parseName((params as Params).model);
      const { version, input, output } = await describeModel(tenant, caller, reference);
      const signature = {
        inputs: { [input.name]: tensorInfo(input) },
        outputs: { [output.name]: tensorInfo(output) },
        method_name: 'tensorflow/serving/predict',
      };
      return {
        model_spec: { name: reference.name, signature_name: '', version },
        metadata: { signature_def: { signature_def: { [defaultSignature]: signature } } },
      };
    },
  );
}

const verb = ':predict';

/** Takes the verb off the last part of the path. Throws `route-not-found` for another verb or none. */
function addressOf({ model, version, label }: Params): { model: string; version: string } {
  const last = label ?? version ?? model;
  if (!last.endsWith(verb)) {
    throw new HourglassError(
      'route-not-found',
      'POST here needs the verb :predict at the end of the path, as in digits:predict.',
      {
        expected: verb,
      },
    );
  }
  const rest = last.slice(0, -verb.length);
  return label === undefined && version === undefined ? { model: rest, version: '' } : { model, version: rest };
}

const neither = (): HourglassError =>
  new HourglassError(
    'invalid-request',
    'Send either "instances" (rows) or "inputs" (columns): {"instances": [[…], […]]}.',
    {
      expected: ['instances', 'inputs'],
    },
  );

const tensorInfo = ({ name, shape }: OipTensor) => ({
  dtype: 'DT_FLOAT',
  tensor_shape: { dim: shape.map((size) => ({ size: String(size), name: '' })), unknown_rank: false },
  name: `${name}:0`,
});
