/**
 * For versions that `Predictor.predict` does not answer: the one that a reference means is asked, and when it turns out to be damaged, it is
 * set aside and the one before is asked, as for rows.
 */

import type { Caller } from '../base/caller.ts';
import type { Manifest } from '../registry/manifest.ts';
import { parseReference } from '../registry/reference.ts';
import { isDamage } from './model-cache.ts';
import type { Demand, Predictor } from './predictor.ts';

export interface Asked<M extends Manifest> {
  readonly caller: Caller;
  /** `photos`, `photos@2`, `photos:stable`; absent: the default model, else the only one */
  readonly model: string | undefined;
  /** what the reference means */
  readonly found: M;
  /** absent: the answer is wanted whenever it comes */
  readonly demand?: Pick<Demand, 'isOver'>;
}

/** Throws what `answer` throws; of several damaged versions the newest one's error. */
export async function askWorkingVersion<M extends Manifest, A>(
  predictor: Predictor,
  { caller, model, found }: Asked<M>,
  isOf: (manifest: Manifest) => manifest is M,
  answer: (manifest: M) => Promise<A>,
): Promise<A> {
  const isFixed = model !== undefined && parseReference(model).kind !== 'newest';
  let manifest = found;
  let failure: unknown;
  for (;;) {
    try {
      return await answer(manifest);
    } catch (error) {
      if (!isDamage(error)) throw error;
      failure ??= error;
      predictor.setAside(caller, manifest, error);
    }
    if (isFixed) throw failure;
    const next = await predictor.versionOf(caller, model).catch(() => Promise.reject(failure));
    if (!isOf(next) || next.version === manifest.version) throw failure;
    manifest = next;
  }
}
