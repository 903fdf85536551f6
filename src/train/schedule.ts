/** The learning rate over a phase, as a factor on the optimizer's own. */

import type { LearningRateSchedule } from '../jobspec/training.ts';

export interface StepTime {
  /** steps of this phase that came before */
  readonly step: number;
  readonly stepsPerEpoch: number;
  readonly epochs: number;
}

export function scheduleFactor(schedule: LearningRateSchedule, { step, stepsPerEpoch, epochs }: StepTime): number {
  switch (schedule.type) {
    case 'constant':
      return 1;
    case 'step':
      return schedule.factor ** Math.floor(step / (stepsPerEpoch * schedule.everyEpochs));
    case 'cosine':
    case 'linear': {
      const warmup = schedule.warmupEpochs * stepsPerEpoch;
      if (step < warmup) return (step + 1) / (warmup + 1);
      const share = Math.min(1, (step - warmup) / Math.max(1, stepsPerEpoch * epochs - warmup));
      const left = schedule.type === 'linear' ? 1 - share : (1 + Math.cos(Math.PI * share)) / 2;
      return schedule.final + (1 - schedule.final) * left;
    }
    default:
      return schedule satisfies never;
  }
}
