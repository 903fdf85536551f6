/** Keeps a long list of jobs right while only the part on the screen is asked for. */

import type { JobList, JobView } from '../../sdk/index.ts';

/** Places in the list that are on the screen, `last` not included. */
export interface JobRange {
  readonly first: number;
  readonly last: number;
}

/**
 * Replaces what comes after `cursor` up to the last job of the page: jobs that are not on the page any more have gone, new ones
 * have come. Ids sort by time, newest first.
 */
export function mergeJobs(jobs: readonly JobView[], cursor: string | undefined, page: JobList): readonly JobView[] {
  const last = page.jobs.at(-1)?.id;
  const before = cursor === undefined ? [] : jobs.filter(({ id }) => id >= cursor);
  const isWhole = page.nextCursor === undefined;
  const end = isWhole ? '' : (last ?? page.nextCursor ?? '');
  const after = end === '' ? [] : jobs.filter(({ id }) => id < end && (cursor === undefined || id < cursor));
  return [...before, ...page.jobs, ...after];
}
