/** What is recorded of every request: metrics by route, one line in the log, and a span where somebody traces. */

import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Caller } from '../../base/caller.ts';
import { readTraceparent, traceFields } from '../../base/traceparent.ts';
import type { LabelsOf } from '../../platform/metric-table.ts';
import type { Metrics } from '../../platform/metrics.ts';
import { hideCredentials } from '../../platform/secrets.ts';
import type { RequestTrace, RequestTraces } from '../../telemetry/requests.ts';
import { asker } from '../identify.ts';
import type { RequestLog } from '../request-log.ts';
import { RequestMetrics } from '../request-metrics.ts';
import { whenEnded } from './ending.ts';

const transport = 'rest';
/** asked every few seconds by probes */
const quiet = new Set(['/livez', '/readyz']);

type Operation = LabelsOf<'stageDuration'>['operation'];

/** What is told of a request when it has ended. */
export interface RequestFacts {
  readonly requestId: string;
  readonly method: string;
  /** the router's pattern */
  readonly route: string;
  readonly status: number;
  readonly code: string;
  readonly seconds: number;
  /** undefined: the request was refused before anybody knew who asks */
  readonly caller: Caller | undefined;
}

export interface Observer {
  /** metrics of requests that are answered without the framework (fast-lane.ts) */
  readonly requests: RequestMetrics;
  /** The metrics and the line of the log of a request that has ended. */
  ended(facts: RequestFacts): void;
  /** To be called once, as soon as there is a request. The answer is the request's own position in its trace, if it has a span. */
  begin(request: FastifyRequest, reply: FastifyReply): string | undefined;
  /** The stages of a prediction that are the gateway's own. To be called when the request has been read. */
  predicting(reply: FastifyReply, operation: Operation): PredictionStages;
}

export interface PredictionStages {
  /** To be called when there is an answer to write. */
  answering(): void;
}

export function createObserver(log: RequestLog, metrics: Metrics, traces?: RequestTraces): Observer {
  const requests = new RequestMetrics(metrics, transport);

  const beginTrace = (request: FastifyRequest, route: string): RequestTrace | undefined => {
    if (quiet.has(route)) return undefined;
    const { method, headers } = request;
    return traces?.begin({
      name: `${method} ${route}`,
      attributes: {
        ...{ 'http.request.method': method, 'http.route': route, 'url.scheme': request.protocol },
        'url.path': hideCredentials(request.url.split('?', 1)[0] ?? ''),
        'network.protocol.version': request.raw.httpVersion,
        'hourglass.request_id': request.id,
      },
      parent: readTraceparent(headers.traceparent),
      tracestate: headers.tracestate,
    });
  };

  const ended = ({ caller, ...facts }: RequestFacts): void => {
    const { route, code, seconds, status } = facts;
    const traceparent = caller?.traceparent;
    requests.ended(route, code, seconds, traceparent);
    log.ended({ code, isFault: status >= 500, isProbe: quiet.has(route) }, () => {
      const who = caller === undefined ? {} : asker(caller);
      return { ...facts, ...who, ...(traceparent !== undefined && traceFields(traceparent)) };
    });
  };

  const record = (request: FastifyRequest, reply: FastifyReply, finished: boolean, trace?: RequestTrace): void => {
    const code = codeOf(request, finished);
    // The client left before the answer was out: whatever status stood on it, it did not get it.
    const status = code === 'cancelled' ? 499 : reply.statusCode;
    trace?.end({ 'http.response.status_code': status, 'hourglass.code': code }, status >= 500 ? code : undefined);
    const { id: requestId, method } = request;
    // Paths that the router refuses have no caller.
    const { caller } = request as { caller?: Caller };
    ended({ requestId, method, route: routeOf(request), status, code, seconds: reply.elapsedTime / 1000, caller });
  };

  return {
    requests,
    ended,

    begin(request, reply) {
      requests.begun();
      const trace = traces && beginTrace(request, routeOf(request));
      whenEnded(reply.raw, (finished) => record(request, reply, finished, trace));
      return trace?.traceparent;
    },

    predicting(reply, operation) {
      const trace = traceOf(reply.request);
      requests.stage('read', operation, reply.elapsedTime / 1000, trace);
      return {
        answering() {
          const start = performance.now();
          whenEnded(reply.raw, () => requests.stage('write', operation, (performance.now() - start) / 1000, trace));
        },
      };
    },
  };
}

/** A request that the framework refuses has no caller yet. */
const traceOf = ({ caller }: { caller?: FastifyRequest['caller'] }): string | undefined => caller?.traceparent;

/** The router's pattern: bounded in number, and free of what clients put into paths. */
const routeOf = ({ is404, known, routeOptions }: FastifyRequest): string =>
  (is404 ? known?.url : routeOptions.url) ?? 'none';

function codeOf({ failure }: FastifyRequest, finished: boolean): string {
  if (failure !== '') return failure;
  return finished ? 'ok' : 'cancelled';
}
