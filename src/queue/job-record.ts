/** A job's record in Redis (one hash) and how it is shown. */

import { randomBytes } from 'node:crypto';
import type { JobFailure, JobProgress, JobSpec, JobState, JobView, WaitingFor } from '../jobspec/job.ts';

/** Fields of the hash; all values are text. */
export type JobRecord = Readonly<Record<string, string>>;

const iso = (ms: string): string => new Date(Number(ms)).toISOString();
const json = <T>(text: string): T => JSON.parse(text) as T;

export function viewOf(record: JobRecord): JobView {
  const { id = '', state, spec = '', createdAt = '', startedAt, finishedAt, attempts, warnings } = record;
  const { progress, metrics, failure, model, version, waitingFor } = record;
  return {
    id,
    state: state as JobState,
    spec: json<JobSpec>(spec),
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
  };
}

const alphabet = '0123456789abcdefghjkmnpqrstvwxyz';

/** 26 characters that sort by time: 10 of milliseconds, 16 random (the layout of a ULID, in lower case). */
export function newJobId(now = Date.now()): string {
  let head = '';
  for (let rest = now, i = 0; i < 10; i++, rest = Math.floor(rest / 32)) head = alphabet.charAt(rest % 32) + head;
  return head + Array.from(randomBytes(16), (byte) => alphabet.charAt(byte % 32)).join('');
}

/** Members sorted by name, so that equal requests have equal text. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, member: unknown) =>
    typeof member === 'object' && member !== null && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)))
      : member,
  );
}
