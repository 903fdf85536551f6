/**
 * What is the same for every call: a request id, a log line, the metrics, a span where somebody traces, a limit on the time
 * that a request may take to arrive; and the endings that grpc-js decides by itself get a code of the error table.
 */

import { Metadata, ServerInterceptingCall, type ServerInterceptor, status as statusCode } from '@grpc/grpc-js';
import { errorTable, HourglassError } from '../../base/errors.ts';
import { readTraceparent, traceFields } from '../../base/traceparent.ts';
import { InferenceService } from '../../gen/hourglass/v1/inference_pb.ts';
import type { LabelsOf } from '../../platform/metric-table.ts';
import type { Metrics } from '../../platform/metrics.ts';
import { TimerWheel } from '../../platform/timer-wheel.ts';
import type { RequestTrace, RequestTraces } from '../../telemetry/requests.ts';
import { asker } from '../identify.ts';
import type { RequestLog } from '../request-log.ts';
import { RequestMetrics } from '../request-metrics.ts';
import { requestIdKey, requestIdOf } from './call.ts';
import { errorOfLibrary, reasonOf, toStatus } from './errors.ts';
import { admittedOf } from './identities.ts';

export interface Observation {
  readonly log: RequestLog;
  readonly metrics: Metrics;
  /** absent: no spans are made */
  readonly traces?: RequestTraces | undefined;
  /** bytes of one request message of a method */
  messageLimit(path: string): number;
  /** until all of a request has arrived */
  readonly requestTimeoutMs: number;
  /** until all of a client's stream has arrived */
  readonly uploadTimeoutMs: number;
}

const transport = 'grpc';
const timers = new TimerWheel(100);

/** Codes that tell of trouble on our side; the rest is the client's. */
const serverFaults = new Set(Object.entries(errorTable).flatMap(([code, { http }]) => (http >= 500 ? [code] : [])));

/** What the calls that predict do, for the metrics of their stages. */
const operations = {
  encode: 'encode',
  decode: 'decode',
  denoise: 'denoise',
  reconstruct: 'reconstruct',
  classify: 'classify',
  generate: 'generate',
  recommend: 'recommend',
  analyse: 'analyse',
  series: 'series',
  translate: 'translate',
  encodeFrame: 'encode',
  decodeFrame: 'decode',
} as const satisfies Record<keyof typeof InferenceService.method, LabelsOf<'stageDuration'>['operation']>;
const { method: predictions, typeName } = InferenceService;
const operationOf = new Map(
  Object.entries(operations).map(([method, operation]) => [
    `/${typeName}/${predictions[method as keyof typeof operations].name}`,
    operation,
  ]),
);

/** As much as Node.js takes of headers over HTTP/1. */
const maxMetadataBytes = 16 * 1024;

