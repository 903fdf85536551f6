/** Data sets: upload (streamed on as it arrives), look, delete. */

import type { IncomingMessage } from 'node:http';
import { Type } from 'typebox';
import { HourglassError } from '../../../base/errors.ts';
import type { UploadPart } from '../../../data/dataset.ts';
import { namePattern } from '../../../jobspec/job.ts';
import { readRows } from '../../dataset-preview.ts';
import { createDataset, deleteDataset } from '../../datasets.ts';
import { readJson } from '../../json/read.ts';
import { within } from '../../pauses.ts';
import { clientOf } from '../../places.ts';
import { uploadTypes } from '../body.ts';
import { cancellation } from '../cancellation.ts';
import { whenEnded } from '../ending.ts';
import { json, mediaType, multipart, negotiate, octets } from '../media.ts';
import { readMultipart } from '../multipart.ts';
import { goAhead, tooLarge } from '../read-body.ts';
import type { App, RouteParts } from '../route-parts.ts';
import { noContent, problem, ref } from '../schemas.ts';

const tags = ['datasets'];
const binary = { schema: { type: 'string', format: 'binary' } };
const DatasetParams = Type.Object({ name: Type.String({ pattern: namePattern, description: 'name of a data set' }) });

const UploadQuery = Type.Object(
  {
    name: Type.Optional(
      Type.String({ description: 'name of the new data set; a form may carry it as a field instead' }),
    ),
    encoding: Type.Optional(
      Type.String({ description: 'of text, such as windows-1252; the same as "encoding" in the options' }),
    ),
    filename: Type.Optional(Type.String({ description: 'what the file is called, for messages' })),
    options: Type.Optional(
      Type.String({ description: 'UploadOptions as JSON; a form may carry them as a field instead' }),
    ),
  },
  { additionalProperties: false },
);

const RowsQuery = Type.Object(
  {
    split: Type.Optional(Type.Enum(['train', 'test'], { default: 'train' })),
    offset: Type.Optional(
      Type.Integer({ minimum: 0, maximum: 999_999_999, default: 0, description: 'number of the first row' }),
    ),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: 20, description: 'rows in the answer' })),
  },
  { additionalProperties: false },
);

const form = { schema: ref('UploadForm') };

