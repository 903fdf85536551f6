/** TrainingService: jobs into the queue, their state, their events. */

import { type Static, Type } from 'typebox';
import type { DatasetStore } from '../../../data/dataset.ts';
import type { SubmitJobRequest, TrainingService } from '../../../gen/hourglass/v1/training_pb.ts';
import { Cursor } from '../../../jobspec/job.ts';
import { supported } from '../../../jobspec/schema-check.ts';
import type { Metrics } from '../../../platform/metrics.ts';
import type { JobQueue } from '../../../queue/job-queue.ts';
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
  readonly queue: JobQueue;
  readonly datasets: DatasetStore;
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
  const { queue, watchers, metrics } = parts;
  return {
    async submitJob(request, { caller }) {
      const key = request.idempotencyKey === '' ? undefined : request.idempotencyKey;
      return jobMessage(await submitJob(parts, caller, givenMembers(request), key));
    },

    async checkJob({ job }) {
      return checkMessage(await checkJob(parts, job ? givenMembers(job) : {}));
    },

    async getJob({ id }) {
      return jobMessage(await queue.get(id));
    },

    async listJobs({ state, limit, cursor, search, losses }) {
      const only = jobStateOf(state);
      const page = await queue.list({
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
      const giveBack = watchers.take(call.client);
      metrics.move('eventStreams', 1, { transport: 'grpc' });
      try {
        const events = queue.events(id, { signal: call.signal, ...(lastEventId !== '' && { lastEventId }) });
        for await (const event of events) yield eventMessage(event);
      } finally {
        giveBack();
        metrics.move('eventStreams', -1, { transport: 'grpc' });
      }
    },

    async cancelJob({ id }) {
      return jobMessage(await queue.cancel(id));
    },

    async resumeJob({ id }) {
      return jobMessage(await queue.restart(id, 'checkpoint'));
    },

    async retryJob({ id }) {
      return jobMessage(await queue.restart(id, 'start'));
    },

    async listQueues() {
      const [queues, jobs] = await Promise.all([queue.queues(), queue.counts()]);
      return { queues: [...queues], jobs: { ...jobs } };
    },

    async listWorkers() {
      const workers = await queue.workers();
      return { workers: workers.map((worker) => ({ ...worker, startedAt: timestamp(worker.startedAt) })) };
    },

    async listJobSamples({ id, after }) {
      return samplesMessage(await queue.samples(id, after));
    },

    async deleteJob({ id }) {
      await queue.remove(id);
      return {};
    },
  };
}
