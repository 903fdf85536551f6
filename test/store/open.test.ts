// From settings to a store.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { ConfigError, loadConfig } from '../../src/platform/config.ts';
import type { Stores } from '../../src/store/contract.ts';
import { openStores, storeSettings } from '../../src/store/open.ts';
import { bucketStores, emptyDisk } from './buckets.ts';

describe('HOURGLASS_STORE', () => {
  it.each(['s3://models', 's3://models/', 's3://my.models-1/hourglass', 's3://models/a/b_c.d/'])(
    'takes %s',
    (store) => {
      expect(loadConfig({ HOURGLASS_STORE: store }).store).toBe(store);
    },
  );

  it.each(['models', 's3:models', 's3://', 's3://M', 's3://models//x', 'https://models', 's3://models/../x y'])(
    'refuses %s, and says what is allowed',
    (store) => {
      expect(() => loadConfig({ HOURGLASS_STORE: store })).toThrow(ConfigError);
      expect(() => loadConfig({ HOURGLASS_STORE: store })).toThrow(/s3:\/\/bucket/);
    },
  );

  it('leaves the data folder alone', async () => {
    const dataDir = path.join(emptyDisk(), 'data');
    const config = loadConfig({ HOURGLASS_DATA_DIR: dataDir, HOURGLASS_STORE: 's3://models/x' });
    // What goes to a child process is plain data.
    const stores = await openStores(JSON.parse(JSON.stringify(storeSettings(config))) as typeof config);
    expect(stores.isShared).toBe(true);
    expect(existsSync(dataDir)).toBe(false);
    await stores.close();
  });
});

const inFolder = async (): Promise<Stores> => openStores({ dataDir: path.join(emptyDisk(), 'data') });

describe.each([
  ['folder', () => inFolder],
  ['bucket', bucketStores((stores) => stores)],
] as const)('tenants in a %s', (_kind, newStore) => {
  const open = newStore();
  const publish = async ({ versions }: Stores, text: string): Promise<boolean> => {
    const stage = await versions.stage();
    await stage.write('file', Buffer.from(text));
    return stage.commit('digits', '1');
  };
  const addSet = async ({ datasets }: Stores, text: string): Promise<boolean> => {
    const { folder, remove } = await datasets.workspace();
    mkdirSync(path.join(folder, 'set'));
    writeFileSync(path.join(folder, 'set', 'rows'), text);
    const added = await datasets.add('rows', path.join(folder, 'set'), Buffer.from(text));
    await remove();
    return added;
  };
  const textOf = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString();

  it('have models and data sets of the same names, and nothing of each other', async () => {
    const stores = await open();
    const acme = await stores.forTenant('acme');
    for (const [of, text] of [
      [stores, 'default'],
      [acme, 'acme'],
    ] as const) {
      expect(await publish(of, text)).toBe(true);
      expect(await addSet(of, text)).toBe(true);
      await of.versions.setNote('digits', 'alias.stable', text);
      await of.results.write('key', Buffer.from(text));
    }
    const other = await stores.forTenant('other');
    expect([await other.versions.folders(), await other.datasets.names()]).toEqual([[], []]);
    expect(await other.results.read('key')).toBeUndefined();
    for (const [of, text] of [
      [stores, 'default'],
      [await stores.forTenant('acme'), 'acme'],
    ] as const) {
      // Twice, as what was read once may be kept on this machine.
      for (let i = 0; i < 2; i++) expect(textOf(await of.versions.read('digits', '1', 'file'))).toBe(text);
      expect(await of.versions.readNote('digits', 'alias.stable')).toBe(text);
      expect(textOf((await of.datasets.find('rows'))?.manifest)).toBe(text);
      expect(textOf(await of.results.read('key'))).toBe(text);
    }
    expect(await acme.datasets.remove('rows')).toBe(true);
    expect(await stores.datasets.names()).toEqual(['rows']);
    expect(await stores.tenants()).toContain('acme');
    expect(acme.builtIns).not.toBe(acme.datasets);
    expect(await acme.builtIns.names()).toEqual(['rows']);
  });
});

it.each(['../up', 'A', '', 'a/b'])('opens no storage of a tenant called %j', async (tenant) => {
  await expect(openStores({ dataDir: path.join(emptyDisk(), 'data'), tenant })).rejects.toThrow('name of a tenant');
});
