/**
 * The one error table. A code is part of the public contract: HTTP sends it as the problem `type`, gRPC as the reason of
 * its ErrorInfo. Codes are never reused or renamed. Both gateways map this table totally; nothing else decides a status.
 */

/** gRPC status codes by their canonical numbers (google.rpc.Code). */
export const grpcStatus = {
  CANCELLED: 1,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
} as const;
export type GrpcStatusName = keyof typeof grpcStatus;

export interface ErrorRow {
  readonly http: number;
  readonly grpc: GrpcStatusName;
  readonly retryable: boolean;
  readonly title: string;
}

const row = (http: number, grpc: GrpcStatusName, title: string, retryable = false): ErrorRow => ({
  http,
  grpc,
  retryable,
  title,
});

export const errorTable = {
  // the request as bytes
  'malformed-json': row(400, 'INVALID_ARGUMENT', 'The body is not valid JSON'),
  'malformed-body': row(400, 'INVALID_ARGUMENT', 'The body cannot be read'),
  'payload-too-large': row(413, 'RESOURCE_EXHAUSTED', 'The body is larger than allowed'),
  'decompressed-too-large': row(413, 'RESOURCE_EXHAUSTED', 'The decompressed body is larger than allowed'),
  'too-many-parts': row(413, 'RESOURCE_EXHAUSTED', 'The multipart body has too many parts'),
  'unsupported-media-type': row(415, 'INVALID_ARGUMENT', 'The content type is not supported here'),
  'not-acceptable': row(406, 'INVALID_ARGUMENT', 'No answer in the accepted types'),
  'method-not-allowed': row(405, 'UNIMPLEMENTED', 'The path does not have this method'),
  'expectation-failed': row(417, 'INVALID_ARGUMENT', 'The expectation of the request cannot be met'),
  'unsupported-transfer-coding': row(501, 'UNIMPLEMENTED', 'The transfer coding of the body is not supported'),
  'headers-too-large': row(431, 'RESOURCE_EXHAUSTED', 'The headers are larger than allowed'),
  'request-timeout': row(408, 'DEADLINE_EXCEEDED', 'The request took too long to arrive', true),
  // the request as a message
  'invalid-request': row(400, 'INVALID_ARGUMENT', 'The request does not follow the contract'),
  'unknown-field': row(400, 'INVALID_ARGUMENT', 'A field is not part of the contract'),
  'invalid-type': row(422, 'INVALID_ARGUMENT', 'A value has the wrong type'),
  'non-finite': row(422, 'INVALID_ARGUMENT', 'A number is NaN, infinite or beyond float32'),
  'shape-mismatch': row(422, 'INVALID_ARGUMENT', 'A tensor has the wrong shape'),
  'empty-batch': row(422, 'INVALID_ARGUMENT', 'The batch is empty'),
  'batch-too-large': row(413, 'INVALID_ARGUMENT', 'The batch has too many rows'),
  'invalid-spec': row(422, 'INVALID_ARGUMENT', 'The job specification cannot work'),
  'invalid-reference': row(400, 'INVALID_ARGUMENT', 'The model reference is not well formed'),
  'model-required': row(400, 'INVALID_ARGUMENT', 'The request must name a model'),
  // things that are not there, or are in the way
  'route-not-found': row(404, 'UNIMPLEMENTED', 'There is no such path'),
  'service-not-found': row(404, 'NOT_FOUND', 'There is no such service'),
  'model-not-found': row(404, 'NOT_FOUND', 'There is no such model'),
  'version-not-found': row(404, 'NOT_FOUND', 'The model has no such version or alias'),
  'dataset-not-found': row(404, 'NOT_FOUND', 'There is no such data set'),
  'job-not-found': row(404, 'NOT_FOUND', 'There is no such job'),
  'key-not-found': row(404, 'NOT_FOUND', 'There is no such key'),
  'file-not-found': row(404, 'NOT_FOUND', 'The model version has no such file'),
  'operation-not-supported': row(409, 'FAILED_PRECONDITION', 'The model does not answer this call'),
  'job-finished': row(409, 'FAILED_PRECONDITION', 'The job is already finished'),
  'job-not-finished': row(409, 'FAILED_PRECONDITION', 'The job is not finished yet'),
  'version-exists': row(409, 'ALREADY_EXISTS', 'The model version exists already'),
  'version-in-use': row(409, 'FAILED_PRECONDITION', 'The model version is in use'),
  'frames-expected': row(409, 'FAILED_PRECONDITION', 'Frames of the version may still arrive'),
  'model-read-only': row(409, 'FAILED_PRECONDITION', 'The model belongs to another tenant'),
  'dataset-exists': row(409, 'ALREADY_EXISTS', 'The data set exists already'),
  'dataset-in-use': row(409, 'FAILED_PRECONDITION', 'The data set is in use'),
  'dataset-read-only': row(409, 'FAILED_PRECONDITION', 'The data set is built in'),
  'idempotency-key-reused': row(422, 'FAILED_PRECONDITION', 'The idempotency key was used for another request'),
  'unsupported-schema': row(409, 'FAILED_PRECONDITION', 'Written by an incompatible release'),
  // uploads
  'invalid-dataset': row(422, 'INVALID_ARGUMENT', 'The data set is not usable'),
  'unsupported-dataset': row(422, 'INVALID_ARGUMENT', 'The data set format is not supported'),
  'unsafe-archive': row(422, 'INVALID_ARGUMENT', 'The archive is not safe to unpack'),
  'image-too-large': row(422, 'INVALID_ARGUMENT', 'The image has too many pixels'),
  'image-unreadable': row(422, 'INVALID_ARGUMENT', 'The image cannot be read'),
  // frames
  'invalid-frame': row(400, 'INVALID_ARGUMENT', 'The frame is not well formed'),
  'frame-checksum': row(400, 'INVALID_ARGUMENT', 'The frame was damaged on its way'),
  'unsupported-frame-version': row(400, 'INVALID_ARGUMENT', 'The frame format version is not supported'),
  'decoder-unknown': row(404, 'NOT_FOUND', 'No model here decodes this frame'),
  'model-mismatch': row(409, 'FAILED_PRECONDITION', 'The frame belongs to another model'),
  // who asks
  unauthenticated: row(401, 'UNAUTHENTICATED', 'The caller is not known'),
  forbidden: row(403, 'PERMISSION_DENIED', 'The caller may not do this'),
  'access-unavailable': row(503, 'UNAVAILABLE', 'Keys or tokens cannot be checked', true),
  // limits and faults
  'host-not-allowed': row(403, 'PERMISSION_DENIED', 'The server does not answer to this host name'),
  'origin-not-allowed': row(403, 'PERMISSION_DENIED', 'Web pages of this origin may not call'),
  overloaded: row(429, 'RESOURCE_EXHAUSTED', 'Too much work is waiting', true),
  'quota-exceeded': row(429, 'RESOURCE_EXHAUSTED', 'The quota is used up', true),
  'deadline-exceeded': row(504, 'DEADLINE_EXCEEDED', 'The deadline passed before the answer', true),
  cancelled: row(499, 'CANCELLED', 'The client went away'),
  'queue-unavailable': row(503, 'UNAVAILABLE', 'The job queue cannot be reached', true),
  'outcome-unknown': row(503, 'UNAVAILABLE', 'The job queue did not answer, and may have done what was asked', true),
  'queue-storage-full': row(503, 'RESOURCE_EXHAUSTED', 'The job queue has no room', true),
  'storage-full': row(507, 'RESOURCE_EXHAUSTED', 'The disk is full', true),
  'storage-unavailable': row(503, 'UNAVAILABLE', 'The storage cannot be reached', true),
  'dataset-corrupt': row(503, 'DATA_LOSS', 'The stored data set is damaged'),
  'model-corrupt': row(503, 'DATA_LOSS', 'The stored model is damaged'),
  'model-crashed': row(503, 'UNAVAILABLE', 'The model stopped while it ran', true),
  'shutting-down': row(503, 'UNAVAILABLE', 'The server is stopping', true),
  'device-unavailable': row(503, 'FAILED_PRECONDITION', 'The engine or device is not available here'),
  diverged: row(422, 'FAILED_PRECONDITION', 'The training diverged'),
  internal: row(500, 'INTERNAL', 'Something went wrong on our side'),
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof errorTable;
