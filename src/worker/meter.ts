/** What the jobs of one worker say of their progress, as metrics: steps, samples, samples per second, checkpoints, requests to the bucket. */

import type { Metrics } from '../platform/metrics.ts';
import { countRequests } from '../store/request-metrics.ts';
import type { FromChild } from './protocol.ts';

export class TrainingMeter {
  readonly #metrics: Metrics;
  /** samples per second of the jobs that run */
  readonly #rates = new Map<object, number>();

  constructor(metrics: Metrics) {
    this.#metrics = metrics;
    // Shown as 0 from the start, so that the first steps count as an increase.
    for (const name of ['trainingSteps', 'trainingSamples'] as const) metrics.count(name, 0);
    metrics.set('trainingThroughput', 0);
  }

  /** Follows one attempt; `end` must be called when it is over. */
  begin(batchSize: number): { hear(message: FromChild): void; end(): void } {
    const job = {};
    let last = { phase: '', step: 0 };
    return {
      hear: (message) => {
        if (message.type === 'checkpoint') this.#metrics.count('checkpoints', 1);
        if (message.type === 'requests') for (const sum of message.requests) countRequests(this.#metrics, sum);
        if (message.type !== 'progress') return;
        const { phase, step, samplesPerSecond = 0 } = message.progress;
        // The first message of an attempt that goes on tells where it stands, not what it has done.
        const steps = last.phase === '' ? 0 : phase === last.phase ? Math.max(0, step - last.step) : step;
        last = { phase, step };
        this.#metrics.count('trainingSteps', steps);
        this.#metrics.count('trainingSamples', steps * batchSize);
        this.#show(job, samplesPerSecond);
      },
      end: () => this.#show(job, undefined),
    };
  }

  #show(job: object, rate: number | undefined): void {
    if (rate === undefined) this.#rates.delete(job);
    else this.#rates.set(job, rate);
    this.#metrics.set(
      'trainingThroughput',
      [...this.#rates.values()].reduce((sum, each) => sum + each, 0),
    );
  }
}
