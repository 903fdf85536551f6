// New versions while requests run: no request fails, every answer is of the version it names, damage never spreads.
import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { defaultCaller } from '../../src/base/caller.ts';
import type { BlobStore } from '../../src/store/contract.ts';
import { FolderBlobs } from '../../src/store/folder/blobs.ts';
import { batch, failure, type Serving, startServing, times } from './serving.ts';

const encode = async ({ predictor }: Serving, model?: string) => {
  const { version, outputs } = await predictor.predict(defaultCaller, {
    operation: 'encode',
    model,
    inputs: batch(1, 0, 0, 0),
  });
  return { version, value: outputs.data[0] };
};
const fileOf = ({ root }: Serving, version: number, file: string) =>
  path.join(root, 'models/digits', String(version), file);

describe('a new version', () => {
  it('answers the next request, and an alias what it points to', async () => {
    const serving = await startServing();
    for (const version of [1, 2, 3]) {
      await serving.publish('digits', times(version));
      expect(await encode(serving, 'digits')).toEqual({ version, value: version });
    }
    for (const version of [1, 3, 2]) {
      await serving.registry.setAlias('digits', 'stable', version);
      expect(await encode(serving, 'digits:stable')).toEqual({ version, value: version });
    }
    await serving.registry.deleteVersion('digits', 3);
    expect(await encode(serving, 'digits')).toEqual({ version: 2, value: 2 });
    expect((await failure(encode(serving, 'digits@3'))).code).toBe('version-not-found');
    await serving.registry.deleteModel('digits');
    expect((await failure(encode(serving, 'digits'))).code).toBe('model-not-found');
  });

  it('takes over under load: every answer is of the version it names, none fails', { timeout: 120_000 }, async () => {
    const serving = await startServing({ pool: { maxModels: 3 } });
    await serving.publish('digits', times(1));
    await serving.registry.setAlias('digits', 'stable', 1);
    let going = true;
    const seen = new Set<number>();
    const client = async (model: string) => {
      let answers = 0;
      let last = 0;
      for (; going; answers++) {
        const { version, value } = await encode(serving, model);
        expect(value).toBe(version);
        if (model === 'digits') expect(version).toBeGreaterThanOrEqual(last);
        last = version;
        seen.add(version);
      }
      return answers;
    };
    const clients = ['digits', 'digits', 'digits:stable', 'digits:stable', 'digits@1'].map(client);
    for (let version = 2; version <= 40; version++) {
      await serving.publish('digits', times(version));
      await serving.registry.setAlias('digits', 'stable', 1 + Math.floor(version / 2));
      await sleep(10);
    }
    going = false;
    const answers = await Promise.all(clients);
    expect(Math.min(...answers)).toBeGreaterThan(20);
    expect(seen.size).toBeGreaterThan(20);
    expect(await encode(serving, 'digits')).toEqual({ version: 40, value: 40 });
    expect(serving.pool.loaded).toBeLessThanOrEqual(3);
  });
});

describe('a new version that loads slowly', () => {
  it('is waited for a moment, then the one before answers until it is there', async () => {
    let release = () => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const read: BlobStore['read'] = async function (this: BlobStore, ...key) {
      if (key[1] === '2' && key[2] === 'encoder.onnx') await released;
      return FolderBlobs.prototype.read.apply(this, key);
    };
    const wrap = (store: BlobStore) => Object.assign(store, { read });
    const serving = await startServing({ config: { deadlineMs: 1500, maxWaiting: 20 }, wrap });
    await serving.publish('digits', times(1));
    expect((await encode(serving, 'digits')).version).toBe(1);
    await serving.publish('digits', times(2));
    expect(await encode(serving, 'digits')).toEqual({ version: 1, value: 1 });
    const demand = { signal: AbortSignal.timeout(20), isOver: () => undefined };
    const impatient = { operation: 'encode', model: 'digits@2', inputs: batch(1, 0, 0, 0), demand } as const;
    expect((await failure(serving.predictor.predict(defaultCaller, impatient))).code).toBe('deadline-exceeded');
    const crowd = Array.from({ length: 50 }, () => failure(encode(serving, 'digits@2')));
    const codes = (await Promise.all(crowd)).map((error) => error.code).sort();
    expect(codes).toEqual([...Array(20).fill('deadline-exceeded'), ...Array(30).fill('overloaded')]);
    const pinned = encode(serving, 'digits@2');
    release();
    expect(await pinned).toEqual({ version: 2, value: 2 });
    expect(await encode(serving, 'digits')).toEqual({ version: 2, value: 2 });
  });
});

