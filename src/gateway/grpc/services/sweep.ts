/** SweepService: jobs that are tried with several values, of which the best is published. */

import { type Static, Type } from 'typebox';
import type { SubmitSweepRequest, SweepService } from '../../../gen/hourglass/v1/sweep_pb.ts';
import { supported } from '../../../jobspec/schema-check.ts';
import { checkRequest } from '../../request-check.ts';
import { checkSweep, type SubmitParts, submitSweep } from '../../submit.ts';
import { sweepCheckMessage, sweepMessage } from '../messages/sweep.ts';
import type { Implementation } from '../service.ts';

const PageSize = supported(
  Type.Object({ limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100 })) }, { additionalProperties: false }),
);
type PageSize = Static<typeof PageSize>;

const givenMembers = ({ job, search, priority }: Pick<SubmitSweepRequest, 'job' | 'search' | 'priority'>) => ({
  ...{ job, search },
  ...(priority !== undefined && { priority }),
});

export function sweepService(config: SubmitParts['config']): Implementation<typeof SweepService> {
  return {
    async submitSweep({ idempotencyKey, ...asked }, call) {
      const { caller, tenant } = call;
      const key = idempotencyKey === '' ? undefined : idempotencyKey;
      const sweep = await submitSweep({ ...tenant, config }, caller, givenMembers(asked), key);
      call.note({ id: sweep.id });
      return sweepMessage(sweep);
    },

    async checkSweep({ sweep }, { tenant }) {
      return sweepCheckMessage(await checkSweep({ ...tenant, config }, sweep ? givenMembers(sweep) : {}));
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
