/**
 * How unusual rows are to a model, for every transport: the score of the version's own program, and its p-value against rows
 * that the version was not trained on.
 */

import type { Caller } from '../base/caller.ts';
import type { NdArray } from '../base/ndarray.ts';
import { type OutlierCalibration, pValue } from '../base/outliers.ts';
import type { Registry } from '../registry/registry.ts';
import { LruMemo } from './lru-memo.ts';
import type { Demand, Predictor } from './predictor.ts';

export interface Outlier {
  /** around 0 for ordinary rows; more is worse reconstructed than rows of its kind are */
  readonly score: number;
  /** two-sided, in (0, 1]: how often held-out rows are as far out */
  readonly pValue: number;
}

export interface OutlierQuestion {
  /** `digits@2` */
  readonly model: string;
  /** [batch, …row] */
  readonly inputs: NdArray<'float32'>;
  readonly demand?: Demand;
}

const calibrationsKept = 100;

export class OutlierRater {
  readonly #registry: Registry;
  readonly #predictor: Predictor;
  /** by `digits@2` */
  readonly #calibrations = new LruMemo<OutlierCalibration>(calibrationsKept);

  constructor({ registry, predictor }: { readonly registry: Registry; readonly predictor: Predictor }) {
    this.#registry = registry;
    this.#predictor = predictor;
  }

  /** One for each row. Throws what `Predictor.predict` throws: `operation-not-supported` where no rows were held out. */
  async rate(caller: Caller, { model, inputs, demand }: OutlierQuestion): Promise<Outlier[]> {
    const { outputs } = await this.#predictor.predict(caller, {
      operation: 'outliers',
      model,
      inputs,
      ...(demand && { demand }),
    });
    const calibration = await this.#calibrations.get(model, () => this.#read(model));
    return Array.from(outputs.data, (score) => ({ score, pValue: pValue(calibration, score) }));
  }

  async #read(model: string): Promise<OutlierCalibration> {
    const manifest = await this.#registry.resolve(model);
    const bytes = await this.#registry.readFile(manifest, 'outliers.json');
    return JSON.parse(Buffer.from(bytes).toString()) as OutlierCalibration;
  }
}
