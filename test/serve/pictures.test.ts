// Codecs and restorers of pictures are found as models for rows are: by name, alias, version or as the only one, in the caller's own tenant, and
// never a version that turned out to be damaged.
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { defaultCaller } from '../../src/base/caller.ts';
import { HourglassError } from '../../src/base/errors.ts';
import { rowsToWebp } from '../../src/data/image.ts';
import { exportPictureOnnx } from '../../src/engine/export.ts';
import { initialise } from '../../src/models/parameters.ts';
import { RestorationNetwork, restorationFunction } from '../../src/models/restoration.ts';
import { type Publication, Registry } from '../../src/registry/registry.ts';
import type { PictureManifest } from '../../src/serve/pictures.ts';
import { PredictionService } from '../../src/serve/prediction-service.ts';
import { FolderBlobs } from '../../src/store/folder/blobs.ts';
import { picture } from '../codec/picture/pictures.ts';
import { untrainedCodec } from '../codec/picture/untrained.ts';
import { failure, startServing } from './serving.ts';

const raster = picture(1, 40, 24, 1);
let published: Publication;
let restorer: Uint8Array;
beforeAll(async () => {
  published = await untrainedCodec('photos', 1);
  const cleaner = new RestorationNetwork({
    ...{ channels: 1, stride: 2, maps: 8, blocks: 1, corruption: { type: 'gaussian', sigma: 0.1 } },
  });
  restorer = exportPictureOnnx(restorationFunction(cleaner, initialise(cleaner.parameters, 1)), {
    ...{ producer: 'test', version: '0' },
  });
});

const restorerMeta = { operations: [], restorer: { channels: 1, stride: 2, margin: 4, hasMask: false } };

async function serve() {
  const serving = await startServing();
  const service = new PredictionService({ ...serving, webp: rowsToWebp });
  onTestFinished(() => service.close());
  const encode = async (model: string | undefined, shown = raster, target = {}) => {
    const found = await service.pictures.find(defaultCaller, model);
    if (!found) return undefined;
    return service.pictures.encode({ caller: defaultCaller, model, found }, async () => shown, target);
  };
  const restore = async (model: string | undefined) => {
    const found = await service.restorers.find(defaultCaller, model);
    return found && service.restorers.restore({ caller: defaultCaller, model, found }, async () => ({ raster }));
  };
  let jobs = 0;
  const codecOf = (isDamaged: boolean): Publication => ({
    files: {
      ...published.files,
      ...(isDamaged && { 'codec.bin': (published.files['codec.bin'] as Uint8Array).slice(0, 900) }),
    },
    meta: { ...published.meta, lineage: { ...published.meta.lineage, jobId: `codec-${jobs++}` } },
  });
  const publishCodec = (isDamaged = false) => serving.registry.publish('photos', codecOf(isDamaged));
  const publishRestorer = (bytes = restorer) =>
    serving.publish('clean', { 'restorer.onnx': bytes } as never, restorerMeta);
  return { ...serving, service, encode, restore, codecOf, publishCodec, publishRestorer };
}

