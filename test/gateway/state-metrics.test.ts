// Which models a gateway knows of, as metrics: alike on gateways that see the same, and how old that knowledge is while the bucket is away.
import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { recordModels } from '../../src/gateway/state-metrics.ts';
import { Metrics } from '../../src/platform/metrics.ts';
import type { BlobStore, Stores } from '../../src/store/contract.ts';
import { openStores } from '../../src/store/open.ts';
import { s3Server, startBucket, type TestBucket } from '../helpers/s3.ts';
import { until } from '../queue/fixtures.ts';

async function shown(versions: BlobStore): Promise<{ fingerprint: number; age: number }> {
  const metrics = new Metrics('gateway');
  await recordModels(versions, metrics);
  const text = await metrics.render();
  const value = (name: string): number =>
    Number(new RegExp(`^hourglass_${name}{process="gateway"} (.+)$`, 'm').exec(text)?.[1] ?? Number.NaN);
  return { fingerprint: value('models_fingerprint'), age: value('models_age_seconds') };
}

async function publish(versions: BlobStore, folder: string, group: string): Promise<void> {
  const stage = await versions.stage();
  await stage.write('encoder.onnx', Buffer.from(group));
  expect(await stage.commit(folder, group)).toBe(true);
}

describe.skipIf(s3Server() === undefined)('two gateways on one bucket', () => {
  const disks: string[] = [];
  const opened: Stores[] = [];
  let bucket: TestBucket;
  beforeAll(async () => {
    bucket = await startBucket();
    for (let i = 0; i < 2; i++) {
      const disk = await mkdtemp(path.join(os.tmpdir(), 'hourglass-disk-'));
      disks.push(disk);
      opened.push(await openStores(bucket.settings(disk, { storeRefreshMs: 50 })));
    }
  });
  afterAll(async () => {
    for (const stores of opened) await stores.close();
    for (const disk of disks) rmSync(disk, { recursive: true, force: true });
    await bucket?.stop();
  });
  const [first, second] = [0, 1].map((i) => ({ look: () => shown(opened[i]!.versions) })) as [
    { look: () => ReturnType<typeof shown> },
    { look: () => ReturnType<typeof shown> },
  ];
  const agree = (): Promise<number> =>
    until(async () => {
      const [a, b] = [await first.look(), await second.look()];
      return a.fingerprint === b.fingerprint && a.fingerprint;
    });

  it('show one fingerprint, another one after each change', async () => {
    const seen = [await agree()];
    const { versions } = opened[0]!;
    for (const change of [
      () => publish(versions, 'digits', '1'),
      () => publish(versions, 'digits', '2'),
      () => versions.setNote('digits', 'alias.stable', '1'),
      () => versions.setNote('digits', 'alias.stable', '2'),
    ]) {
      await change();
      await until(async () => (await second.look()).fingerprint !== seen.at(-1));
      seen.push(await agree());
    }
    expect(new Set(seen).size).toBe(5);
    expect(seen.every((value) => Number.isSafeInteger(value))).toBe(true);
  });

  it('show how long the bucket has not been heard, and go on with what they saw', async () => {
    const before = await agree();
    await bucket.kill();
    let { age } = await second.look();
    for (let i = 0; i < 3; i++) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      const now = await second.look();
      expect(now.fingerprint).toBe(before);
      expect(now.age).toBeGreaterThan(age);
      age = now.age;
    }
    await bucket.start();
    await until(async () => (await second.look()).age < age);
    expect((await second.look()).fingerprint).toBe(before);
  });
});

it('a folder is always asked itself', async () => {
  const dataDir = await mkdtemp(path.join(os.tmpdir(), 'hourglass-disk-'));
  const { versions } = await openStores({ dataDir });
  const empty = await shown(versions);
  await publish(versions, 'digits', '1');
  const one = await shown(versions);
  expect([empty.age, one.age]).toEqual([0, 0]);
  expect(one.fingerprint).not.toBe(empty.fingerprint);
  rmSync(dataDir, { recursive: true, force: true });
});
