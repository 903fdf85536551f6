/** How every failed request is answered, and paths that are not there. */

import type { FastifyReply, FastifyRequest } from 'fastify';
import { errorTable, HourglassError } from '../../base/errors.ts';
import { traceFields } from '../../base/traceparent.ts';
import { challenge } from './admit.ts';
import { errorOf, problemType, toProblem } from './errors.ts';
import { otherMethod } from './known-paths.ts';
import { tellPolicy } from './rate-limit.ts';
import type { App } from './route-parts.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** code of the error that the request ended with; empty when it did not fail */
    failure: string;
  }
}

/** Where no better time is known, clients shall not come back at once. */
const defaultRetrySeconds = 1;

export function answerErrors(app: App): void {
  app.decorateRequest('failure', '');
  app.setErrorHandler((thrown, request, reply) => fail(thrown, request, reply));
  app.setNotFoundHandler((request, reply) => {
    const { known } = request;
    if (known) return fail(otherMethod(request.method, known), request, reply.header('allow', known.allow));
    const path = request.url.split('?', 1)[0] ?? '';
    const message = `There is no ${path.slice(0, 200)} here. /docs lists what there is.`;
    return fail(new HourglassError('route-not-found', message), request, reply);
  });
}

/** Clients of the Open Inference Protocol look for the text in a member `error`. */
const isForeign = ({ url, routeOptions }: FastifyRequest): boolean =>
  routeOptions?.config?.errorMember === true || url.startsWith('/v2/');

/** When the client may try again; undefined when the same request fails again. */
export function retrySeconds({ code, facts }: HourglassError): number | undefined {
  const { http, retryable } = errorTable[code];
  return retryable && http !== 409 ? Math.ceil(facts.retryAfter ?? defaultRetrySeconds) : undefined;
}

/** Answers with the problem that was thrown. */
export function fail(thrown: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const error = errorOf(thrown);
  request.failure = error.code;
  if (error.code === 'internal') {
    const { caller } = request as { caller?: FastifyRequest['caller'] };
    const trace = caller?.traceparent && traceFields(caller.traceparent);
    request.log.error({ requestId: request.id, ...trace, err: error.cause ?? error }, 'request failed');
  }
  const seconds = retrySeconds(error);
  if (seconds !== undefined) {
    reply.header('retry-after', String(seconds));
    tellPolicy(reply, error.facts.policy, seconds);
  }
  if (error.code === 'unauthenticated') challenge(reply, request.headers.authorization !== undefined);
  if (error.code === 'unsupported-media-type') reply.header('accept-encoding', 'identity');
  const problem = toProblem(error, request.id);
  return reply
    .status(errorTable[error.code].http)
    .header('x-request-id', request.id)
    .header('content-type', problemType)
    .header('cache-control', 'no-store')
    .send(Buffer.from(JSON.stringify(isForeign(request) ? { error: error.message, ...problem } : problem)));
}
