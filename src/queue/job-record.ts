/** A job's record in Redis (one hash) and how it is shown. */

import { createHash } from 'node:crypto';
import type { JobFailure, JobProgress, JobSpec, JobState, JobView, WaitingFor } from '../jobspec/job.ts';

/** Fields of the hash; all values are text. */
export type JobRecord = Readonly<Record<string, string>>;

const iso = (ms: string): string => new Date(Number(ms)).toISOString();
const json = <T>(text: string): T => JSON.parse(text) as T;

/** Records of earlier releases name no device. */
export function specOf(text: string): JobSpec {
  const spec = json<JobSpec>(text);
  return { ...spec, training: { ...spec.training, device: spec.training.device ?? 'any' } };
}

export function viewOf(record: JobRecord): JobView {
  const { id = '', state, spec = '', createdAt = '', startedAt, finishedAt, attempts, warnings } = record;
  const { progress, metrics, failure, model, version, waitingFor, asked } = record;
  return {
    id,
    state: state as JobState,
    spec: specOf(spec),
    createdAt: iso(createdAt),
    ...(startedAt !== undefined && { startedAt: iso(startedAt) }),
    ...(finishedAt !== undefined && { finishedAt: iso(finishedAt) }),
    attempts: Number(attempts),
    ...(waitingFor !== undefined && { waitingFor: waitingFor as WaitingFor }),
    ...(progress !== undefined && { progress: json<JobProgress>(progress) }),
    warnings: json<string[]>(warnings ?? '[]'),
    ...(model !== undefined && version !== undefined && { model, version: Number(version) }),
    ...(metrics !== undefined && { metrics: json<Record<string, number>>(metrics) }),
    ...(failure !== undefined && { failure: json<JobFailure>(failure) }),
    ...(asked !== undefined && { asked: json<unknown>(asked) }),
  };
}

/**
 * Equal requests have equal fingerprints, whatever the order of their members. A member that a release has added is left out
 * where it has its default, so that a request that is repeated after an upgrade is still the same.
 */
export function fingerprintOf(request: unknown): string {
  const text = JSON.stringify(request, (key, member: unknown) => {
    if (typeof member !== 'object' || member === null || Array.isArray(member)) return member;
    const isNew = ([name, value]: [string, unknown]): boolean =>
      key === 'training' && name === 'device' && value === 'any';
    const kept = Object.entries(member).filter((entry) => !isNew(entry));
    return Object.fromEntries(kept.sort(([a], [b]) => (a < b ? -1 : 1)));
  });
  return createHash('sha256').update(text).digest('hex');
}
