// A folder of pictures of mixed sizes goes the whole way on real parts: upload, jobs, a codec with frames made in Node and in Chromium, decoding
// over HTTP and gRPC, models that take noise away and fill holes. What cannot work is refused at once.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { build } from 'esbuild';
import sharp from 'sharp';
import { pack } from 'tar-stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Raster } from '../../src/codec/picture/transform.ts';
import { damagePicture } from '../../src/data/damage.ts';
import { InferenceService, OutputFormat } from '../../src/gen/hourglass/v1/inference_pb.ts';
import type { JobSpec } from '../../src/jobspec/job.ts';
import { decibels } from '../../src/report/restoration-report.ts';
import { HourglassClient } from '../../src/sdk/client.ts';
import { loadEncoder } from '../../src/sdk/encoder.ts';
import { loadPictureEncoder, type PictureEncoder } from '../../src/sdk/picture-encoder.ts';
import { picture } from '../codec/picture/pictures.ts';
import { TestClient } from '../gateway/grpc/client.ts';
import { chromiumPath, startBrowser } from '../helpers/browser.ts';
import { freePorts } from '../helpers/ports.ts';

const root = path.resolve(import.meta.dirname, '../..');
const dataDir = mkdtempSync(path.join(tmpdir(), 'hourglass-pictures-'));
const sizes = [
  [64, 48],
  [80, 80],
  [40, 120],
  [97, 61],
  [128, 72],
  [72, 72],
  [64, 64],
  [55, 90],
  [88, 40],
  [100, 100],
] as const;
const png = ({ width, height, channels, data }: Raster): Promise<Buffer> =>
  sharp(data, { raw: { width, height, channels: channels as 3 } })
    .png()
    .toBuffer();

/** A small job for a model that restores pictures. */
const cleaning = (name: string, corruption: object) => ({
  ...{ name, dataset: 'mixed' },
  model: { type: 'restoration', corruption, maps: 12, blocks: 1, crop: 32, crops: 96 },
  training: { epochs: 8, batchSize: 8, optimizer: { type: 'adam', learningRate: 0.004 } },
});

let up: ChildProcess;
let client: HourglassClient;
let grpcPort = 0;
let url = '';
let output = '';
let encoder: PictureEncoder;

