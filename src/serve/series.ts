/** What a model makes of series: each as it comes back, how far off that is, and how it may go on. For every transport. */

import type { Caller } from '../base/caller.ts';
import { HourglassError } from '../base/errors.ts';
import { float32 } from '../base/ndarray.ts';
import { type SeriesModelFacts, seriesFile, seriesScore, shareAbove } from '../base/series.ts';
import type { Registry } from '../registry/registry.ts';
import { LruMemo } from './lru-memo.ts';
import type { Demand, Predictor } from './predictor.ts';

export interface GivenSeries {
  /** the channels of the first time step, then those of the second; NaN where a value is missing */
  readonly values: ArrayLike<number>;
  /** values of a time step, where the client says it */
  readonly channels?: number;
}

export interface SeriesRequest {
  readonly model?: string | undefined;
  readonly series: readonly GivenSeries[];
  /** time steps after the end; default 0 */
  readonly forecast?: number | undefined;
  readonly demand?: Demand;
}

export interface AnsweredSeries {
  /** [steps, channels], gaps filled */
  readonly reconstruction: Float32Array;
  /** mean squared error of what was observed, in standard deviations of its channel */
  readonly score: number;
  /** share of ordinary series that are at least as far off */
  readonly pValue: number;
  readonly anomalous: boolean;
  /** [steps, channels] after the end */
  readonly forecast: Float32Array;
}

export interface SeriesAnswer {
  readonly model: string;
  readonly version: number;
  readonly channels: number;
  /** above it a series is called anomalous */
  readonly threshold: number;
  readonly series: readonly AnsweredSeries[];
}

/** The limits of REST's schema. */
export const seriesLimits = { series: 64, forecast: 65_536 } as const;

const factsKept = 100;

export class SeriesService {
  readonly #registry: Registry;
  readonly #predictor: Predictor;
  /** by `beats@2` */
  readonly #facts = new LruMemo<SeriesModelFacts>(factsKept);

  constructor({ registry, predictor }: { readonly registry: Registry; readonly predictor: Predictor }) {
    this.#registry = registry;
    this.#predictor = predictor;
  }

  /**
   * Throws what `Predictor.predict` throws: `operation-not-supported` for a model that is not of series, `empty-batch`; and
   * `shape-mismatch` for series that do not fit.
   */
  async answer(caller: Caller, { series, forecast = 0, demand, ...request }: SeriesRequest): Promise<SeriesAnswer> {
    const target = await this.#predictor.resolve(caller, 'series', request.model);
    const model = `${target.model}@${target.version}`;
    const facts = await this.#facts.get(model, () => this.#read(model));
    const { steps, channels, threshold } = facts;
    for (const [i, one] of series.entries()) checkSeries(one, i, { model, facts, forecast });
    const size = steps * channels;
    const x = new Float32Array(series.length * size).fill(Number.NaN);
    for (const [i, { values }] of series.entries()) x.set(Float32Array.from(values), i * size);
    const { outputs, version } = await this.#predictor.predict(caller, {
      ...{ operation: 'series', model, inputs: float32([series.length, steps, channels], x) },
      ...(demand && { demand }),
    });
    return {
      ...{ model: target.model, version, channels, threshold },
      series: series.map(({ values }, i) => {
        const whole = outputs.data.subarray(i * size, (i + 1) * size);
        const reconstruction = whole.slice(0, values.length);
        const score = seriesScore(values, reconstruction, facts.deviations);
        return {
          ...{ reconstruction, score, pValue: shareAbove(facts.calibration, score), anomalous: score > threshold },
          forecast: whole.slice(values.length, values.length + forecast * channels),
        };
      }),
    };
  }

  async #read(reference: string): Promise<SeriesModelFacts> {
    const manifest = await this.#registry.resolve(reference);
    return JSON.parse(Buffer.from(await this.#registry.readFile(manifest, seriesFile)).toString()) as SeriesModelFacts;
  }
}

interface Asked {
  readonly model: string;
  readonly facts: SeriesModelFacts;
  readonly forecast: number;
}

/** Throws `shape-mismatch`, `empty-batch`; `operation-not-supported` for a forecast by a model that has not learned to. */
function checkSeries({ values, channels: said }: GivenSeries, i: number, { model, facts, forecast }: Asked): void {
  const { steps, channels, forecasts } = facts;
  const field = `/series/${i}`;
  const found = said ?? (values.length % channels === 0 ? channels : values.length);
  if (found !== channels) {
    const per = channels === 1 ? 'one value' : `${channels} values`;
    throw new HourglassError('shape-mismatch', `${model} takes ${per} for each time step; series ${i} has ${found}.`, {
      ...{ field, expected: channels, found },
    });
  }
  const length = values.length / channels;
  if (!Array.prototype.some.call(values, (value: number) => !Number.isNaN(value))) {
    throw new HourglassError('empty-batch', `Series ${i} has no observed value. Send at least one.`, { field });
  }
  if (length > steps) {
    throw new HourglassError(
      'shape-mismatch',
      `Series ${i} has ${length} time steps; ${model} takes at most ${steps}. Send a part of it${forecasts ? `, to forecast its last ${Math.max(1, steps - Math.max(1, forecast))} steps` : ''}.`,
      { field, expected: steps, found: length },
    );
  }
  if (forecast === 0) return;
  if (!forecasts) {
    throw new HourglassError(
      'operation-not-supported',
      `${model} was trained with "hiddenEnds": 0 and has not learned to forecast. Leave "forecast" out, or train it with hidden ends.`,
      { field: '/forecast', expected: 0, found: forecast },
    );
  }
  if (length + forecast <= steps) return;
  throw new HourglassError(
    'shape-mismatch',
    `${model} knows series of ${steps} time steps; series ${i} has ${length}, which leaves ${steps - length} to forecast, not ${forecast}. Send its last ${Math.max(1, steps - forecast)} steps.`,
    { field: '/forecast', expected: steps - length, found: forecast },
  );
}

/** Throws `invalid-request` for more than is allowed, for transports whose schemas do not say it. */
export function checkSeriesRequest(found: Readonly<Record<keyof typeof seriesLimits, number>>): void {
  for (const [field, most] of Object.entries(seriesLimits) as [keyof typeof seriesLimits, number][]) {
    if (found[field] <= most) continue;
    throw new HourglassError('invalid-request', `"${field}" is ${found[field]}; at most ${most} are allowed.`, {
      ...{ field: `/${field}`, expected: most, found: found[field] },
    });
  }
}
