/** The contract without a running gateway: for the build, which serves it, and for the file that is checked in. */

import { openAccess } from '../../access/access.ts';
import { loadConfig } from '../../platform/config.ts';
import { createLog } from '../../platform/log.ts';
import { Metrics } from '../../platform/metrics.ts';
import { createLimits } from '../shared-limits.ts';
import { type Contract, contractOf, contractYaml, describeContract } from './contract.ts';
import { createApp } from './server.ts';

/** The contract of the release `version`. */
export async function contract(version: string): Promise<Contract> {
  // Routes use these when they answer, which they never do here.
  const absent = {} as never;
  const parts = { tenants: absent, readiness: absent, keys: absent, audit: absent };
  const log = createLog({ level: 'silent', format: 'json', process: 'contract' });
  const config = loadConfig({});
  const metrics = new Metrics('contract');
  const limits = createLimits(config, metrics);
  const app = createApp(
    { ...parts, access: openAccess, config, log, metrics, version, limits },
    new AbortController().signal,
    { beforeRoutes: (bare) => describeContract(bare, version) },
  );
  await app.ready();
  try {
    return contractOf(app);
  } finally {
    await app.close();
  }
}

/** The same as the text of openapi.yaml. */
export const contractText = async (version: string): Promise<string> => contractYaml(await contract(version));