export function observe(options: Observation): ServerInterceptor {
  const { log, metrics, traces } = options;
  const requests = new RequestMetrics(metrics, transport);
  return ({ path, requestStream, responseStream }, call) => {
    const begun = performance.now();
    let requestId = '';
    let metadata: Metadata | undefined;
    let outcome: string = 'cancelled';
    const operation = operationOf.get(path);
    let status: number = statusCode.CANCELLED;
    let trace: RequestTrace | undefined;
    /** of this request, or of its client where there are no spans */
    let traceparent: string | undefined;
    let answeredAt: number | undefined;
    const stage = (name: 'read' | 'write', since: number): void => {
      if (operation === undefined) return;
      requests.stage(name, operation, (performance.now() - since) / 1000, traceparent);
    };
    requests.begun();

    // All endings pass the innermost call, also those that grpc-js decides without asking anybody.
    const send = call.sendStatus.bind(call);
    let isDecided = false;
    call.sendStatus = (given) => {
      // The first status is what the client gets; what fails on the way after it (a deadline passes while an event is written) is no outcome.
      if (isDecided) return send(given);
      isDecided = true;
      const reason = given.code === statusCode.OK ? 'ok' : reasonOf(given.metadata);
      const error = reason === undefined ? errorOfLibrary(given, options.messageLimit(path)) : undefined;
      const { code, details, metadata } = error ? toStatus(error, requestId) : given;
      status = code;
      outcome = error?.code ?? reason ?? (statusCode[given.code] ?? 'unknown').toLowerCase();
      const trailers = metadata?.clone() ?? new Metadata();
      trailers.set(requestIdKey, requestId);
      send({ code, details, metadata: trailers });
    };

    // A conversation (requests and answers interleaved) has no length of its own.
    const limitMs = !requestStream ? options.requestTimeoutMs : responseStream ? undefined : options.uploadTimeoutMs;
    const timeout = limitMs === undefined ? undefined : timers.add(limitMs, () => call.sendStatus(late(limitMs)));
    const arrived = (): void => {
      if (timeout) timers.cancel(timeout);
    };
    const late = (ms: number) =>
      toStatus(
        new HourglassError('request-timeout', `The request did not arrive within ${ms} ms. Send it without pauses.`),
        requestId,
      );

    return new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata(received, proceed) {
            metadata = received;
            requestId = requestIdOf(received);
            received.set(requestIdKey, requestId);
            traceparent = readTraceparent(received.get('traceparent')[0]);
            if (traces && isTraced(path)) {
              trace = traces.begin(aboutCall(path, requestId, traceparent, received.get('tracestate')[0]));
              traceparent = trace.traceparent;
              // What handles the call finds its own position, not the client's.
              received.set('traceparent', traceparent);
            }
            const bytes = sizeOf(received);
            if (bytes > maxMetadataBytes) call.sendStatus(toStatus(tooMuchMetadata(bytes), requestId));
            else proceed(received);
          },
          onReceiveMessage(message, proceed) {
            stage('read', begun);
            proceed(message);
          },
          onReceiveHalfClose(proceed) {
            arrived();
            proceed();
          },
          /** the end of every call, whatever it was */
          onCancel() {
            arrived();
            if (answeredAt !== undefined) stage('write', answeredAt);
            const seconds = (performance.now() - begun) / 1000;
            requests.ended(path, outcome, seconds, traceparent);
            const isFault = serverFaults.has(outcome);
            trace?.end({ 'rpc.grpc.status_code': status, 'hourglass.code': outcome }, isFault ? outcome : undefined);
            log.ended({ code: outcome, isFault, isProbe: !isTraced(path) }, () => {
              const who = metadata === undefined ? {} : asker(admittedOf(metadata).identity);
              const facts = { requestId, method: path, code: outcome, seconds, ...who };
              return traceparent === undefined ? facts : { ...facts, ...traceFields(traceparent) };
            });
          },
        }),
      sendMessage(message, proceed) {
        answeredAt = performance.now();
        proceed(message);
      },
    });
  };
}

/** Probes ask every few seconds, and a reflection is no work. */
const isTraced = (path: string): boolean => !path.startsWith('/grpc.');

function aboutCall(path: string, requestId: string, parent: string | undefined, tracestate: unknown) {
  const [service = '', method = ''] = path.slice(1).split('/');
  const rpc = { 'rpc.system': 'grpc', 'rpc.service': service, 'rpc.method': method };
  return { name: path.slice(1), attributes: { ...rpc, 'hourglass.request_id': requestId }, parent, tracestate };
}

/** Counted as HTTP/2 counts its header lists (RFC 9113, 6.5.2), without what grpc-js keeps to itself. */
function sizeOf(metadata: Metadata): number {
  let bytes = 0;
  for (const [key, value] of Object.entries(metadata.toHttp2Headers())) {
    for (const text of Array.isArray(value) ? value : [value]) bytes += key.length + String(text).length + 32;
  }
  return bytes;
}

const tooMuchMetadata = (found: number): HourglassError =>
  new HourglassError(
    'headers-too-large',
    `The call has ${found} bytes of metadata; ${maxMetadataBytes} are allowed. Send what is large in the message.`,
    { expected: maxMetadataBytes, found },
  );
