/** The contract without a running gateway: for the file that is checked in. */

import { openAccess } from '../../access/access.ts';
import { loadConfig } from '../../platform/config.ts';
import { createLog } from '../../platform/log.ts';
import { Metrics } from '../../platform/metrics.ts';
import { createLimits } from '../shared-limits.ts';
import { contractYaml } from './contract.ts';
import { createApp } from './server.ts';

/** openapi.yaml of the release `version`. */
export async function contractText(version: string): Promise<string> {
  // Routes use these when they answer, which they never do here.
  const absent = {} as never;
  const parts = {
    tenants: absent,
    readiness: absent,
    keys: absent,
  };
  const log = createLog({ level: 'silent', format: 'json', process: 'contract' });
  const config = loadConfig({});
  const metrics = new Metrics('contract');
  const limits = createLimits(config, metrics);
  const app = createApp(
    { ...parts, access: openAccess, config, log, metrics, version, limits },
    new AbortController().signal,
  );
  await app.ready();
  try {
    return contractYaml(app);
  } finally {
    await app.close();
  }
}
