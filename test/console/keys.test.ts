// The console of a server that wants a key: signing in, what a key is told to have done, and keys that are made and revoked on their page.
import type { Page } from 'playwright-core';
import { expect, it } from 'vitest';
import { type LockedDoors, lockDoors } from '../access/doors.ts';
import { startGateway } from '../gateway/http/harness.ts';
import { chromiumPath, startBrowser } from '../helpers/browser.ts';
import { startRedis } from '../helpers/redis.ts';
import { findings } from './findings.ts';

it.skipIf(!chromiumPath)(
  'asks for a key where access control is on, keeps it for the tab, and says who moved an alias',
  async () => {
    const redis = await startRedis();
    const doors = await lockDoors({ redisUrl: redis.url });
    const gateway = await startGateway({ access: doors });
    const browser = await startBrowser({ viewport: { width: 1280, height: 860 } });
    const tab = await browser.context.newPage();
    try {
      await tab.goto(`http://127.0.0.1:${gateway.port}/#/models/digits`);
      const box = tab.getByRole('dialog', { name: 'This server wants a key' });
      await box.getByText('Calls without a key are refused.').waitFor();
      expect(await findings(tab)).toEqual([]);
      await box.getByLabel('API key').fill('hg_not_a_key');
      await box.getByRole('button', { name: 'Sign in' }).click();
      await box.getByText('The key of this session was refused.').waitFor();
      const { key, id } = await doors.make({ scopes: ['read', 'publish', 'admin'] });
      await box.getByLabel('API key').fill(key);
      await box.getByRole('button', { name: 'Sign in' }).click();
      await tab.getByRole('heading', { name: 'digits', exact: true }).waitFor();
      await tab.getByLabel('New alias', { exact: true }).fill('stable');
      await tab.getByRole('button', { name: 'Add' }).click();
      await tab.getByText(`by key:${id}`).waitFor();
      await tab.reload();
      await tab.getByText(`by key:${id}`).waitFor();
      await makeAndRevokeKey(tab, doors);
      await tab.getByRole('button', { name: 'Forget the key' }).click();
      await box.waitFor();
    } finally {
      await browser.close();
      await gateway.stop();
      await doors.stop();
      await redis.stop();
    }
  },
  60_000,
);

/** By hand, as an admin; the page is checked by axe with all that it can show. */
async function makeAndRevokeKey(tab: Page, { access }: LockedDoors): Promise<void> {
  await tab.getByRole('link', { name: 'Keys' }).click();
  await tab.getByLabel('Name', { exact: true }).fill('app');
  await tab.getByLabel('Tenant').fill('acme');
  await tab.getByRole('button', { name: 'Make the key' }).click();
  const shown = await tab.getByRole('status', { name: 'The new key' }).locator('pre').textContent();
  expect(await access.admit(`Bearer ${shown}`, 'infer')).toMatchObject({ tenant: 'acme' });
  await tab.getByRole('button', { name: 'Revoke app' }).waitFor();
  expect(await findings(tab)).toEqual([]);
  await tab.getByRole('button', { name: 'Revoke app' }).click();
  await tab.getByRole('button', { name: 'Revoke the key' }).click();
  await tab.getByRole('button', { name: 'Revoke app' }).waitFor({ state: 'detached' });
  await expect(async () => access.admit(`Bearer ${shown}`, 'infer')).rejects.toMatchObject({ code: 'unauthenticated' });
}