describe('a damaged version', () => {
  it('is refused by name; the bare name means the one before', async () => {
    const serving = await startServing();
    await serving.publish('digits', times(1));
    await serving.publish('digits', times(2));
    await serving.registry.setAlias('digits', 'stable', 2);
    truncateSync(fileOf(serving, 2, 'encoder.onnx'), 10);
    expect(await encode(serving, 'digits')).toEqual({ version: 1, value: 1 });
    expect((await failure(encode(serving, 'digits@2'))).code).toBe('model-corrupt');
    expect((await failure(encode(serving, 'digits:stable'))).code).toBe('model-corrupt');
    expect(serving.warnings).toEqual(['A model version is set aside: it is damaged: digits@2']);
    await serving.publish('digits', times(3));
    expect(await encode(serving, 'digits')).toEqual({ version: 3, value: 3 });
  });

  it('is the answer when there is no other', async () => {
    const serving = await startServing();
    await serving.publish('digits', times(1));
    await serving.publish('digits', times(2));
    for (const version of [1, 2]) truncateSync(fileOf(serving, version, 'encoder.onnx'), 10);
    for (let i = 0; i < 2; i++) expect((await failure(encode(serving, 'digits'))).code).toBe('model-corrupt');
  });

  it('found when it comes back into memory is set aside, and the request is answered', async () => {
    const serving = await startServing({ pool: { maxModels: 1 } });
    await serving.publish('digits', times(1));
    await serving.publish('digits', times(2));
    expect((await encode(serving, 'digits')).version).toBe(2);
    expect((await encode(serving, 'digits@1')).version).toBe(1);
    const file = fileOf(serving, 2, 'encoder.onnx');
    const bytes = readFileSync(file);
    bytes[bytes.length >> 1]! ^= 1;
    writeFileSync(file, bytes);
    expect(await encode(serving, 'digits')).toEqual({ version: 1, value: 1 });
    expect(serving.warnings.length).toBe(1);
  });

  it.each([
    ['whose weights are NaN', () => times(Number.NaN), {}],
    ['whose weights are infinite', () => times(Number.POSITIVE_INFINITY), {}],
    ['with other rows than its manifest says', () => times(2), { inputShape: [5] }],
    ['with other codes than its manifest says', () => times(2), { codeShape: [3] }],
    ['without a decoder', () => ({ ...times(2), 'decoder.onnx': undefined }), {}],
    ['with a decoder that is none', () => ({ ...times(2), 'decoder.onnx': Buffer.from('none') }), {}],
  ])('%s never answers', async (_, files, meta) => {
    const serving = await startServing();
    await serving.publish('digits', times(1));
    const there = Object.fromEntries(Object.entries(files()).filter(([, bytes]) => bytes !== undefined));
    await serving.publish('digits', there as ReturnType<typeof times>, meta);
    expect((await failure(encode(serving, 'digits@2'))).code).toBe('model-corrupt');
    expect(await encode(serving, 'digits')).toEqual({ version: 1, value: 1 });
  });
});

describe('a version that gives nonsense for ordinary rows', () => {
  it('fails that request and is taken out of service', async () => {
    const serving = await startServing();
    await serving.publish('digits', times(1));
    // finite for the middle of the range, not for its end
    await serving.publish('digits', times(3e38), { inputRange: [0, 1.5] });
    expect((await failure(encode(serving, 'digits@2'))).code).toBe('fulfilled');
    const large = () =>
      serving.predictor.predict(defaultCaller, { operation: 'encode', model: 'digits', inputs: batch(1.5, 0, 0, 0) });
    expect((await failure(large())).code).toBe('internal');
    const { version, outputs } = await large();
    expect({ version, value: outputs.data[0] }).toEqual({ version: 1, value: 1.5 });
    expect((await failure(encode(serving, 'digits@2'))).code).toBe('model-corrupt');
    expect(serving.warnings).toEqual(['A model version is set aside: it is damaged: digits@2']);
  });
});

describe('a thread that dies', () => {
  it('fails what it ran; the next request is answered', async () => {
    const script = new URL('../runtime/crashing-thread.mjs', import.meta.url);
    const serving = await startServing({ pool: { threads: 1, script } });
    await serving.publish('digits', times(1));
    expect((await encode(serving)).version).toBe(1);
    const deadly = serving.predictor.predict(defaultCaller, { operation: 'encode', inputs: batch(666, 0, 0, 0) });
    expect((await failure(deadly)).code).toBe('model-crashed');
    expect(await encode(serving)).toEqual({ version: 1, value: 1 });
    expect(serving.warnings).toEqual([]);
  });
});
