// A short form of `npm run fuzz:requests`: generated requests of two tenants over REST and gRPC, valid and damaged, against a gateway process.
import { expect, it } from 'vitest';
import { Campaign } from '../../bench/requests/campaign.ts';
import { startCampaignService } from '../../bench/requests/service.ts';

const requests = 800;

it('answers generated requests as the contract says, and no tenant hears of the other', async () => {
  const { service, tenants } = await startCampaignService();
  try {
    const { httpPort, grpcPort } = service;
    const isOver = (): boolean => service.ended() !== undefined;
    const campaign = new Campaign({ httpPort, grpcPort, tenants, seed: 1, clients: 16, requests, isOver });
    await campaign.run();
    expect(service.ended(), service.log()).toBe(undefined);
    expect(campaign.findings).toEqual({ unplanned: [], 'off the contract': [], leaks: [], internals: [] });
    // It was no row of refusals.
    expect(campaign.succeeded.size).toBeGreaterThan(60);
    expect(service.log()).not.toMatch(/"level":"(error|fatal)"/);
  } finally {
    await service.stop();
  }
}, 120_000);
