/** TrainingService: jobs into the queue, their state, their events. */

import { type Static, Type } from 'typebox';
import type { DatasetStore } from '../../../data/dataset.ts';
import type { TrainingService } from '../../../gen/hourglass/v1/training_pb.ts';
import { Cursor } from '../../../jobspec/job.ts';
import { supported } from '../../../jobspec/schema-check.ts';
import type { Metrics } from '../../../platform/metrics.ts';
import type { JobQueue } from '../../../queue/job-queue.ts';
import type { Places } from '../../places.ts';
import { checkRequest } from '../../request-check.ts';
import { type SubmitParts, submitJob } from '../../submit.ts';
import { eventMessage, jobMessage, jobStateOf } from '../messages/job.ts';
import type { Implementation } from '../service.ts';

const Page = supported(
  Type.Object(
    { limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })), cursor: Type.Optional(Cursor) },
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

export function trainingService(parts: TrainingParts): Implementation<typeof TrainingService> {
  const { queue, watchers, metrics } = parts;
  return {
    async submitJob({ name, dataset, model, training, priority, deadlineSeconds, idempotencyKey }, { caller }) {
      const raw = { name, dataset, model, training, priority, deadlineSeconds };
      // Absent members stay absent, so that they are refused or filled in as over REST.
      const given = Object.fromEntries(Object.entries(raw).filter(([, value]) => value !== undefined));
      const key = idempotencyKey === '' ? undefined : idempotencyKey;
      return jobMessage(await submitJob(parts, caller, given, key));
    },

    async getJob({ id }) {
      return jobMessage(await queue.get(id));
    },

    async listJobs({ state, limit, cursor }) {
      const only = jobStateOf(state);
      const page = await queue.list({
        ...(only !== undefined && { state: only }),
        ...(checkRequest(Page, { ...(limit !== 0 && { limit }), ...(cursor !== '' && { cursor }) }) as Page),
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
      return { queues: [...(await queue.queues())] };
    },

    async deleteJob({ id }) {
      await queue.remove(id);
      return {};
    },
  };
}
