/** What is recorded of every request: metrics by route, and one line in the log. */

import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Config } from '../../platform/config.ts';
import type { LabelsOf } from '../../platform/metric-table.ts';
import type { Metrics } from '../../platform/metrics.ts';
import { RequestMetrics } from '../request-metrics.ts';
import { whenEnded } from './ending.ts';

const transport = 'rest';
/** asked every few seconds by probes */
const quiet = new Set(['/livez', '/readyz']);

type Operation = LabelsOf<'stageDuration'>['operation'];

export interface Observer {
  /** To be called once, as soon as there is a request. */
  begin(request: FastifyRequest, reply: FastifyReply): void;
  /** The stages of a prediction that are the gateway's own. To be called when the request has been read. */
  predicting(reply: FastifyReply, operation: Operation): PredictionStages;
}

export interface PredictionStages {
  /** To be called when there is an answer to write. */
  answering(): void;
}

export type ObserverConfig = Pick<Config, 'requestLogLevel' | 'requestLogSample'>;

export function createObserver(metrics: Metrics, config: ObserverConfig): Observer {
  const requests = new RequestMetrics(metrics, transport);
  let succeeded = 0;

  /** Every failure is logged; of what went well one in `requestLogSample`. */
  const levelOf = (status: number, code: string, route: string) => {
    if (status >= 500) return 'warn';
    if (quiet.has(route)) return 'debug';
    const { requestLogLevel: level, requestLogSample } = config;
    if (level === 'off') return undefined;
    return code !== 'ok' || succeeded++ % requestLogSample === 0 ? level : undefined;
  };

  const record = (request: FastifyRequest, reply: FastifyReply, finished: boolean): void => {
    const route = routeOf(request);
    const code = codeOf(request, finished);
    // The client left before the answer was out: whatever status stood on it, it did not get it.
    const status = code === 'cancelled' ? 499 : reply.statusCode;
    const seconds = reply.elapsedTime / 1000;
    requests.ended(route, code, seconds);
    const level = levelOf(status, code, route);
    if (level === undefined) return;
    request.log[level]({ requestId: request.id, method: request.method, route, status, code, seconds }, 'answered');
  };

  return {
    begin(request, reply) {
      requests.begun();
      whenEnded(reply.raw, (finished) => record(request, reply, finished));
    },

    predicting(reply, operation) {
      requests.stage('read', operation, reply.elapsedTime / 1000);
      return {
        answering() {
          const start = performance.now();
          whenEnded(reply.raw, () => requests.stage('write', operation, (performance.now() - start) / 1000));
        },
      };
    },
  };
}

/** The router's pattern: bounded in number, and free of what clients put into paths. */
const routeOf = ({ is404, routeOptions }: FastifyRequest): string => (is404 ? 'none' : (routeOptions.url ?? 'none'));

function codeOf({ failure }: FastifyRequest, finished: boolean): string {
  if (failure !== '') return failure;
  return finished ? 'ok' : 'cancelled';
}
