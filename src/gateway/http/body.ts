/** What a request's body is: strictly by the content type that the route takes, JSON read as the contract wants it. */

import type { FastifyRequest } from 'fastify';
import { HourglassError } from '../../base/errors.ts';
import { readJson } from '../json/read.ts';
import { frame, json, mediaType, multipart, octets, pictures } from './media.ts';
import { type ReadLimits, readBody } from './read-body.ts';

/**
 * What a route does with a body: refuses one, reads JSON, reads rows in any of their forms,
 * takes the bytes of any type (compressed or not: the route inflates them), or takes the stream itself.
 */
export type BodyKind = 'none' | 'json' | 'rows' | 'any' | 'stream';

/** A body of the kind `rows`. */
export type RowsBody =
  | { readonly form: 'json'; readonly value: unknown }
  | { readonly form: 'octets'; readonly bytes: Buffer }
  | { readonly form: 'picture'; readonly bytes: Buffer }
  | { readonly form: 'frame'; readonly bytes: Buffer };

declare module 'fastify' {
  interface FastifyContextConfig {
    body?: BodyKind;
    /** requests without a body are answered as well */
    optionalBody?: boolean;
    /** errors have a member `error` with their text, as clients of other protocols expect it */
    errorMember?: boolean;
    /** content types of a `rows` or `stream` body */
    takes?: readonly string[];
    /** members of a JSON body that are tensors */
    tensors?: readonly string[];
  }
}

export interface BodyLimits extends ReadLimits {
  /** rows in any form */
  readonly maxBodyBytes: number;
  readonly maxBatch: number;
}

/** JSON without tensors is small: job specifications and the like. */
const maxJsonBytes = 1024 * 1024;
const maxIgnoredBytes = 1024;

/** The body as the route wants it. Throws errors of the table. */
export async function parseBody(request: FastifyRequest, limits: BodyLimits): Promise<unknown> {
  const { body: kind, tensors = [], takes = [json] } = request.routeOptions.config;
  // No such path or method: the answer does not depend on the body.
  if (kind === undefined) return undefined;
  if (kind !== 'any') refuseEncodings(request);
  switch (kind) {
    case 'any':
      return readBody(request, limits.maxBodyBytes, limits);
    case 'none':
      return refuseContent(await readBody(request, maxIgnoredBytes, limits));
    case 'json': {
      // JSON without its type is what a page of another site can send without asking first.
      if (refuseOtherTypes(request, [json]) === undefined) throw noType([json]);
      return readJson(await readBody(request, Math.min(maxJsonBytes, limits.maxBodyBytes), limits));
    }
    case 'rows': {
      const type = refuseOtherTypes(request, takes);
      const bytes = await readBody(request, limits.maxBodyBytes, limits);
      if (type === octets) return { form: 'octets', bytes } satisfies RowsBody;
      if (type === frame) return { form: 'frame', bytes } satisfies RowsBody;
      if (pictures.some((picture) => picture === type)) return { form: 'picture', bytes } satisfies RowsBody;
      if (type === undefined && !looksLikeJson(bytes)) throw noType(takes);
      const value = await readJson(bytes, { tensors, maxRows: limits.maxBatch });
      return { form: 'json', value } satisfies RowsBody;
    }
    case 'stream':
      refuseOtherTypes(request, takes);
      return request.raw;
    default:
      return kind satisfies never;
  }
}

/** Fastify asks for no parsing where nothing was sent. Throws `invalid-request`. */
export function requireBody({ body, routeOptions }: FastifyRequest): void {
  const { body: kind, takes = [json] } = routeOptions.config;
  if (body !== undefined || kind === undefined || kind === 'none' || routeOptions.config.optionalBody) return;
  throw new HourglassError('invalid-request', `The request has no body. Send ${takes.join(', ')}.`, {
    expected: takes,
  });
}

function refuseEncodings({ headers }: FastifyRequest): void {
  const encoding = headers['content-encoding'];
  if (encoding === undefined || encoding.toLowerCase() === 'identity') return;
  throw new HourglassError(
    'unsupported-media-type',
    'The body has a Content-Encoding. Send it as it is, not compressed.',
    {
      field: 'Content-Encoding',
      expected: 'identity',
      found: encoding.slice(0, 100),
    },
  );
}

/** The body's type; undefined when the client named none, which is then read as the first of those that are taken. */
function refuseOtherTypes({ headers }: FastifyRequest, takes: readonly string[]): string | undefined {
  const header = headers['content-type'];
  if (header === undefined) return undefined;
  const type = mediaType(header);
  const charset = /;\s*charset\s*=\s*"?([^";\s]+)/i.exec(header)?.[1]?.toLowerCase();
  const readable = type !== json || charset === undefined || charset === 'utf-8' || charset === 'utf8';
  if (takes.includes(type) && readable) return type;
  throw new HourglassError(
    'unsupported-media-type',
    `A body of ${readable ? type || 'no type' : header.slice(0, 100)} is not taken here. Send ${takes.join(', ')}${type === 'application/x-www-form-urlencoded' ? ` (curl: add -H 'Content-Type: ${takes[0]}')` : ''}.`,
    { field: 'Content-Type', expected: takes, found: header.slice(0, 100) },
  );
}

const looksLikeJson = (bytes: Buffer): boolean => /^[ \t\r\n]*\{/.test(bytes.toString('latin1', 0, 64));

const noType = (takes: readonly string[]): HourglassError =>
  new HourglassError('unsupported-media-type', `No Content-Type says what the body is. Send ${takes.join(', ')}.`, {
    field: 'Content-Type',
    expected: takes,
  });

/** Clients that always send something send an empty object. */
function refuseContent(bytes: Buffer): undefined {
  const text = bytes.toString().trim();
  if (text === '' || text === '{}') return undefined;
  throw new HourglassError('invalid-request', 'This call takes no body. Leave it out.', {
    found: { bytes: bytes.length },
  });
}

export const rowTypes = [json, octets, ...pictures] as const;
export const codeTypes = [json, octets, frame] as const;
/** An upload's format is found out by its bytes: these are the types that clients and systems send for the formats taken. */
export const uploadTypes = [
  octets,
  multipart,
  'text/csv',
  'application/zip',
  'application/x-tar',
  'application/gzip',
  'application/x-gzip',
  'text/plain',
  'text/tab-separated-values',
  'text/comma-separated-values',
  'text/x-csv',
  'application/csv',
  'application/x-csv',
  // Windows browsers, for .csv where Excel is installed, and for .zip
  'application/vnd.ms-excel',
  'application/x-zip-compressed',
  'application/x-zip',
  'application/tar',
  'application/x-gtar',
  'application/x-tar-gz',
  'application/x-compressed-tar',
  'application/x-compressed',
  'application/x-gzip-compressed',
  'application/x-npy',
  'binary/octet-stream',
  // curl --data-binary without a type
  'application/x-www-form-urlencoded',
] as const;
