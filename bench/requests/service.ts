// The gateway of the campaign, in a process of its own, with two tenants that have some of everything.
import { newKey } from '../../src/access/api-key.ts';
import { type Service, startService } from '../attack/service.ts';
import { type CampaignTenant, openTenant, uniqueName } from './tenants.ts';

/** The first model of each tenant stays, the others may be deleted. */
const modelsEach = 8;

export async function startCampaignService(): Promise<{
  readonly service: Service;
  readonly tenants: readonly [CampaignTenant, CampaignTenant];
}> {
  const adminKey = newKey();
  const names = [uniqueName('acme'), uniqueName('globex')] as const;
  const models = names.map((tenant) =>
    Array.from({ length: modelsEach }, () => ({ tenant, name: uniqueName('model') })),
  );
  const environment = {
    HOURGLASS_AUTH: 'keys',
    HOURGLASS_ADMIN_KEY: adminKey,
    HOURGLASS_TENANT_QUEUED_JOBS: '200',
    HOURGLASS_DOCS: 'on',
  };
  const service = await startService(environment, models.flat());
  const url = `http://127.0.0.1:${service.httpPort}`;
  const open = (i: 0 | 1): Promise<CampaignTenant> =>
    openTenant(url, adminKey, names[i], models[i]?.map(({ name }) => name) ?? []);
  return { service, tenants: [await open(0), await open(1)] };
}
