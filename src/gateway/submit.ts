/** From what a client sent to a queued job or sweep: the one way for every transport. */

import { type Static, Type } from 'typebox';
import type { Caller } from '../base/caller.ts';
import { HourglassError } from '../base/errors.ts';
import type { DatasetInfo, DatasetStore } from '../data/dataset.ts';
import { type JobCheck, type JobSpec, type JobView, namePattern } from '../jobspec/job.ts';
import { checkMemory, estimateMemory } from '../jobspec/memory.ts';
import { resolveJobSpec } from '../jobspec/resolve.ts';
import { checkAgainst, supported } from '../jobspec/schema-check.ts';
import { resolveSweep, type SweepCheck, type SweepView } from '../jobspec/sweep.ts';
import type { Config } from '../platform/config.ts';
import type { JobQueue } from '../queue/job-queue.ts';
import type { Registry } from '../registry/registry.ts';
import { identityOf } from './datasets.ts';
import type { TenantQuota } from './quotas.ts';

/** What a submission may say besides the job's specification, in the same object. */
export const SubmitMembers = supported(
  Type.Object(
    {
      priority: Type.Optional(
        Type.Integer({
          minimum: -1000,
          maximum: 1000,
          description: 'jobs of higher priority start first; 0 when absent',
        }),
      ),
      deadlineSeconds: Type.Optional(
        Type.Number({
          exclusiveMinimum: 0,
          maximum: 366 * 24 * 3600,
          description: 'seconds from now until which the job must have ended',
        }),
      ),
    },
    { additionalProperties: false },
  ),
);
type SubmitMembers = Static<typeof SubmitMembers>;
const SweepMembers = supported(Type.Pick(SubmitMembers, ['priority'], { additionalProperties: false }));

export interface SubmitParts {
  readonly queue: JobQueue;
  readonly datasets: Pick<DatasetStore, 'info'>;
  readonly config: Pick<Config, 'maxJobMemoryBytes'>;
  readonly registry: Registry;
  readonly quota: Pick<TenantQuota, 'checkModels'>;
}

/** What a dry run needs. */
type CheckParts = Pick<SubmitParts, 'datasets' | 'config'>;

const longestKey = 255;
const nameRule = new RegExp(namePattern);

/**
 * `raw` is what a client sent, checked here and nowhere before: a job specification and what SubmitMembers lists. Throws
 * what `resolveJobSpec`, `checkMemory`, `DatasetStore.info`, `TenantQuota.checkModels` and `JobQueue.submit` throw, and
 * `invalid-request` for an idempotency key that is empty or too long.
 */
export async function submitJob(
  { queue, datasets, config, registry, quota }: SubmitParts,
  caller: Caller,
  raw: unknown,
  idempotencyKey?: string,
): Promise<JobView> {
  checkKey(idempotencyKey);
  const { members, spec, warnings, dataset } = await resolve({ datasets, config }, raw);
  await quota.checkModels(registry);
  const options = { caller, ...members, warnings, asked: raw, ...optionsOf(idempotencyKey, dataset) };
  return queue.submit(spec, options);
}

/** A dry run: throws what `submitJob` throws for the request itself, and queues nothing. */
export async function checkJob(parts: CheckParts, raw: unknown): Promise<JobCheck> {
  const { spec, warnings, dataset } = await resolve(parts, raw);
  return { spec, warnings, memoryBytes: memoryOf(spec, dataset) };
}

const memoryOf = (spec: JobSpec, dataset: DatasetInfo | undefined): number =>
  dataset ? Math.round(estimateMemory(spec, dataset).total) : 0;

async function resolve({ datasets, config }: CheckParts, raw: unknown) {
  const { members, job } = split(raw);
  const dataset = await datasetOf(job, datasets);
  const besides = Object.keys(SubmitMembers.properties);
  const { spec, warnings } = resolveJobSpec(job, { ...(dataset && { dataset }), besides });
  checkSize(spec, dataset, config);
  return { members, spec, warnings, dataset };
}

