/** Events of a job as Server-Sent Events (WHATWG HTML, section 9.2): replay, then live until the job ends. */

import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { Type } from 'typebox';
import { normaliseError } from '../../../base/errors.ts';
import type { JobEvent } from '../../../jobspec/job.ts';
import { clientOf } from '../../places.ts';
import { cancellation } from '../cancellation.ts';
import { whenEnded } from '../ending.ts';
import { toProblem } from '../errors.ts';
import { eventStream, negotiate } from '../media.ts';
import type { App, RouteParts } from '../route-parts.ts';
import { JobParams, noContent, problem } from '../schemas.ts';

const resumption = Type.String({
  pattern: '^[0-9]{1,20}-[0-9]{1,20}$',
  description: 'id of the last event that was seen; all are replayed without it',
});
/** One event of the stream. */
const Event = Type.Object({
  id: Type.Optional(Type.String()),
  event: Type.Optional(Type.Enum(['state', 'progress', 'epoch', 'sample', 'end', 'error'])),
  data: Type.String({ description: 'JSON; of the end event the job' }),
});
const Resume = Type.Object({ lastEventId: Type.Optional(resumption) }, { additionalProperties: false });

/** what browsers wait before they connect again */
const reconnectMs = 2000;
/** until the answer begins, whether or not there is an event */
const longestSilenceMs = 250;

export function jobEventRoutes(app: App, parts: RouteParts): void {
  const { config, metrics, draining, limits } = parts;
  app.get(
    '/v1/jobs/:id/events',
    {
      exposeHeadRoute: false,
      config: { scope: 'read', handlerChecks: ['params', 'headers'] },
      schema: {
        tags: ['jobs'],
        summary: 'Follow a job: state, progress, epoch and sample events, then one end event',
        params: JobParams,
        querystring: Resume,
        // An empty header counts as none.
        headers: Type.Object({
          'last-event-id': Type.Optional(Type.String({ ...resumption, pattern: '^([0-9]{1,20}-[0-9]{1,20})?$' })),
        }),
        response: {
          200: { description: 'The events', content: { [eventStream]: { schema: Event } } },
          204: noContent('The job has ended and all its events were seen: do not connect again'),
          404: problem('No such job'),
          406: problem('The accepted types do not include text/event-stream'),
          429: problem('Too many open event streams, of all or of the tenant'),
        },
      },
    },
    async (request, reply) => {
      negotiate(request.headers.accept, [eventStream]);
      const header = request.headers['last-event-id'];
      // A browser that connects again sends the newest id in the header, to the URL that it began with.
      const lastEventId = typeof header === 'string' && header !== '' ? header : request.query.lastEventId;
      const { quota } = request.tenant;
      const giveBack = quota.takePlace(limits.watchers, clientOf(request.raw.socket.remoteAddress));
      metrics.move('eventStreams', 1, { transport: 'rest' });
      whenEnded(reply.raw, () => {
        giveBack();
        metrics.move('eventStreams', -1, { transport: 'rest' });
      });
      const signal = cancellation(reply.raw, { draining, revoked: request.caller.revoked });
      const events = request.tenant.queue.events(request.params.id, {
        signal,
        ...(lastEventId !== undefined && { lastEventId }),
      });
      const iterator = events[Symbol.asyncIterator]();
      const first = iterator.next();
      // Wait briefly for the first event so that errors become a status code, not a broken stream.
      const begun = await Promise.race([first, sleep(longestSilenceMs, 'quiet' as const, { ref: false })]);
      // 204 tells EventSource to stop reconnecting: this client has already seen the end event.
      if (begun !== 'quiet' && (begun.done || begun.value.id === lastEventId)) return reply.status(204).send(undefined);
      return reply
        .header('cache-control', 'no-store')
        .header('x-accel-buffering', 'no')
        .type(`${eventStream}; charset=utf-8`)
        .send(Readable.from(frames(iterator, first, config.heartbeatMs, request.id), { objectMode: false }));
    },
  );
}

/** A comment line on a quiet stream keeps proxies from closing it and finds out whether the reader is still there. */
async function* frames(
  iterator: AsyncIterator<JobEvent>,
  first: Promise<IteratorResult<JobEvent>>,
  heartbeatMs: number,
  requestId: string,
): AsyncGenerator<string> {
  yield `retry: ${reconnectMs}\n\n`;
  try {
    let next = first;
    for (;;) {
      const timer = new AbortController();
      const quiet = sleep(heartbeatMs, undefined, { signal: timer.signal, ref: false });
      const result = await Promise.race([next, quiet.catch(() => undefined)]);
      timer.abort();
      if (result === undefined) yield ': still here\n\n';
      else if (result.done) return;
      else {
        const { id, type, data } = result.value;
        yield `id: ${id}\nevent: ${type}\ndata: ${JSON.stringify(data)}\n\n`;
        next = iterator.next();
      }
    }
  } catch (thrown) {
    // The status is out already; readers connect again by themselves.
    yield `event: error\ndata: ${JSON.stringify(toProblem(normaliseError(thrown), requestId))}\n\n`;
  } finally {
    await iterator.return?.();
  }
}
