/** New rows from a model that has a prior: codes drawn from N(0, I), decoded. */

import { randomInt } from 'node:crypto';
import type { Caller } from '../base/caller.ts';
import { HourglassError } from '../base/errors.ts';
import { float32, sizeOf } from '../base/ndarray.ts';
import { RandomStream } from '../base/random.ts';
import type { Demand, Prediction, Predictor } from './predictor.ts';

/** Of 32 bits. */
const seeds = 2 ** 32;

/** The seed of a request that names none: the answer tells it, so that it can be asked for again. */
export const drawSeed = (): number => randomInt(seeds);

export interface GenerateRequest {
  readonly model?: string | undefined;
  /** rows to make */
  readonly count: number;
  /** the same seed gives the same rows, of one version */
  readonly seed: number;
  readonly demand?: Demand;
}

/** Throws what `Predictor.predict` throws: `batch-too-large`, `operation-not-supported` for a model that is not variational. */
export async function generate(
  predictor: Predictor,
  caller: Caller,
  { model, count, seed, demand }: GenerateRequest,
): Promise<Prediction> {
  if (count > predictor.maxBatch) {
    throw new HourglassError(
      'batch-too-large',
      `${count} rows are asked for; at most ${predictor.maxBatch} are allowed. Ask for them in parts.`,
      { field: '/count', expected: predictor.maxBatch, found: count },
    );
  }
  const target = await predictor.resolve(caller, 'generate', model);
  const codes = new RandomStream(seed, 'generate').normal(new Float32Array(count * sizeOf(target.inputShape)));
  return predictor.predict(caller, {
    operation: 'generate',
    model: `${target.model}@${target.version}`,
    inputs: float32([count, ...target.inputShape], codes),
    ...(demand && { demand }),
  });
}
