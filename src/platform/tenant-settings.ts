/**
 * Settings of what each tenant other than `default` may take: the part of the table in settings.ts. The tenant `default` operates
 * the service and is not limited.
 */

import { groupOf } from './setting-groups.ts';
import { bytes, integer, optional } from './setting-kinds.ts';

const tenants = groupOf('tenants');

export const tenantSettings = {
  tenantRequests: tenants(
    'HOURGLASS_TENANT_REQUESTS',
    optional(integer(1, 1_000_000)),
    null,
    'requests a second of each tenant other than default, REST and gRPC together, of each gateway process',
  ),
  tenantRows: tenants(
    'HOURGLASS_TENANT_ROWS',
    optional(integer(1, 1_000_000_000)),
    null,
    'rows a second that models answer to each of them, of each gateway process; a larger request is let in and paid off',
  ),
  tenantStreams: tenants(
    'HOURGLASS_TENANT_STREAMS',
    optional(integer(1, 100_000)),
    null,
    'event streams, streams of inferences, uploads and downloads that each of them may have open at once, of each gateway process',
  ),
  tenantDatasetBytes: tenants(
    'HOURGLASS_TENANT_DATASET_BYTES',
    optional(bytes(1024)),
    null,
    'stored bytes of the data sets of each of them',
  ),
  tenantModelBytes: tenants(
    'HOURGLASS_TENANT_MODEL_BYTES',
    optional(bytes(1024)),
    null,
    'stored bytes of the models of each of them: whoever has as many can neither submit nor begin a job',
  ),
  tenantQueuedJobs: tenants(
    'HOURGLASS_TENANT_QUEUED_JOBS',
    integer(1, 1_000_000),
    '1000',
    'jobs of each of them that may wait',
  ),
  tenantRunningJobs: tenants(
    'HOURGLASS_TENANT_RUNNING_JOBS',
    optional(integer(1, 1_000_000)),
    null,
    'jobs of each of them that may run at once; without it as many as there are workers',
  ),
} as const;
