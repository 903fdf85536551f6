/** The Open Inference Protocol over REST: /v2. See models.ts for what a model is called. */

import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { TSchema } from 'typebox';
import type { Demanded } from '../../access/access.ts';
import type { AuditAction } from '../../access/audit-entry.ts';
import { HourglassError } from '../../base/errors.ts';
import { Demand, timeoutOf } from '../http/demand.ts';
import { json, octets } from '../http/media.ts';
import { bytesHeldBy, holdsBytes, numbersAnswer } from '../http/numbers-answer.ts';
import { holdingOf } from '../http/read-body.ts';
import type { App, RouteParts } from '../http/route-parts.ts';
import { warnInHeader } from '../http/rows-answer.ts';
import { problem } from '../http/schemas.ts';
import type { Coding } from '../inflate.ts';
import { readJson } from '../json/read.ts';
import { bytesOfRows } from '../row-conversion.ts';
import type { Tenant } from '../tenants.ts';
import { infer } from './infer.ts';
import { describeModel, listNames, type OipModel, oipExtensions, parseName, platform } from './models.ts';
import { deflateBody, headerLength, inflateBody, parseInfer } from './rest-body.ts';
import {
  Live,
  ModelConfig,
  ModelFacts,
  ModelNames,
  ModelParams,
  ModelReady,
  ModelStatistics,
  Nothing,
  RepositoryIndex,
  ServerFacts,
  VersionParams,
} from './schemas.ts';

const tags = ['open inference protocol'];
const anyObject = { type: 'object' } as const;
const anyJson = { content: { [json]: { schema: anyObject } } };
const ok = (description: string, schema: TSchema) => ({ description, content: { [json]: { schema } } });
/** The handler reads the names itself, so that its errors say what is wrong. */
const handlerChecks = ['params', 'body'] as const;
const paramsOf = (url: string) =>
  url.includes(':') && { params: url.includes(':version') ? VersionParams : ModelParams };
const notFound = problem('No such model, version or alias');

interface Named {
  readonly model: string;
  readonly version?: string;
}

/** Throws `invalid-request` for `/versions//…`: a path with a version that is empty. */
function namedBy({ params }: FastifyRequest): Named {
  const named = params as Named;
  if (named.version !== '') return named;
  throw new HourglassError('invalid-request', 'The path has an empty version. Name one, or leave /versions/ out.', {
    field: 'version',
  });
}

/** Answers shorter than this do not get smaller by compressing them. */
const leastCompressed = 1024;

