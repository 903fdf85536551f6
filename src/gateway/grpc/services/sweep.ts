/** SweepService: jobs that are tried with several values, of which the best is published. */

import { type Static, Type } from 'typebox';
import type { SweepService } from '../../../gen/hourglass/v1/sweep_pb.ts';
import { supported } from '../../../jobspec/schema-check.ts';
import { checkRequest } from '../../request-check.ts';
import { type SubmitParts, submitSweep } from '../../submit.ts';
import { sweepMessage } from '../messages/sweep.ts';
import type { Implementation } from '../service.ts';

const PageSize = supported(
  Type.Object({ limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100 })) }, { additionalProperties: false }),
);
type PageSize = Static<typeof PageSize>;

export function sweepService(config: SubmitParts['config']): Implementation<typeof SweepService> {
  return {
    async submitSweep({ job, search, priority, idempotencyKey }, call) {
      const { caller, tenant } = call;
      const given = { job, search, ...(priority !== undefined && { priority }) };
      const key = idempotencyKey === '' ? undefined : idempotencyKey;
      const sweep = await submitSweep({ ...tenant, config }, caller, given, key);
      call.note({ id: sweep.id });
      return sweepMessage(sweep);
    },

    async getSweep({ id }, { tenant }) {
      return sweepMessage(await tenant.queue.sweeps.get(id));
    },

    async listSweeps({ limit }, { tenant }) {
      const { limit: most } = checkRequest(PageSize, limit === 0 ? {} : { limit }) as PageSize;
      return { sweeps: (await tenant.queue.sweeps.list(most)).map(sweepMessage) };
    },

    async cancelSweep({ id }, { tenant }) {
      return sweepMessage(await tenant.queue.sweeps.cancel(id));
    },
  };
}