/** The same for `{ job, search, priority }`: throws what `resolveSweep` and `SweepQueue.submit` throw as well. */
export async function submitSweep(
  { queue, datasets, config, registry, quota }: SubmitParts,
  caller: Caller,
  raw: unknown,
  idempotencyKey?: string,
): Promise<SweepView> {
  checkKey(idempotencyKey);
  const { members, sweep, dataset } = await planSweep({ datasets, config }, raw);
  await quota.checkModels(registry);
  return queue.sweeps.submit(sweep, { caller, ...members, ...optionsOf(idempotencyKey, dataset) });
}

/** A dry run: throws what `submitSweep` throws for the request itself, and queues nothing. */
export async function checkSweep(parts: CheckParts, raw: unknown): Promise<SweepCheck> {
  const { sweep, dataset } = await planSweep(parts, raw);
  const { search, trials, warnings } = sweep;
  return {
    search,
    trials: trials.map(({ parameters, spec }) => ({ parameters, memoryBytes: memoryOf(spec, dataset) })),
    warnings: [...warnings],
  };
}

async function planSweep({ datasets, config }: CheckParts, raw: unknown) {
  const { job, search, ...rest } = (typeof raw === 'object' && raw !== null ? raw : {}) as Record<string, unknown>;
  for (const [name, value] of Object.entries({ job, search })) {
    if (value !== undefined) continue;
    throw new HourglassError('invalid-request', `"${name}" is missing: a sweep needs a job and a search.`, {
      field: `/${name}`,
    });
  }
  const members = checkAgainst(SweepMembers, rest, { besides: ['job', 'search'] }) as Pick<SubmitMembers, 'priority'>;
  const dataset = await datasetOf(job, datasets);
  const sweep = resolveSweep(job, search, dataset ? { dataset } : {});
  for (const { spec } of sweep.trials) checkSize(spec, dataset, config);
  return { members, sweep, dataset };
}

function checkSize(spec: JobSpec, dataset: DatasetInfo | undefined, config: SubmitParts['config']): void {
  if (dataset) checkMemory(spec, dataset, config.maxJobMemoryBytes);
}

const optionsOf = (idempotencyKey: string | undefined, dataset: DatasetInfo | undefined) => ({
  ...(idempotencyKey !== undefined && { idempotencyKey }),
  ...(dataset && { datasetIdentity: identityOf(dataset) }),
});

function checkKey(key: string | undefined): void {
  if (key === undefined || (key.length > 0 && key.length <= longestKey)) return;
  throw new HourglassError(
    'invalid-request',
    `The idempotency key has ${key.length} characters; 1 to ${longestKey} are allowed.`,
    { field: 'Idempotency-Key', expected: `1 to ${longestKey} characters`, found: key.length },
  );
}

/** Defaults depend on the data set, so it is looked up first; a malformed name is left to the specification's check. */
async function datasetOf(job: unknown, datasets: SubmitParts['datasets']): Promise<DatasetInfo | undefined> {
  const name = datasetNameOf(job);
  return name === undefined ? undefined : datasets.info(name);
}

/** Anything but an object is left to the specification's check. */
function split(raw: unknown): { readonly members: SubmitMembers; readonly job: unknown } {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) return { members: {}, job: raw };
  const entries = Object.entries(raw);
  const isOurs = ([key]: [string, unknown]): boolean => Object.hasOwn(SubmitMembers.properties, key);
  const ours = Object.fromEntries(entries.filter(isOurs));
  const job = Object.fromEntries(entries.filter((entry) => !isOurs(entry)));
  return { members: checkAgainst(SubmitMembers, ours) as SubmitMembers, job };
}

function datasetNameOf(job: unknown): string | undefined {
  if (typeof job !== 'object' || job === null || !('dataset' in job)) return undefined;
  return typeof job.dataset === 'string' && nameRule.test(job.dataset) ? job.dataset : undefined;
}
