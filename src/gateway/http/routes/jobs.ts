/** Training jobs: submit, try, look, cancel. */

import { Type } from 'typebox';
import { HourglassError } from '../../../base/errors.ts';
import { Cursor, JobState } from '../../../jobspec/job.ts';
import { checkJob, submitJob } from '../../submit.ts';
import type { App, RouteParts } from '../route-parts.ts';
import { JobParams, noContent, problem, ref } from '../schemas.ts';

const tags = ['jobs'];

export const Submission = Type.Object({
  'idempotency-key': Type.Optional(
    Type.String({
      pattern: '^(?!""$)[!-~]([ -~]{0,253}[!-~])?$',
      description: 'any text of your own; sent again with the same body it gives the first job instead of a second one',
    }),
  ),
});

const Listing = Type.Object(
  {
    state: Type.Optional(JobState),
    search: Type.Optional(
      Type.String({
        maxLength: 100,
        description: 'text that the id, the name, the data set or the type of the model contains',
      }),
    ),
    losses: Type.Optional(Type.Boolean({ default: false, description: 'with the losses of the newest epochs' })),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: 50, description: 'jobs on a page' })),
    cursor: Type.Optional(Cursor),
  },
  { additionalProperties: false },
);

export const DryRun = Type.Object(
  {
    validate: Type.Optional(
      Type.Enum(['only'], {
        description: 'a dry run: says what would be queued or why it is refused, and queues nothing',
      }),
    ),
  },
  { additionalProperties: false },
);

const Samples = Type.Object(
  {
    after: Type.Optional(
      Type.Integer({ minimum: 0, maximum: 100_000, default: 0, description: '`next` of the answer before' }),
    ),
  },
  { additionalProperties: false },
);

export function jobRoutes(app: App, { config }: RouteParts): void {
  app.post(
    '/v1/jobs',
    {
      config: { scope: 'train', audit: 'job.submit', body: 'json', handlerChecks: ['headers', 'body'] },
      schema: {
        tags,
        summary: 'Submit a training job',
        headers: Submission,
        querystring: DryRun,
        body: ref('JobRequest'),
        response: {
          200: ref('JobCheck', 'With ?validate=only: it would be queued as it is shown here'),
          202: ref('JobView', 'The job is safely queued; Location names it'),
          400: problem('The body is not JSON, or has unknown or missing fields'),
          404: problem('No such data set'),
          422: problem('The specification cannot work, or the Idempotency-Key was used for another body'),
          429: problem('Too many jobs wait, in all or of this client; Retry-After says when to come back'),
          503: problem(
            'The queue cannot be reached, has no room, or did not say whether it took the job; Retry-After says when to come back',
          ),
        },
      },
    },
    async (request, reply) => {
      if (request.query.validate === 'only') {
        request.changed = false;
        return reply.send(await checkJob({ ...request.tenant, config }, request.body));
      }
      const job = await submitJob(
        { ...request.tenant, config },
        request.caller,
        request.body,
        idempotencyKey(request.headers['idempotency-key']),
      );
      request.changed = { id: job.id };
      return reply.status(202).header('location', `/v1/jobs/${job.id}`).send(job);
    },
  );

  app.get(
    '/v1/jobs',
    {
      config: { scope: 'read' },
      schema: {
        tags,
        summary: 'List jobs, newest first',
        querystring: Listing,
        response: {
          200: ref('JobList', 'A page of jobs'),
          400: problem('An unknown parameter, or one out of bounds'),
          422: problem('A parameter of the wrong type'),
        },
      },
    },
    async ({ query, tenant }) => {
      const { state, search, losses, limit, cursor } = query;
      return tenant.queue.list({
        ...(state !== undefined && { state }),
        ...(search !== undefined && { search }),
        ...(losses !== undefined && { losses }),
        ...(limit !== undefined && { limit }),
        ...(cursor !== undefined && { cursor }),
      });
    },
  );

  app.get(
    '/v1/jobs/:id',
    {
      config: { scope: 'read', handlerChecks: ['params'] },
      schema: {
        tags,
        summary: 'Show a job: state, progress, resolved specification, and the model when done',
        params: JobParams,
        response: { 200: ref('JobView', 'The job'), 404: problem('No such job') },
      },
    },
    async ({ params, tenant }) => tenant.queue.get(params.id),
  );

  app.get(
    '/v1/jobs/:id/samples',
    {
      config: { scope: 'read', handlerChecks: ['params'] },
      schema: {
        tags,
        summary: 'Show what a job made of the same few held-out rows, epoch after epoch',
        params: JobParams,
        querystring: Samples,
        response: {
          200: ref('JobSamples', 'Samples that are kept: those of the jobs that trained last'),
          404: problem('No such job'),
        },
      },
    },
    async ({ params, query, tenant }) => tenant.queue.samples(params.id, query.after),
  );

  app.post(
    '/v1/jobs/:id/cancel',
    {
      config: { scope: 'train', audit: 'job.cancel', body: 'none', handlerChecks: ['params'] },
      schema: {
        tags,
        summary: 'Cancel a job. Idempotent',
        params: JobParams,
        response: {
          202: ref('JobView', 'It is or will be cancelled'),
          404: problem('No such job'),
          409: problem('It ended otherwise before'),
        },
      },
    },
    async ({ params, tenant }, reply) => reply.status(202).send(await tenant.queue.cancel(params.id)),
  );

  const restarts = {
    resume: {
      from: 'checkpoint',
      audit: 'job.resume',
      summary: 'Go on with a failed or cancelled job from its newest checkpoint',
    },
    retry: { from: 'start', audit: 'job.retry', summary: 'Train a failed or cancelled job again from the start' },
  } as const;
  for (const [name, { from, audit, summary }] of Object.entries(restarts)) {
    app.post(
      `/v1/jobs/:id/${name}`,
      {
        config: { scope: 'train', audit, body: 'none', handlerChecks: ['params'] },
        schema: {
          tags,
          summary,
          params: JobParams,
          response: {
            202: ref('JobView', 'It is queued again'),
            404: problem('No such job'),
            409: problem('It has not ended yet, or has succeeded'),
          },
        },
      },
      async ({ params, tenant }, reply) =>
        reply.status(202).send(await tenant.queue.restart((params as { readonly id: string }).id, from)),
    );
  }

  app.delete(
    '/v1/jobs/:id',
    {
      config: { scope: 'train', audit: 'job.delete', body: 'none', handlerChecks: ['params'] },
      schema: {
        tags,
        summary: 'Delete the record of a job that has ended; its model stays',
        params: JobParams,
        response: {
          204: noContent('Deleted'),
          404: problem('No such job'),
          409: problem('It has not ended yet'),
        },
      },
    },
    async ({ params, tenant }, reply) => {
      await tenant.queue.remove(params.id);
      return reply.status(204).send(undefined);
    },
  );
}

/** The key as it is or as a structured field string: "…" (draft-ietf-httpapi-idempotency-key-header). */
export function idempotencyKey(header: string | string[] | undefined): string | undefined {
  if (header === undefined) return undefined;
  const key = String(header)
    .trim()
    .replace(/^"(.*)"$/, '$1');
  if (/^[\x20-\x7e]+$/.test(key)) return key;
  throw new HourglassError('invalid-request', 'The Idempotency-Key must be printable ASCII, at least one character.', {
    field: 'Idempotency-Key',
    expected: '1 to 255 printable ASCII characters',
  });
}
