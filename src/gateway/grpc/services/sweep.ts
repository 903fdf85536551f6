/** SweepService: jobs that are tried with several values, of which the best is published. */

import { type Static, Type } from 'typebox';
import type { DatasetStore } from '../../../data/dataset.ts';
import type { SweepService } from '../../../gen/hourglass/v1/sweep_pb.ts';
import { supported } from '../../../jobspec/schema-check.ts';
import type { JobQueue } from '../../../queue/job-queue.ts';
import { checkRequest } from '../../request-check.ts';
import { type SubmitParts, submitSweep } from '../../submit.ts';
import { sweepMessage } from '../messages/sweep.ts';
import type { Implementation } from '../service.ts';

const PageSize = supported(
  Type.Object({ limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100 })) }, { additionalProperties: false }),
);
type PageSize = Static<typeof PageSize>;

export interface SweepParts {
  readonly queue: JobQueue;
  readonly datasets: DatasetStore;
  readonly config: SubmitParts['config'];
}

export function sweepService(parts: SweepParts): Implementation<typeof SweepService> {
  const { sweeps } = parts.queue;
  return {
    async submitSweep({ job, search, priority, idempotencyKey }, { caller }) {
      const given = { job, search, ...(priority !== undefined && { priority }) };
      const key = idempotencyKey === '' ? undefined : idempotencyKey;
      return sweepMessage(await submitSweep(parts, caller, given, key));
    },

    async getSweep({ id }) {
      return sweepMessage(await sweeps.get(id));
    },

    async listSweeps({ limit }) {
      const { limit: most } = checkRequest(PageSize, limit === 0 ? {} : { limit }) as PageSize;
      return { sweeps: (await sweeps.list(most)).map(sweepMessage) };
    },

    async cancelSweep({ id }) {
      return sweepMessage(await sweeps.cancel(id));
    },
  };
}
