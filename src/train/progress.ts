/** How far a job is: percent of all phases' work, speed, and the estimated time to the end. */

import type { JobProgress } from '../jobspec/job.ts';

export interface PhaseWork {
  readonly name: string;
  readonly epochs: number;
  readonly stepsPerEpoch: number;
  readonly batchSize: number;
  /** of one step, in any unit that all phases share */
  readonly costPerStep: number;
}

/** Weight of the newest chunk in the running mean of the speed. */
const smoothing = 0.1;

export class ProgressMeter {
  readonly #phases: readonly PhaseWork[];
  readonly #total: number;
  #secondsPerCost = 0;
  #samplesPerSecond = 0;

  constructor(phases: readonly PhaseWork[]) {
    this.#phases = phases;
    this.#total = phases.reduce((sum, phase) => sum + workOf(phase), 0);
  }

  /** How many epochs a phase has at most. */
  epochsOf(phase: number): number {
    return (this.#phases[phase] as PhaseWork).epochs;
  }

  /** `steps` steps of a phase took so many seconds. */
  ran(phase: number, steps: number, seconds: number): void {
    const { costPerStep, batchSize } = this.#phases[phase] as PhaseWork;
    const rate = seconds / (steps * costPerStep);
    const samples = (steps * batchSize) / seconds;
    const mix = (old: number, now: number) => (old === 0 ? now : old + smoothing * (now - old));
    this.#secondsPerCost = mix(this.#secondsPerCost, rate);
    this.#samplesPerSecond = mix(this.#samplesPerSecond, samples);
  }

  /** After `step` steps of a phase. */
  at(phase: number, step: number, loss?: number): JobProgress {
    const now = this.#phases[phase] as PhaseWork;
    const before = this.#phases.slice(0, phase).reduce((sum, earlier) => sum + workOf(earlier), 0);
    const done = before + step * now.costPerStep;
    return {
      phase: now.name,
      epoch: Math.max(1, Math.ceil(step / now.stepsPerEpoch)),
      epochs: now.epochs,
      step,
      steps: now.epochs * now.stepsPerEpoch,
      percent: Math.min(100, (100 * done) / this.#total),
      ...(loss !== undefined && { loss }),
      ...(this.#samplesPerSecond > 0 && {
        samplesPerSecond: this.#samplesPerSecond,
        etaSeconds: (this.#total - done) * this.#secondsPerCost,
      }),
    };
  }
}

const workOf = ({ epochs, stepsPerEpoch, costPerStep }: PhaseWork): number => epochs * stepsPerEpoch * costPerStep;