export function datasetRoutes(app: App, { config, metrics, limits }: RouteParts): void {
  app.post(
    '/v1/datasets',
    {
      config: { scope: 'train', audit: 'dataset.create', body: 'stream', handlerChecks: ['body'], takes: uploadTypes },
      schema: {
        tags,
        summary:
          'Upload a data set: one file as the body, or several in a form; it is checked completely before it is there',
        querystring: UploadQuery,
        // the form first: openapi-generator takes its members from the first type alone
        body: {
          content: {
            [multipart]: form,
            ...Object.fromEntries(uploadTypes.filter((type) => type !== multipart).map((type) => [type, binary])),
          },
        },
        response: {
          201: ref('DatasetInfo', 'It is there; Location names it'),
          400: problem('The name or an option is not as described, or the form cannot be read'),
          409: problem('The name is taken'),
          413: problem('More bytes or parts than allowed'),
          415: problem('The content type is not taken'),
          408: problem('Nothing more of the upload arrived for too long'),
          422: problem('The data cannot be used; the detail says what was wrong in which row'),
          429: problem('Too many uploads are in progress, or the quota of data sets is used up'),
          503: problem('The storage is away; Retry-After says when to try again'),
          507: problem('The disk is full'),
        },
      },
    },
    async (request, reply) => {
      const { query, raw, headers } = request;
      const declared = Number(headers['content-length'] ?? 0);
      if (declared > config.maxUploadBytes) throw tooLarge(config.maxUploadBytes, declared);
      const client = clientOf(raw.socket.remoteAddress);
      whenEnded(reply.raw, request.tenant.quota.takePlace(limits.uploads, client));
      // The check of an upload may take longer than a connection may be idle.
      raw.socket.setTimeout(0);
      whenEnded(reply.raw, () => raw.socket.setTimeout(config.idleTimeoutMs));
      goAhead(raw);
      const signal = cancellation(reply.raw);
      const body = raw.on('data', ({ length }: Buffer) => metrics.count('uploadBytes', length)).pause();
      try {
        const isForm = mediaType(headers['content-type'] ?? '') === multipart;
        const { fields, parts } = isForm
          ? await within(readMultipart(body), config.stallTimeoutMs)
          : { fields: {}, parts: [singleFile(body, query.filename)] };
        const head = await headOf(query, fields);
        if (isForm && head.name === undefined) throw noName();
        const encoding = query.encoding ?? charsetOf(headers['content-type']);
        const info = await createDataset(request.tenant, {
          ...{ client, head: withEncoding(head, encoding), parts, signal },
          stallMs: config.stallTimeoutMs,
        });
        metrics.count('uploads', 1, { outcome: 'accepted' });
        request.changed = { name: info.name };
        return reply.status(201).header('location', `/v1/datasets/${info.name}`).send(info);
      } catch (error) {
        metrics.count('uploads', 1, { outcome: 'refused' });
        throw signal.aborted ? signal.reason : error;
      }
    },
  );

  app.get(
    '/v1/datasets',
    {
      config: { scope: 'read' },
      schema: {
        tags,
        summary: 'List data sets',
        response: { 200: ref('DatasetList', 'Built-in and uploaded ones'), 503: problem('The storage is away') },
      },
    },
    async ({ tenant }) => ({ datasets: await tenant.datasets.list() }),
  );

  app.get(
    '/v1/datasets/:name',
    {
      config: { scope: 'read', handlerChecks: ['params'] },
      schema: {
        tags,
        summary: 'Show a data set: shape, range, number of rows, hash',
        params: DatasetParams,
        response: {
          200: ref('DatasetInfo', 'The data set'),
          404: problem('No such data set'),
          503: problem('The storage is away'),
        },
      },
    },
    async ({ params, tenant }) => tenant.datasets.info(params.name),
  );

  app.get(
    '/v1/datasets/:name/rows',
    {
      config: { scope: 'read', handlerChecks: ['params'] },
      schema: {
        tags,
        summary: 'Show rows of a data set as they are trained on; pictures of several sizes as squares of 96 pixels',
        params: DatasetParams,
        querystring: RowsQuery,
        response: {
          200: {
            description: 'Rows of the split; as octets float32, of which X-Hourglass-Shape tells the shape',
            content: { [json]: { schema: ref('DatasetRows') }, [octets]: binary },
          },
          404: problem('No such data set'),
          406: problem('No answer in the accepted types'),
          413: problem('Too many values at once'),
          503: problem('The storage is away'),
        },
      },
    },
    async ({ params, query, headers, tenant }, reply) => {
      const type = negotiate(headers.accept, [json, octets]);
      const { split = 'train', offset = 0, limit = 20 } = query;
      const slice = await readRows(tenant.datasets, params.name, { split, offset, limit });
      const { values, rows, shape, labels, classCounts, texts, info } = slice;
      reply.header('cache-control', 'no-store').header('vary', 'accept').type(type);
      if (type === octets) {
        const { buffer, byteOffset, byteLength } = values;
        return reply
          .header('x-hourglass-shape', [rows, ...shape].join(','))
          .send(Buffer.from(buffer, byteOffset, byteLength));
      }
      const size = rows === 0 ? 0 : values.length / rows;
      return {
        ...{ dataset: info.name, split, offset, total: info.rows[split], shape: [...shape] },
        rows: Array.from({ length: rows }, (_, i) =>
          Array.from(values.subarray(i * size, (i + 1) * size), (value) => (Number.isNaN(value) ? null : value)),
        ),
        ...(labels && { labels, classCounts }),
        ...(texts && { texts }),
      };
    },
  );

  app.delete(
    '/v1/datasets/:name',
    {
      config: { scope: 'train', audit: 'dataset.delete', body: 'none', handlerChecks: ['params'] },
      schema: {
        tags,
        summary: 'Delete an uploaded data set',
        params: DatasetParams,
        response: {
          204: noContent('Deleted'),
          404: problem('No such data set'),
          409: problem('It is built in, or a job uses it'),
          503: problem('The queue, which knows who uses it, or the storage is away'),
        },
      },
    },
    async ({ params, tenant }, reply) => {
      await deleteDataset(tenant.datasets, tenant.queue, params.name);
      return reply.status(204).send(undefined);
    },
  );
}

interface ParsedHead {
  readonly name?: string;
  readonly options?: unknown;
}

/** A form is read as it arrives, so what comes after the first file is not known yet. */
const noName = (): HourglassError =>
  new HourglassError(
    'invalid-request',
    '"name" is missing. Send the fields of a form, name and options, before its files, or put the name into the query: ?name=.',
    { field: '/name' },
  );

/** RFC 7111: text/csv says its encoding as a charset. */
const charsetOf = (type = ''): string | undefined =>
  mediaType(type).startsWith('text/') ? /;\s*charset\s*=\s*"?([^";\s]+)/i.exec(type)?.[1] : undefined;

/** What the options say counts for more. Options that are no object are left to the check. */
function withEncoding(head: ParsedHead, encoding: string | undefined): ParsedHead {
  const { options = {} } = head;
  if (encoding === undefined || typeof options !== 'object' || options === null || Array.isArray(options)) return head;
  return { ...head, options: { encoding, ...options } };
}

interface Head {
  readonly name?: string;
  /** JSON */
  readonly options?: string;
}

/** From the query or the form. Throws `invalid-request`, `malformed-json`. */
async function headOf(query: Head, fields: Head): Promise<ParsedHead> {
  for (const member of ['name', 'options'] as const) {
    if (query[member] === undefined || fields[member] === undefined) continue;
    throw new HourglassError('invalid-request', `"${member}" is in the query and in the form. Send it once.`, {
      field: member,
    });
  }
  const { name, options } = { ...fields, ...query };
  return {
    ...(name !== undefined && { name }),
    ...(options !== undefined && { options: await readJson(Buffer.from(options)) }),
  };
}

function singleFile(body: IncomingMessage, fileName: string | undefined): UploadPart {
  // Left open when reading ends early: the answer goes out on the same connection.
  const content = body.iterator({ destroyOnReturn: false });
  return { role: 'rows', content, ...(fileName !== undefined && { fileName }) };
}
