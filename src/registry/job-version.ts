/**
 * Finds the version that a job published. Looks from the newest version back to those that were published well before the job was
 * submitted, so that a long history costs nothing.
 */

import { submittedAt } from '../jobspec/job-id.ts';
import type { Manifest } from './manifest.ts';
import type { ModelIndex, ModelState } from './model-index.ts';

/** How far the clocks of machines may differ that publish into one store. */
const clockDifferenceMs = 24 * 3600 * 1000;
/** manifests read at the same time */
const readAtOnce = 16;

/** Also a version that was deleted since. Ids that tell no time are looked for in all versions. */
export async function versionOfJob(
  index: ModelIndex,
  { name, all }: ModelState,
  jobId: string,
): Promise<Manifest | undefined> {
  const since = (submittedAt(jobId) ?? 0) - clockDifferenceMs;
  for (let end = all.length; end > 0; end -= readAtOnce) {
    const some = all.slice(Math.max(0, end - readAtOnce), end);
    const read = await Promise.allSettled(some.map((version) => index.manifest(name, version)));
    // Skip versions with an unreadable manifest: we cannot tell which job made them.
    const manifests = read.filter((result) => result.status === 'fulfilled').map((result) => result.value);
    const found = manifests.find(({ lineage }) => lineage.jobId === jobId);
    if (found || manifests.some(({ createdAt }) => Date.parse(createdAt) < since)) return found;
  }
  return undefined;
}
