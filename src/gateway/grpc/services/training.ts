/** TrainingService: jobs into the queue, their state, their events. */

import { type Static, Type } from 'typebox';
import type { SubmitJobRequest, TrainingService } from '../../../gen/hourglass/v1/training_pb.ts';
import { Cursor } from '../../../jobspec/job.ts';
import { supported } from '../../../jobspec/schema-check.ts';
import type { Metrics } from '../../../platform/metrics.ts';
import type { Places } from '../../places.ts';
import { checkRequest } from '../../request-check.ts';
import { checkJob, type SubmitParts, submitJob } from '../../submit.ts';
import { checkMessage, eventMessage, jobMessage, jobStateOf, samplesMessage, timestamp } from '../messages/job.ts';
import type { Implementation } from '../service.ts';

const Page = supported(
  Type.Object(
    {
      limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })),
      cursor: Type.Optional(Cursor),
      search: Type.Optional(Type.String({ maxLength: 100 })),
    },
    { additionalProperties: false },
  ),
);
type Page = Static<typeof Page>;

export interface TrainingParts {
  readonly config: SubmitParts['config'];
  readonly watchers: Places;
  readonly metrics: Metrics;
}

/** Absent members stay absent, so that they are refused or filled in as over REST. */
function givenMembers({ name, dataset, model, training, priority, deadlineSeconds }: SubmitJobRequest): object {
  const raw = { name, dataset, model, training, priority, deadlineSeconds };
  return Object.fromEntries(Object.entries(raw).filter(([, value]) => value !== undefined));
}

export function trainingService(parts: TrainingParts): Implementation<typeof TrainingService> {
  const { config, watchers, metrics } = parts;
  return {
    async submitJob(request, call) {
      const { caller, tenant } = call;
      const key = request.idempotencyKey === '' ? undefined : request.idempotencyKey;
      const job = await submitJob({ ...tenant, config }, caller, givenMembers(request), key);
      call.note({ id: job.id });
      return jobMessage(job);
    },

    async checkJob({ job }, { tenant }) {
      return checkMessage(await checkJob({ ...tenant, config }, job ? givenMembers(job) : {}));
    },

    async getJob({ id }, { tenant }) {
      return jobMessage(await tenant.queue.get(id));
    },

    async listJobs({ state, limit, cursor, search, losses }, { tenant }) {
      const only = jobStateOf(state);
      const page = await tenant.queue.list({
        ...(only !== undefined && { state: only }),
        ...(checkRequest(Page, {
          ...(limit !== 0 && { limit }),
          ...(cursor !== '' && { cursor }),
          ...(search !== '' && { search }),
        }) as Page),
        losses,
      });
      return { jobs: page.jobs.map(jobMessage), nextCursor: page.nextCursor ?? '' };
    },

    async *watchJob({ id, lastEventId }, call) {
      call.endOnDrain();
      const giveBack = call.tenant.quota.takePlace(watchers, call.client);
      metrics.move('eventStreams', 1, { transport: 'grpc' });
      try {
        const events = call.tenant.queue.events(id, {
          signal: call.signal,
          ...(lastEventId !== '' && { lastEventId }),
        });
        for await (const event of events) yield eventMessage(event);
      } finally {
        giveBack();
        metrics.move('eventStreams', -1, { transport: 'grpc' });
      }
    },

    async cancelJob({ id }, { tenant }) {
      return jobMessage(await tenant.queue.cancel(id));
    },

    async resumeJob({ id }, { tenant }) {
      return jobMessage(await tenant.queue.restart(id, 'checkpoint'));
    },

    async retryJob({ id }, { tenant }) {
      return jobMessage(await tenant.queue.restart(id, 'start'));
    },

    async listQueues(_request, { tenant: { queue } }) {
      const [queues, jobs] = await Promise.all([queue.queues(), queue.counts()]);
      return { queues: [...queues], jobs: { ...jobs } };
    },

    async listWorkers(_request, { tenant }) {
      const [workers, gateways] = await Promise.all([tenant.queue.workers(), tenant.queue.gateways()]);
      return {
        workers: workers.map((worker) => ({ ...worker, startedAt: timestamp(worker.startedAt) })),
        gateways: gateways.map((gateway) => ({ ...gateway, startedAt: timestamp(gateway.startedAt) })),
      };
    },

    async listJobSamples({ id, after }, { tenant }) {
      return samplesMessage(await tenant.queue.samples(id, after));
    },

    async deleteJob({ id }, { tenant }) {
      await tenant.queue.remove(id);
      return {};
    },
  };
}
