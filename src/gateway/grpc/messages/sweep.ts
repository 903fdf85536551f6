/** Sweeps as messages: the same members as over REST. */

import type { MessageInitShape } from '@bufbuild/protobuf';
import type { SweepCheckSchema, SweepSchema, TrialSchema } from '../../../gen/hourglass/v1/sweep_pb.ts';
import type { SweepCheck, SweepView, TrialView } from '../../../jobspec/sweep.ts';
import { failureMessage, jsonObject, stateNumbers, timestamp } from './job.ts';

const trialMessage = ({ id, state, parameters, heldOutLoss }: TrialView) =>
  ({
    id,
    state: stateNumbers[state],
    parameters: jsonObject(parameters),
    ...(heldOutLoss !== undefined && { heldOutLoss }),
  }) satisfies MessageInitShape<typeof TrialSchema>;

export function sweepMessage(sweep: SweepView): MessageInitShape<typeof SweepSchema> {
  const { id, name, state, search, trials, warnings, failure } = sweep;
  return {
    id,
    name,
    state: stateNumbers[state],
    search: jsonObject(search),
    createdAt: timestamp(sweep.createdAt),
    ...(sweep.finishedAt !== undefined && { finishedAt: timestamp(sweep.finishedAt) }),
    trials: trials.map(trialMessage),
    ...(sweep.best !== undefined && { best: sweep.best }),
    ...(sweep.model !== undefined && { model: sweep.model }),
    ...(sweep.version !== undefined && { version: sweep.version }),
    ...(sweep.metrics && { metrics: sweep.metrics }),
    ...(failure && { failure: failureMessage(failure) }),
    warnings,
  };
}

export const sweepCheckMessage = ({
  search,
  trials,
  warnings,
}: SweepCheck): MessageInitShape<typeof SweepCheckSchema> => ({
  search: jsonObject(search),
  trials: trials.map(({ parameters, memoryBytes }) => ({
    parameters: jsonObject(parameters),
    memoryBytes: BigInt(memoryBytes),
  })),
  warnings: [...warnings],
});