describe('a codec for pictures', () => {
  it('is found by its name, an alias, a version, and as the only model', async () => {
    const { encode, publishCodec, registry } = await serve();
    await publishCodec();
    await publishCodec();
    await registry.setAlias('photos', 'stable', 1);
    expect((await encode('photos'))?.receipt.version).toBe(2);
    expect((await encode('photos:stable'))?.receipt.version).toBe(1);
    expect((await encode('photos@1'))?.receipt.version).toBe(1);
    expect((await encode(undefined))?.receipt.version).toBe(2);
    expect((await failure(encode('photo'))).code).toBe('model-not-found');
    expect((await failure(encode('photos@9'))).code).toBe('version-not-found');
  });

  it('that is damaged is set aside, and the version before answers its name', async () => {
    const { encode, publishCodec, service, warnings } = await serve();
    await publishCodec();
    await publishCodec(true);
    expect((await encode('photos'))?.receipt.version).toBe(1);
    expect(warnings).toEqual(['A model version is set aside: it is damaged: photos@2']);
    expect((await service.pictures.find(defaultCaller, 'photos'))?.version).toBe(1);
    expect((await failure(encode('photos@2'))).code).toBe('model-corrupt');
    await publishCodec();
    expect((await encode('photos'))?.receipt.version).toBe(3);
  });

  it('is not taken for damaged by who sends it rows, or loads it as a model for rows', async () => {
    const { encode, predictor, publishCodec, warnings } = await serve();
    await publishCodec();
    await publishCodec();
    const rows = { dtype: 'float32', shape: [1, 4], data: new Float32Array(4) } as const;
    const asked = predictor.predict(defaultCaller, { operation: 'encode', model: 'photos', inputs: rows });
    expect((await failure(asked)).code).toBe('operation-not-supported');
    expect((await failure(predictor.load(defaultCaller, 'photos'))).code).toBe('operation-not-supported');
    expect((await encode('photos'))?.receipt.version).toBe(2);
    expect(warnings).toEqual([]);
  });

  it('does nothing for who has gone when its turn comes', async () => {
    const { publishCodec, service } = await serve();
    const found = (await publishCodec()) as PictureManifest;
    const gone = new HourglassError('cancelled', 'The client is gone.');
    const asked = { caller: defaultCaller, model: 'photos', found, demand: { isOver: () => gone } };
    await expect(service.pictures.encode(asked, async () => raster, {})).rejects.toBe(gone);
  });

  it('of which no version works says what is wrong with the newest', async () => {
    const { encode, publishCodec } = await serve();
    await publishCodec(true);
    expect((await failure(encode('photos'))).code).toBe('model-corrupt');
  });

  it('names WebP where that is better', async () => {
    const { encode, publishCodec } = await serve();
    await publishCodec();
    const striped = (side: number) => {
      const data = Uint8Array.from({ length: side * side }, (_, i) =>
        ((i % side) + Math.floor(i / side)) % 16 < 8 ? 255 : 0,
      );
      return { width: side, height: side, channels: 1, data };
    };
    const short = (await encode('photos', raster, { psnr: 90 }))?.receipt;
    expect(short?.shortfall).toContain('not 90 dB');
    // small pictures are always tried, large ones that take more bits than pictures of the kind
    for (const side of [64, 300]) {
      const odd = (await encode('photos', striped(side), { psnr: 38 }))?.receipt;
      const [webp] = odd?.alternatives ?? [];
      expect(webp).toMatchObject({ type: 'webp', bytes: expect.any(Number) });
      expect(webp?.bytes).toBeLessThan(odd?.wireBytes ?? 0);
      expect(webp?.psnr).toBeGreaterThanOrEqual(odd?.estimatedPsnr ?? 99);
    }
    // WebP takes as many bytes, or there is no reason to look
    const usual = await Promise.all(
      [64, 300].map((side) => encode('photos', picture(1, side, side, 1), { quality: 0 })),
    );
    for (const made of usual) expect(made?.receipt.alternatives).toBeUndefined();
  });
});

describe('a restorer of pictures', () => {
  it('answers by name and as the only model, and a damaged version is set aside', async () => {
    const { restore, encode, publishRestorer, warnings } = await serve();
    await publishRestorer();
    expect(await restore(undefined)).toMatchObject({ model: 'clean', version: 1 });
    await publishRestorer(restorer.slice(0, 500));
    const { version, raster: restored } = (await restore('clean')) ?? {};
    expect(version).toBe(1);
    // a network that has learnt nothing yet gives the picture back
    expect(restored).toEqual({ ...raster, data: Uint8Array.from(raster.data) });
    expect(warnings).toEqual(['A model version is set aside: it is damaged: clean@2']);
    expect(await encode('clean')).toBeUndefined();
  });
});

describe('tenants', () => {
  it('find codecs of their own, and what the tenant default shares', async () => {
    const { predictor, registry, service, codecOf, publishCodec } = await serve();
    await publishCodec();
    const root = mkdtempSync(path.join(os.tmpdir(), 'hourglass-tenant-'));
    onTestFinished(() => rmSync(root, { recursive: true }));
    const own = await Registry.open(await FolderBlobs.open(root), { tenant: 'other', lender: registry });
    const others = new PredictionService({ registry: own, predictor: predictor.forTenant(own), others: service });
    const caller = { ...defaultCaller, tenant: 'other' };
    expect((await failure(others.pictures.find(caller, 'photos'))).code).toBe('model-not-found');
    await registry.share('photos', true);
    const found = await others.pictures.find(caller, 'photos');
    if (!found) throw new Error('a shared codec was not found');
    const asked = { caller, model: 'photos', found };
    expect((await others.pictures.encode(asked, async () => raster, {})).receipt.version).toBe(1);
    for (let i = 0; i < 2; i++) await own.publish('photos', codecOf(false));
    expect((await others.pictures.find(caller, 'photos'))?.version).toBe(2);
  });
});
