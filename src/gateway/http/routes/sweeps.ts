/** Sweeps: one job tried with several values, of which the best is published. */

import { Type } from 'typebox';
import { checkSweep, submitSweep } from '../../submit.ts';
import type { App, RouteParts } from '../route-parts.ts';
import { problem, ref, SweepParams } from '../schemas.ts';
import { DryRun, idempotencyKey, Submission } from './jobs.ts';

const tags = ['jobs'];

const Listing = Type.Object(
  {
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, default: 50, description: 'sweeps in the answer' })),
  },
  { additionalProperties: false },
);

export function sweepRoutes(app: App, { config }: RouteParts): void {
  app.post(
    '/v1/sweeps',
    {
      config: { scope: 'train', audit: 'sweep.submit', body: 'json', handlerChecks: ['headers', 'body'] },
      schema: {
        tags,
        summary: 'Try a job with several values; the trial with the lowest held-out loss is published',
        headers: Submission,
        querystring: DryRun,
        body: ref('SweepRequest'),
        response: {
          200: ref('SweepCheck', 'With ?validate=only: it would be queued as it is shown here'),
          202: ref('SweepView', 'The sweep is safely queued; Location names it'),
          400: problem('The body is not JSON, or has unknown or missing fields'),
          404: problem('No such data set'),
          422: problem('The search or one of its trials cannot work, or the Idempotency-Key was used for another body'),
          429: problem('Too many jobs wait, in all or of this client; Retry-After says when to come back'),
          503: problem(
            'The queue cannot be reached, has no room, or did not say whether it took the sweep; Retry-After says when to come back',
          ),
        },
      },
    },
    async (request, reply) => {
      if (request.query.validate === 'only')
        return reply.send(await checkSweep({ ...request.tenant, config }, request.body));
      const key = idempotencyKey(request.headers['idempotency-key']);
      const sweep = await submitSweep({ ...request.tenant, config }, request.caller, request.body, key);
      request.changed = { id: sweep.id };
      return reply.status(202).header('location', `/v1/sweeps/${sweep.id}`).send(sweep);
    },
  );

  app.get(
    '/v1/sweeps',
    {
      config: { scope: 'read' },
      schema: {
        tags,
        summary: 'List sweeps, newest first',
        querystring: Listing,
        response: {
          200: ref('SweepList', 'The newest sweeps'),
          400: problem('An unknown parameter, or one out of bounds'),
          422: problem('A parameter of the wrong type'),
        },
      },
    },
    async ({ query, tenant }) => ({ sweeps: await tenant.queue.sweeps.list(query.limit) }),
  );

  app.get(
    '/v1/sweeps/:id',
    {
      config: { scope: 'read', handlerChecks: ['params'] },
      schema: {
        tags,
        summary: 'Show a sweep: the table of its trials, and the model when done',
        params: SweepParams,
        response: { 200: ref('SweepView', 'The sweep'), 404: problem('No such sweep') },
      },
    },
    async ({ params, tenant }) => tenant.queue.sweeps.get(params.id),
  );

  app.post(
    '/v1/sweeps/:id/cancel',
    {
      config: { scope: 'train', audit: 'sweep.cancel', body: 'none', handlerChecks: ['params'] },
      schema: {
        tags,
        summary: 'Cancel a sweep and all its trials. Idempotent',
        params: SweepParams,
        response: {
          202: ref('SweepView', 'It is or will be cancelled'),
          404: problem('No such sweep'),
          409: problem('It ended otherwise before'),
        },
      },
    },
    async ({ params, tenant }, reply) => reply.status(202).send(await tenant.queue.sweeps.cancel(params.id)),
  );
}