export function oipRoutes(app: App, parts: RouteParts): void {
  const { readiness, config, observer, version, limits } = parts;
  const describe = (request: FastifyRequest): Promise<OipModel> => {
    const { model, version: wanted } = namedBy(request);
    return describeModel(request.tenant, request.caller, parseName(model, wanted));
  };
  const get = (
    url: string,
    summary: string,
    answer: TSchema,
    handler: (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>,
    scope: Demanded = 'infer',
  ) =>
    app.get(
      url,
      {
        config: { scope, errorMember: true, handlerChecks: [...handlerChecks] },
        schema: {
          ...{ tags, summary },
          ...paramsOf(url),
          response: { 200: ok(summary, answer), ...(url.includes(':') && { 404: notFound }) },
        },
      },
      handler,
    );
  const getModel = (
    path: string,
    summary: string,
    schema: TSchema,
    answer: (model: OipModel, tenant: Tenant) => unknown,
  ): void => {
    for (const of of ['', '/versions/:version']) {
      const title = of ? `${summary}, of a version or alias` : summary;
      get(`/v2/models/:model${of}${path}`, title, schema, async (request) =>
        answer(await describe(request), request.tenant),
      );
    }
  };

  get('/v2/health/live', 'Is the server alive?', Live, async () => ({ live: true, ready: true }), 'open');
  get(
    '/v2/health/ready',
    'Can the server answer inferences?',
    Live,
    async (_request, reply) => {
      const { parts: states } = await readiness.report();
      const ready = states.registry.ready && states.models.ready && states.server.ready;
      reply.status(ready ? 200 : 503);
      return { live: true, ready };
    },
    'open',
  );
  const server = async () => ({ name: 'hourglass', version, extensions: oipExtensions });
  get('/v2', 'Name, version and extensions of the server', ServerFacts, server);
  app.get('/v2/', { config: { scope: 'infer', errorMember: true }, schema: { hide: true } }, server);
  get('/v2/models', 'Names of all models', ModelNames, async ({ tenant }) => ({
    models: (await listNames(tenant)).map(({ name }) => name),
  }));
  get(
    '/v2/models/stats',
    'Counts and times of inferences, of each model version',
    ModelStatistics,
    async ({ tenant }) => ({
      model_stats: tenant.predictions.statistics().map(statisticsOf),
    }),
  );

  getModel('', 'Inputs and outputs of a model', ModelFacts, (model) => ({
    name: model.name,
    versions: model.versions,
    platform,
    inputs: [model.input],
    outputs: [model.output],
  }));
  getModel('/ready', 'Can the model answer?', ModelReady, ({ name }) => ({ name, ready: true }));
  getModel('/config', 'Configuration of a model in the form of Triton', ModelConfig, (model) =>
    configOf(model, config.maxBatch),
  );
  getModel('/stats', 'Counts and times of inferences', ModelStatistics, (model, { predictions }) => ({
    model_stats: [
      statisticsOf(
        predictions
          .statistics()
          .find((entry) => entry.model === model.model && entry.operation === model.operation) ?? {
          ...{ model: model.model, operation: model.operation },
          ...{ requests: 0, rows: 0, nanoseconds: 0, last: 0 },
        },
      ),
    ],
  }));

  const post = (
    url: string,
    summary: string,
    config: { readonly scope: Demanded; readonly audit?: AuditAction },
    answer: TSchema,
    handler: (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>,
  ) =>
    app.post(
      url,
      {
        config: { ...config, body: 'any', optionalBody: true, errorMember: true, handlerChecks: [...handlerChecks] },
        schema: {
          ...{ tags, summary, body: anyJson },
          ...paramsOf(url),
          response: { 200: ok(summary, answer), 404: notFound },
        },
      },
      async (request, reply) => {
        await checkOptions(request.body as Buffer | undefined);
        return handler(request, reply);
      },
    );
  post(
    '/v2/repository/index',
    'All models with their newest version',
    { scope: 'infer' },
    RepositoryIndex,
    async ({ tenant }) => (await listNames(tenant)).map((entry) => ({ ...entry, state: 'READY', reason: '' })),
  );
  post(
    '/v2/repository/models/:model/load',
    'Bring a model into memory before it is asked',
    { scope: 'publish', audit: 'model.load' },
    Nothing,
    async (request) => {
      const { model } = request.params as Named;
      await request.tenant.predictions.load(request.caller, parseName(model).model);
      return {};
    },
  );
  post(
    '/v2/repository/models/:model/unload',
    'Drop a model from memory; the next inference loads it again',
    { scope: 'publish', audit: 'model.unload' },
    Nothing,
    async (request) => {
      const { model } = request.params as Named;
      await request.tenant.predictions.unload(request.caller, parseName(model).model);
      return {};
    },
  );

  const inferHandler = async (request: FastifyRequest, reply: FastifyReply): Promise<unknown> => {
    const { model, version: wanted } = namedBy(request);
    const { headers, caller } = request;
    const length = headers[headerLength];
    const body = await inflateBody(
      request.body as Buffer,
      headers['content-encoding'],
      () => holdingOf(request.raw, limits.memory),
      config.maxBodyBytes,
    );
    const { id, parameters, inputs, outputs, isBinary } = await parseInfer(
      body,
      Array.isArray(length) ? length[0] : length,
    );
    const reference = parseName(model, wanted, parameters.operation);
    const stages = observer.predicting(reply, reference.operation);
    const demand = new Demand(
      reply.raw,
      timeoutOf(headers['x-request-timeout'], limitOf(parameters.timeout, config.deadlineMs)),
      limits.memory,
    );
    const answer = await demand.meet(infer(request.tenant.predictions, caller, { reference, inputs, outputs, demand }));
    stages.answering();
    const { prediction, outputName: name } = answer;
    const { shape } = prediction.outputs;
    const { warnings } = prediction;
    warnInHeader(reply, warnings);
    const head = {
      model_name: reference.name,
      model_version: String(prediction.version),
      ...(id !== undefined && { id }),
      ...(warnings && { parameters: { warning: warnings.join(' ') } }),
    };
    const output = { name, datatype: 'FP32', shape };
    reply.header('cache-control', 'no-store');
    if (isBinary(name)) {
      const raw = bytesOfRows(prediction.outputs);
      const text = JSON.stringify({ ...head, outputs: [{ ...output, parameters: { binary_data_size: raw.length } }] });
      reply.type(octets).header('Inference-Header-Content-Length', Buffer.byteLength(text));
      return send(request, reply, Buffer.concat([Buffer.from(text), raw]));
    }
    const text = JSON.stringify({ ...head, outputs: [output] });
    const flat = { ...prediction.outputs, shape: [prediction.outputs.data.length] };
    // … "shape":[1,32]}]} with the data before the last three brackets.
    reply.type(json);
    return send(request, reply, numbersAnswer(`${text.slice(0, -3)},"data":`, flat, '}]}'));
  };
  for (const of of ['', '/versions/:version']) {
    app.post(
      `/v2/models/:model${of}/infer`,
      {
        config: { scope: 'infer', body: 'any', errorMember: true, handlerChecks: [...handlerChecks] },
        schema: {
          tags,
          summary: of
            ? 'Infer with a version or an alias'
            : 'Infer: rows to codes, codes to rows …; the operation is in the name',
          params: of ? VersionParams : ModelParams,
          body: {
            content: {
              [json]: { schema: { type: 'object' } },
              [octets]: { schema: { type: 'string', format: 'binary' } },
            },
          },
          response: {
            200: ok('Outputs as JSON, or as bytes behind the JSON where the request asks for them', anyObject),
            400: problem('The request does not follow the protocol, or names other tensors than the model has'),
            404: notFound,
            409: problem('The model does not answer this operation'),
            413: problem('Too many rows or bytes'),
            415: problem('The Content-Encoding is not taken'),
            422: problem('Wrong shape or datatype, or numbers that are not finite'),
            429: problem('Too much work is waiting; Retry-After says when to come back'),
            503: problem('The model is damaged, or the server is stopping'),
            504: problem('No answer in time'),
          },
        },
      },
      inferHandler,
    );
  }
}

/** The options of a call, none of which changes what it does here. Throws `malformed-json`, `invalid-request`. */
async function checkOptions(body: Buffer | undefined): Promise<void> {
  if (body === undefined || body.length === 0) return;
  const options = await readJson(body);
  if (typeof options === 'object' && options !== null && !Array.isArray(options)) return;
  throw new HourglassError('invalid-request', 'The body must be a JSON object, or be left out.', {
    expected: 'object',
  });
}

/** Compressed where the client asks for it by name and it is worth it. */
function send(request: FastifyRequest, reply: FastifyReply, body: Buffer | Readable): FastifyReply {
  const accepted = String(request.headers['accept-encoding'] ?? '').toLowerCase();
  const coding = (['gzip', 'deflate'] as const satisfies Coding[]).find((name) => accepted.includes(name));
  const isShort = Buffer.isBuffer(body) && body.length < leastCompressed;
  if (coding === undefined || isShort) return reply.send(body);
  const bytes = Buffer.isBuffer(body) ? body.length : bytesHeldBy(body);
  const compressed = deflateBody(Buffer.isBuffer(body) ? Readable.from([body]) : body, coding);
  return reply.header('content-encoding', coding).header('vary', 'accept-encoding').send(holdsBytes(compressed, bytes));
}

/** The parameter `timeout` counts microseconds. */
function limitOf(timeout: unknown, deadlineMs: number): number {
  if (timeout === undefined || timeout === 0) return deadlineMs;
  if (typeof timeout === 'number' && timeout > 0) return Math.min(deadlineMs, timeout / 1000);
  throw new HourglassError('invalid-request', 'The parameter "timeout" must be a number of microseconds.', {
    field: '/parameters/timeout',
    expected: 'microseconds',
  });
}

const configOf = (model: OipModel, maxBatch: number) => ({
  name: model.name,
  platform,
  backend: 'hourglass',
  max_batch_size: maxBatch,
  input: [{ name: model.input.name, data_type: 'TYPE_FP32', dims: model.input.shape.slice(1) }],
  output: [{ name: model.output.name, data_type: 'TYPE_FP32', dims: model.output.shape.slice(1) }],
});

type Statistics = ReturnType<Tenant['predictions']['statistics']>[number];

function statisticsOf({ model, operation, requests, rows, nanoseconds, last }: Statistics) {
  const [name, version] = model.split('@');
  return {
    name: `${name}.${operation}`,
    version,
    last_inference: last,
    inference_count: rows,
    execution_count: requests,
    inference_stats: { success: { count: requests, ns: nanoseconds }, fail: { count: 0, ns: 0 } },
  };
}
