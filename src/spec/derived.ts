/** Defaults that follow from the data: a table of the fields that a client may leave out although the model needs them. */

import type { Activation, Loss } from './model.ts';

/** What a check may know of the data set; DatasetInfo of src/data is one of these. */
export interface DatasetFacts {
  readonly shape: readonly number[];
  readonly range: readonly [number, number];
  readonly rows: { readonly train: number };
  readonly classes?: number;
}

export const isUnitRange = (facts: DatasetFacts | undefined): boolean =>
  facts === undefined || (facts.range[0] >= 0 && facts.range[1] <= 1);

/** JSON pointers of the fields filled in by `deriveMembers`. */
export const derivedMembers: readonly string[] = ['/model/loss', '/model/outputActivation'];

interface Derivable {
  loss?: Loss;
  outputActivation?: Activation;
}

/**
 * `loss`: bce where the data is in [0,1], else mse. `outputActivation`: sigmoid for bce, else linear.
 * Without facts about the data, [0,1] is assumed.
 */
export function deriveMembers(model: Derivable, facts: DatasetFacts | undefined): void {
  model.loss ??= isUnitRange(facts) ? 'bce' : 'mse';
  model.outputActivation ??= model.loss === 'bce' ? 'sigmoid' : 'linear';
}