beforeAll(async () => {
  const [http, grpc, metrics] = await freePorts(3);
  grpcPort = grpc ?? 0;
  url = `http://127.0.0.1:${http}`;
  client = new HourglassClient({ baseUrl: url });
  up = spawn(process.execPath, [path.join(root, 'dist/main.js'), 'up'], {
    cwd: root,
    env: {
      PATH: process.env.PATH,
      HOURGLASS_DATA_DIR: dataDir,
      HOURGLASS_HTTP_PORT: String(http),
      HOURGLASS_GRPC_PORT: String(grpc),
      HOURGLASS_METRICS_PORT: String(metrics),
      HOURGLASS_STARTER: 'off',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  for (const stream of [up.stdout, up.stderr]) stream?.on('data', (chunk) => (output += chunk));
  for (;;) {
    if ((await fetch(`${url}/readyz`).catch(() => undefined))?.status === 200) break;
    if (up.exitCode !== null) throw new Error(`hourglass stopped with ${up.exitCode}:\n${output}`);
    await sleep(100);
  }
  const tar = pack();
  const archive = buffer(tar);
  for (const [i, [width, height]] of sizes.entries())
    tar.entry({ name: `${i}.png` }, await png(picture(i, width, height, 3)));
  tar.finalize();
  const options = { keepSizes: true, testFraction: 0.2 };
  const info = await client.datasets.upload(await archive, { name: 'mixed', filename: 'mixed.tar', options });
  expect(info).toMatchObject({ sizes: 'mixed', shape: [120, 128, 3], rows: { train: 8, test: 2 } });
  const asked = {
    name: 'photos',
    dataset: 'mixed',
    model: { type: 'picture', maps: 8, layers: 1, crop: 4, crops: 16 },
    training: { epochs: 2, batchSize: 4, validation: { fraction: 0.25 } },
  } as const;
  const jobs = [
    asked,
    cleaning('clean', { type: 'gaussian', sigma: 0.1 }),
    cleaning('whole', { type: 'hole', size: 8 }),
  ];
  for (const { id } of await Promise.all(jobs.map((job) => client.jobs.submit(job as never)))) {
    const job = await client.jobs.finished(id);
    expect(job.state, JSON.stringify(job.failure)).toBe('succeeded');
  }
  encoder = await loadPictureEncoder(await client.models.bundle('photos'));
}, 120_000);

afterAll(async () => {
  const exited = new Promise((resolve) => up.once('exit', resolve));
  up.kill('SIGTERM');
  await exited;
  rmSync(dataDir, { recursive: true, force: true });
});

const rgba = ({ width, height, data }: Raster) => {
  const pixels = new Uint8ClampedArray(4 * width * height).fill(255);
  for (let i = 0; i < width * height; i++) for (let c = 0; c < 3; c++) pixels[4 * i + c] = data[3 * i + c] as number;
  return { width, height, data: pixels };
};
const pixelsOf = async (file: Uint8Array) => {
  const { data, info } = await sharp(file).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  return { width: info.width, height: info.height, data };
};

describe('a codec for pictures of mixed sizes', () => {
  const wanted = picture(50, 210, 150, 3);

  it('is published with qualities, a report and its frames’ hash', async () => {
    const manifest = await client.models.version('photos', 1);
    expect(manifest.operations).toEqual([]);
    expect(manifest.picture).toMatchObject({ channels: 3, margin: 2, hash: encoder.manifest.decoder });
    const psnrs = encoder.manifest.qualities.map(({ psnr }) => psnr);
    expect(psnrs).toHaveLength(16);
    expect(psnrs).toEqual(psnrs.toSorted((a, b) => a - b));
    const report = JSON.parse(Buffer.from(await client.models.file('photos', 1, 'report.json')).toString());
    expect(Object.keys(report.curves)).toEqual(['photos', 'JPEG (mozjpeg)', 'WebP']);
    const shown = await sharp(await client.models.file('photos', 1, 'pictures.png')).metadata();
    expect(shown.width).toBeGreaterThan(40);
  });

  it('decodes what the device encoded, whole and in part', async () => {
    const { frame, receipt } = encoder.encode(rgba(wanted), { quality: 13 });
    expect(receipt).toMatchObject({ kind: 'picture', width: 210, height: 150, wireBytes: frame.length });
    const { picture: file, ...told } = await client.decodePicture(frame);
    expect(told).toEqual({ model: 'photos', version: 1, lost: [] });
    const whole = await pixelsOf(file);
    expect([whole.width, whole.height]).toEqual([210, 150]);
    let squares = 0;
    for (const [i, value] of whole.data.entries()) squares += (value - (wanted.data[i] as number)) ** 2;
    const psnr = 10 * Math.log10(255 ** 2 / (squares / whole.data.length));
    expect(Math.abs(psnr - receipt.estimatedPsnr)).toBeLessThan(3);
    expect(psnr).toBeGreaterThan(30);

    const region = { x: 101, y: 37, width: 90, height: 60 };
    const part = await pixelsOf((await client.decodePicture(frame, { region })).picture);
    const cut = await pixelsOf(
      await sharp(file).extract({ left: 101, top: 37, width: 90, height: 60 }).png().toBuffer(),
    );
    expect(part).toEqual(cut);
  });

  it('makes the same frame on the server as on the device', async () => {
    const file = { picture: new Uint8Array(await png(wanted)), type: 'image/png' } as const;
    for (const target of [{ quality: 6 }, { psnr: 33 }, { maxBytes: 4000 }, { bpp: 1.5 }, {}]) {
      const here = encoder.encode(rgba(wanted), target);
      const there = await client.encodeFrame('photos', file, target);
      expect(Buffer.from(there.frame).equals(Buffer.from(here.frame)), JSON.stringify(target)).toBe(true);
      expect(there.receipt).toEqual({ ...here.receipt, version: 1 });
    }
    const { receipt } = encoder.encode(rgba(wanted), { maxBytes: 4000 });
    expect(receipt.wireBytes).toBeLessThanOrEqual(4000);
    expect(encoder.encode(rgba(wanted), { psnr: 33 }).receipt.estimatedPsnr).toBeGreaterThanOrEqual(33);
    expect(encoder.encode(rgba(wanted), { psnr: 98 }).receipt.shortfall).toContain('not 98 dB');
  });

  it.skipIf(!chromiumPath)('makes the same frame in Chromium', async () => {
    const entry = `export { loadPictureEncoder } from './src/sdk/picture-encoder.ts'`;
    const bundled = await build({
      stdin: { contents: entry, resolveDir: root, loader: 'ts' },
      ...{ bundle: true, write: false, format: 'iife', globalName: 'sdk', platform: 'browser', target: 'es2022' },
    });
    const browser = await startBrowser();
    try {
      const page = await browser.context.newPage();
      await page.goto(`${url}/healthz`).catch(() => page.goto(`${url}/readyz`));
      await page.addScriptTag({ content: bundled.outputFiles[0]?.text ?? '' });
      const given = { bundle: [...(await client.models.bundle('photos'))], pixels: [...rgba(wanted).data] };
      const made = await page.evaluate(async ({ bundle, pixels }) => {
        // @ts-expect-error the script above defines it
        const encoder = await sdk.loadPictureEncoder(Uint8Array.from(bundle));
        const picture = { width: 210, height: 150, data: Uint8ClampedArray.from(pixels) };
        return [4, 9, 14].map((quality) => [...encoder.encode(picture, { quality }).frame]);
      }, given);
      expect(made).toEqual([4, 9, 14].map((quality) => [...encoder.encode(rgba(wanted), { quality }).frame]));
    } finally {
      await browser.close();
    }
  });

  it('tells which part was damaged, and shows the rest', async () => {
    const { frame } = encoder.encode(rgba(picture(51, 600, 40, 3)), { quality: 9 });
    const damaged = frame.slice();
    damaged[damaged.length - 3] = (damaged[damaged.length - 3] as number) ^ 8;
    const { picture: file, lost } = await client.decodePicture(damaged);
    expect(lost).toEqual(['512,0,88,40']);
    const found = await pixelsOf(file);
    const good = await pixelsOf((await client.decodePicture(frame)).picture);
    const left = (of: typeof good) => Buffer.from(of.data.subarray(0, 3 * 400));
    expect(left(found)).toEqual(left(good));
  });

  it('is the same over gRPC', async () => {
    const grpc = new TestClient(grpcPort);
    try {
      const here = encoder.encode(rgba(wanted), { quality: 7 });
      const file = new Uint8Array(await png(wanted));
      const images = { case: 'images' as const, value: { files: [file] } };
      const { encodeFrame, decodeFrame } = InferenceService.method;
      const { frame, receipt } = await grpc.call(encodeFrame, { model: 'photos', content: images, quality: 7 });
      expect(Buffer.from(frame).equals(Buffer.from(here.frame))).toBe(true);
      const { step, bpp } = here.receipt;
      expect(receipt).toMatchObject({ model: 'photos', version: 1, wireBytes: BigInt(here.frame.length) });
      expect(receipt?.picture).toMatchObject({ width: 210, height: 150, step, bpp });
      const few = await grpc.call(encodeFrame, { model: 'photos', content: images, bpp: 1.5 });
      expect(Buffer.from(few.frame).equals(Buffer.from(encoder.encode(rgba(wanted), { bpp: 1.5 }).frame))).toBe(true);
      const { content, lost } = await grpc.call(decodeFrame, { frame });
      const files = content.case === 'images' ? content.value.files : [];
      expect(lost).toEqual([]);
      const whole = await pixelsOf(files[0] as Uint8Array);
      expect(whole).toEqual(await pixelsOf((await client.decodePicture(frame)).picture));
      const region = { x: 3, y: 20, width: 5, height: 2 };
      const part = await grpc.call(decodeFrame, { frame, region, outputFormat: OutputFormat.VALUES });
      const { shape, values } = part.content.case === 'outputs' ? part.content.value : { shape: [], values: [] };
      expect(shape).toEqual([1, 2, 5, 3]);
      expect(values.slice(0, 15)).toEqual([...whole.data.subarray(3 * (20 * 210 + 3), 3 * (20 * 210 + 8))]);
    } finally {
      grpc.close();
    }
  });

  it('answers WebP and raw values as well', async () => {
    const { frame } = encoder.encode(rgba(wanted), {});
    const webp = await client.decodePicture(frame, { type: 'image/webp' });
    expect((await sharp(webp.picture).metadata()).format).toBe('webp');
    const raw = await fetch(`${url}/decode`, {
      method: 'POST',
      body: new Uint8Array(frame),
      headers: { 'content-type': 'application/vnd.hourglass.frame', accept: 'application/octet-stream' },
    });
    expect(raw.headers.get('x-hourglass-shape')).toBe('150,210,3');
    expect((await raw.arrayBuffer()).byteLength).toBe(150 * 210 * 3);
  });
});

describe('models that restore pictures of mixed sizes', () => {
  const wanted = picture(60, 150, 111, 3);
  const png = (raster: Raster) =>
    sharp(raster.data, { raw: { width: raster.width, height: raster.height, channels: raster.channels as 3 } })
      .png()
      .toBuffer()
      .then((bytes) => ({ picture: new Uint8Array(bytes), type: 'image/png' }) as const);

  it('take noise out of a picture of any size, over HTTP as over gRPC', async () => {
    const { raster } = damagePicture(wanted, { type: 'gaussian', sigma: 0.1 }, 'journey');
    const file = await png(raster);
    const restored = await pixelsOf(await client.picture('denoise', 'clean', file));
    expect([restored.width, restored.height]).toEqual([150, 111]);
    expect(decibels(wanted, { ...restored, channels: 3 })).toBeGreaterThan(decibels(wanted, raster) + 2);
    const grpc = new TestClient(grpcPort);
    try {
      const content = { case: 'images' as const, value: { files: [file.picture] } };
      const answer = await grpc.call(InferenceService.method.denoise, { model: 'clean', content });
      const files = answer.content.case === 'images' ? answer.content.value.files : [];
      expect(await pixelsOf(files[0] as Uint8Array)).toEqual(restored);
    } finally {
      grpc.close();
    }
    const manifest = await client.models.version('clean', 1);
    expect(manifest.restorer).toEqual({ channels: 3, stride: 2, margin: 4, hasMask: false });
    expect(manifest.metrics['test.psnr']).toBeGreaterThan(manifest.metrics['test.damaged.psnr'] ?? 99);
    expect(Buffer.from(await client.models.file('clean', 1, 'report.html')).toString()).toContain('of 255');
  });

  it('fill what is transparent, and leave the rest', async () => {
    const { raster, holes } = damagePicture(wanted, { type: 'hole', size: 8 }, 'journey');
    if (!holes) throw new Error('there are no holes');
    const { data, ...size } = rgba(wanted);
    for (const [i, hole] of holes.entries()) if (hole) data.fill(0, 4 * i, 4 * i + 4);
    const file = await png({ ...size, data, channels: 4 });
    const restored = { ...(await pixelsOf(await client.picture('denoise', 'whole', file))), channels: 3 };
    expect(decibels(wanted, restored, holes)).toBeGreaterThan(decibels(wanted, raster, holes) + 2);
    const outside = holes.map((hole) => 1 - hole);
    expect(decibels(wanted, restored, outside)).toBe(99);
  });
});

describe('a sweep over models for pictures', () => {
  it('publishes the trial with the lowest held-out loss', async () => {
    const model = { type: 'restoration', maps: 8, blocks: 1, crop: 16, crops: 16 };
    const training = { epochs: 1, batchSize: 4, validation: { fraction: 0.25 } };
    const job = { name: 'swept', dataset: 'mixed', model, training };
    const search = { type: 'grid', parameters: { '/training/optimizer/learningRate': [0.00001, 0.003] } };
    let sweep = await client.sweeps.submit({ job, search } as never);
    while (sweep.state === 'queued' || sweep.state === 'running') {
      await sleep(100);
      sweep = await client.sweeps.get(sweep.id);
    }
    expect(sweep.state, JSON.stringify(sweep)).toBe('succeeded');
    const losses = sweep.trials.map(({ heldOutLoss = Number.POSITIVE_INFINITY }) => heldOutLoss);
    const best = sweep.trials[losses.indexOf(Math.min(...losses))];
    expect(Number.isFinite(losses[0]) && Number.isFinite(losses[1])).toBe(true);
    const { spec } = (await client.models.version('swept', 1)).lineage;
    expect((spec as JobSpec).training.optimizer.learningRate).toBe(
      best?.parameters['/training/optimizer/learningRate'],
    );
  }, 120_000);
});

describe('what cannot work', () => {
  const codeOf = async (work: Promise<unknown>): Promise<string> =>
    work.then(
      () => 'no error',
      (error) => error.code,
    );

  it('is refused when the job is submitted', async () => {
    const submit = (model: object, training: object = {}, dataset = 'mixed') =>
      codeOf(client.jobs.submit({ name: 'x', dataset, model, training } as never));
    expect(await submit({ type: 'dense' })).toBe('invalid-spec');
    expect(await submit({ type: 'picture', layers: 99 })).toBe('invalid-spec');
    expect(await submit({ type: 'picture', code: 4 })).toBe('unknown-field');
    expect(await submit({ type: 'picture' }, { evaluation: { linearProbe: true } })).toBe('invalid-spec');
    expect(await submit({ type: 'restoration' }, { evaluation: { linearProbe: true } })).toBe('invalid-spec');
    expect(await submit({ type: 'restoration', stride: 4, crop: 30 })).toBe('invalid-spec');
    expect(await submit({ type: 'restoration', corruption: { type: 'hole', size: 63 } })).toBe('invalid-spec');
  });

  it('is refused of frames and requests', async () => {
    const { frame } = encoder.encode(rgba(picture(52, 64, 64, 3)), {});
    const region = { x: 60, y: 0, width: 10, height: 10 };
    expect(await codeOf(client.decodePicture(frame, { region }))).toBe('invalid-request');
    const head = frame.slice();
    head[7] = (head[7] as number) ^ 1;
    expect(await codeOf(client.decodePicture(head))).toMatch(/frame-checksum|invalid-frame/);
    const other = frame.slice();
    other[1] = (other[1] as number) ^ 1;
    expect(await codeOf(client.decodePicture(other))).toBe('decoder-unknown');
    expect(await codeOf(client.encode('photos', { data: new Float32Array(12), rows: 1 }))).toBe(
      'operation-not-supported',
    );
    const rows = { data: new Float32Array(12), rows: 1 };
    expect(await codeOf(client.denoise('clean', rows))).toBe('operation-not-supported');
    expect(await codeOf(client.encode('clean', rows))).toBe('operation-not-supported');
    expect(await codeOf(client.denoise('photos', rows))).toBe('operation-not-supported');
    expect(await codeOf(loadEncoder(await client.models.bundle('photos')))).toBe('operation-not-supported');
    const file = { picture: new Uint8Array(await png(picture(53, 20, 20, 3))), type: 'image/png' } as const;
    expect(await codeOf(client.encodeFrame('photos', file, { kind: 'batch' }))).toBe('invalid-request');
    expect(await codeOf(client.encodeFrame('photos', file, { maxBytes: 3 }))).toBe('invalid-request');
    expect(await codeOf(client.models.deleteVersion('photos', 1))).toBe('frames-expected');
  });
});
