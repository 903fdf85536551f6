/**
 * Errors on the wire: status and text from the error table, the code with its facts as google.rpc details in
 * `grpc-status-details-bin`. Also gives those endings that the gRPC library decides by itself (a message too large, a
 * deadline passed) a code of the table.
 */

import { create, type DescMessage, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { type Any, anyPack, anyUnpack, durationFromMs } from '@bufbuild/protobuf/wkt';
import { Metadata, type StatusObject, status } from '@grpc/grpc-js';
import { errorTable, grpcStatus, HourglassError } from '../../base/errors.ts';
import {
  BadRequestSchema,
  ErrorInfoSchema,
  RequestInfoSchema,
  RetryInfoSchema,
} from '../../gen/google/rpc/error_details_pb.ts';
import { StatusSchema } from '../../gen/google/rpc/status_pb.ts';

export const detailsKey = 'grpc-status-details-bin';
export const errorDomain = 'hourglass';

/** Trailers share 8 KiB with other implementations' limits, so nothing that a client sent comes back in full. */
const longestText = 1024;
const longestFact = 512;

/** `encodeURI`, which puts the text into the trailers, throws on half a surrogate pair. */
const wellFormed = (text: string): string => Buffer.from(text).toString();

const shorten = (text: string, length: number): string =>
  wellFormed(text.length <= length ? text : `${text.slice(0, length - 1)}…`);

/** A status that grpc-js can send, with everything a client needs to act on it. */
export function toStatus(error: HourglassError, requestId: string): StatusObject {
  const code = grpcStatus[errorTable[error.code].grpc];
  const message = shorten(error.message, longestText);
  const metadata = new Metadata();
  const details = toBinary(StatusSchema, create(StatusSchema, { code, message, details: detailsOf(error, requestId) }));
  metadata.set(detailsKey, Buffer.from(details));
  if (error.facts.retryAfter !== undefined) {
    metadata.set('grpc-retry-pushback-ms', String(Math.round(error.facts.retryAfter * 1000)));
  }
  return { code, details: message, metadata };
}

function detailsOf(error: HourglassError, requestId: string): Any[] {
  const { field, expected, found, retryAfter, policy } = error.facts;
  const facts: Record<string, string> = {};
  for (const [name, fact] of Object.entries({ field, expected, found, quota: policy?.name })) {
    if (fact !== undefined) facts[name] = shorten(typeof fact === 'string' ? fact : JSON.stringify(fact), longestFact);
  }
  return [
    pack(ErrorInfoSchema, { reason: error.code, domain: errorDomain, metadata: facts }),
    pack(RequestInfoSchema, { requestId }),
    ...(field === undefined
      ? []
      : [
          pack(BadRequestSchema, {
            fieldViolations: [{ field: facts.field ?? '', description: shorten(error.message, longestFact) }],
          }),
        ]),
    ...(retryAfter === undefined ? [] : [pack(RetryInfoSchema, { retryDelay: durationFromMs(retryAfter * 1000) })]),
  ];
}

const pack = <D extends DescMessage>(schema: D, init: MessageInitShape<D>): Any =>
  anyPack(schema, create(schema, init));

/** The error code that a status carries; undefined when it was not made here. */
export function reasonOf(metadata: Metadata | null | undefined): string | undefined {
  const details = metadata?.get(detailsKey)[0];
  if (!(details instanceof Buffer)) return undefined;
  for (const detail of fromBinary(StatusSchema, details).details) {
    const info = anyUnpack(detail, ErrorInfoSchema);
    if (info?.domain === errorDomain) return info.reason;
  }
  return undefined;
}

interface Ending {
  readonly code: number;
  readonly details: string;
}

/** The table's error for an ending that grpc-js made by itself; undefined when its own status already says all. */
export function errorOfLibrary({ code, details }: Ending, maxMessageBytes: number): HourglassError | undefined {
  switch (code) {
    case status.RESOURCE_EXHAUSTED:
      return details.includes('decompresses')
        ? new HourglassError(
            'decompressed-too-large',
            `The message is larger than ${maxMessageBytes} bytes once decompressed. Send less at a time.`,
            { expected: maxMessageBytes },
          )
        : new HourglassError(
            'payload-too-large',
            `The message is larger than ${maxMessageBytes} bytes. Send less at a time.`,
            { expected: maxMessageBytes },
          );
    case status.DEADLINE_EXCEEDED:
      return deadlineExceeded();
    case status.UNIMPLEMENTED:
      // grpc-js says this of a call whose one message never came as a whole, or came twice.
      return /no request message|second request message/.test(details)
        ? new HourglassError('malformed-body', 'The call ended before its message had arrived. Send it as a whole.')
        : undefined;
    case status.INTERNAL:
    case status.UNKNOWN:
      return /decompress|grpc-timeout/.test(details)
        ? new HourglassError('malformed-body', `The call cannot be read: ${details}.`)
        : new HourglassError(
            'internal',
            'The request could not be finished. Try again; if it stays, report the request id.',
          );
    default:
      return undefined;
  }
}

export const deadlineExceeded = (): HourglassError =>
  new HourglassError('deadline-exceeded', 'The deadline of the call passed before its answer. Allow more time.');

export const tooLong = (ms: number): HourglassError =>
  new HourglassError(
    'deadline-exceeded',
    `There was no answer within ${ms / 1000} s. Send less at a time, or try again later.`,
    { retryAfter: 1 },
  );

export const clientGone = (): HourglassError => new HourglassError('cancelled', 'The client cancelled the call.');
