// From settings to a store.
import { existsSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { ConfigError, loadConfig } from '../../src/platform/config.ts';
import { openStores, storeSettings } from '../../src/store/open.ts';
import { emptyDisk } from './buckets.ts';

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
