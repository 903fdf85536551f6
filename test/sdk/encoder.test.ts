// The whole way of a frame: bundle from the gateway, encoder on the device in either runtime, frame sent, decoded. And refusals.
import * as ort from 'onnxruntime-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HourglassClient } from '../../src/sdk/client.ts';
import { loadEncoder } from '../../src/sdk/encoder.ts';
import { type OnnxRuntimeModule, onnxRuntime } from '../../src/sdk/onnx-runtime.ts';
import { Outbox } from '../../src/sdk/outbox.ts';
import { ProblemError } from '../../src/sdk/problem.ts';
import { filesOf, packed } from '../bundle/archive.ts';
import { publishCoded, rowSize, testRows } from '../bundle/published.ts';
import { startGateway, type TestGateway } from '../gateway/http/harness.ts';

let gateway: TestGateway;
let client: HourglassClient;
let bundle: Uint8Array;
let rows: Float32Array;
beforeAll(async () => {
  gateway = await startGateway();
  client = new HourglassClient({ baseUrl: `http://127.0.0.1:${gateway.port}`, retries: 0 });
  await publishCoded(gateway.registry, 'phone', 12);
  bundle = await client.models.bundle('phone');
  rows = await testRows();
});
afterAll(() => gateway?.stop());

const runtime = onnxRuntime(ort as unknown as OnnxRuntimeModule);

describe('a bundle', () => {
  it('is not sent again to who has it, and says which version it is', async () => {
    const first = await gateway.rest.send('GET', '/v1/models/phone/bundle');
    expect(first.headers.get('x-hourglass-model')).toBe('phone@1');
    const again = await gateway.rest.send('GET', '/v1/models/phone@1/bundle', undefined, {
      'if-none-match': first.headers.get('etag') ?? '',
    });
    expect([again.status, again.bytes.length]).toEqual([304, 0]);
    expect((await gateway.rest.send('GET', '/v1/models/tiny/bundle')).json).toMatchObject({
      code: 'operation-not-supported',
    });
  });

  it('is smaller with one kind of weights', async () => {
    const [float32, int8] = [
      await client.models.bundle('phone', { weights: 'float32' }),
      await client.models.bundle('phone', { weights: 'int8' }),
    ];
    expect(float32.length).toBeLessThan(bundle.length);
    expect(int8.length).toBeLessThan(float32.length - 6000);
    const { frame } = await (await loadEncoder(bundle, { weights: 'int8' })).encode(rows);
    expect((await (await loadEncoder(int8, { weights: 'int8' })).encode(rows)).frame).toEqual(frame);
    await expect(loadEncoder(int8)).rejects.toMatchObject({ code: 'model-corrupt' });
    const { headers } = await gateway.rest.send('GET', '/v1/models/phone/bundle?weights=int8');
    expect(headers.get('etag')).toMatch(/-int8"$/);
    expect((await gateway.rest.send('GET', '/v1/models/phone/bundle?weights=int4')).json).toMatchObject({
      code: 'invalid-request',
    });
  });

  it('is refused when a byte of it changed', async () => {
    const inside = await filesOf(bundle);
    for (const path of ['encoder.onnx', 'codec.bin', 'golden.json']) {
      const content = inside[path] ?? new Uint8Array();
      const at = Buffer.from(bundle).indexOf(content) + Math.floor(content.length / 2);
      const changed = bundle.slice();
      changed[at] = (changed[at] as number) ^ 1;
      await expect(loadEncoder(changed)).rejects.toMatchObject({ code: 'model-corrupt' });
    }
    await expect(loadEncoder(bundle.subarray(0, 5000))).rejects.toMatchObject({ code: 'model-corrupt' });
  });
});

describe('an encoder on a device', () => {
  it('gives the very frames that the server gives, in the built-in runtime and in ONNX Runtime', async () => {
    const builtIn = await loadEncoder(bundle);
    const native = await loadEncoder(bundle, { runtime });
    expect(builtIn.qualities.length).toBeGreaterThan(4);
    for (const quality of builtIn.qualities.keys()) {
      const { frame, receipt } = await client.encodeFrame('phone', { data: rows, rows: 20 }, { quality });
      for (const encoder of [builtIn, native]) {
        const encoded = await encoder.encode(rows, { quality });
        expect({ ...encoded.receipt, version: 1 }).toEqual(receipt);
        expect(Buffer.from(encoded.frame).equals(frame)).toBe(true);
      }
    }
  });

  it('sends what the server decodes, within the bytes allowed', async () => {
    const encoder = await loadEncoder(bundle);
    const one = rows.subarray(0, rowSize);
    const finest = await encoder.encode(one);
    const answer = await client.decodeFrame(finest.frame);
    expect(answer).toMatchObject({ model: 'phone', version: 1, rows: 1 });
    expect(answer.data.length).toBe(rowSize);
    const small = await encoder.encode(one, { maxBytes: finest.frame.length - 1 });
    expect(small.frame.length).toBeLessThan(finest.frame.length);
    expect(small.receipt.estimatedPsnr).toBeLessThan(finest.receipt.estimatedPsnr);
    expect((await encoder.encode(one, { psnr: 99 })).receipt).toEqual({
      ...finest.receipt,
      shortfall: expect.stringContaining('not 99 dB'),
    });
    await expect(encoder.encode(one, { maxBytes: 3 })).rejects.toMatchObject({ code: 'invalid-request' });
    await expect(encoder.encode(rows.subarray(1))).rejects.toMatchObject({ code: 'shape-mismatch' });
    await expect(encoder.encode(one.map(() => Number.NaN))).rejects.toMatchObject({ code: 'non-finite' });
  });

  it('runs on weights of one byte, whose frames the same decoder takes', async () => {
    const exact = await loadEncoder(bundle);
    for (const options of [{}, { runtime }]) {
      const small = await loadEncoder(bundle, { ...options, weights: 'int8' });
      await small.verify();
      const { frame, receipt } = await small.encode(rows);
      expect((await client.decodeFrame(frame)).rows).toBe(20);
      expect(receipt.decoder).toBe(exact.manifest.decoder);
      const [of32, of8] = [exact.qualities.at(-1)?.psnr ?? 0, small.qualities.at(-1)?.psnr ?? 0];
      expect(Math.abs(of8 - of32)).toBeLessThan(0.2);
      expect(of8).not.toBe(of32);
    }
    const { variants, ...older } = exact.manifest;
    expect(variants?.map(({ weights }) => weights)).toEqual(['int8']);
    // a Buffer, as Node reads files
    const without = packed({ ...(await filesOf(bundle)), 'manifest.json': Buffer.from(JSON.stringify(older)) });
    await (await loadEncoder(await without)).verify();
    await expect(loadEncoder(await without, { weights: 'int8' })).rejects.toMatchObject({
      code: 'operation-not-supported',
    });
  });

  it('sends nothing when the device computes other codes than the golden vectors', async () => {
    const wrong = await loadEncoder(bundle, {
      runtime: async (model, shape) => {
        const run = await runtime(model, shape);
        return async (data, count) => (await run(data, count)).map((z) => z * 1.05);
      },
    });
    await expect(wrong.verify()).rejects.toMatchObject({ code: 'device-unavailable' });
    await expect(wrong.encode(rows)).rejects.toMatchObject({ code: 'device-unavailable' });
  });
});

describe('an outbox', () => {
  it('keeps frames in order while the server is away, delivers them once, and drops what is refused', async () => {
    const encoder = await loadEncoder(bundle);
    const { frame } = await encoder.encode(rows.subarray(0, rowSize));
    const { frame: second } = await encoder.encode(rows.subarray(rowSize, 2 * rowSize));
    const unknown = Uint8Array.of(0x10, 0, 0, 0, 0, 0);
    let saved: readonly Uint8Array[] = [frame];
    const storage = {
      load: async () => saved,
      save: async (frames: readonly Uint8Array[]) => {
        saved = frames;
      },
    };
    const away = new HourglassClient({ baseUrl: 'http://127.0.0.1:9', retries: 0 });
    const offline = new Outbox({ send: (bytes) => away.decodeFrame(bytes), storage });
    await offline.add(unknown);
    await offline.add(second);
    expect(await offline.flush()).toBe(3);
    expect(saved).toEqual([frame, unknown, second]);
    const delivered: Uint8Array[] = [];
    const refused: string[] = [];
    const online = new Outbox({
      send: (bytes) => client.decodeFrame(bytes),
      storage,
      onDelivered: (_, bytes) => delivered.push(bytes),
      onRefused: (problem) => refused.push(problem instanceof ProblemError ? problem.code : ''),
    });
    expect(await Promise.all([online.flush(), online.flush()])).toEqual([0, 0]);
    expect(delivered).toEqual([frame, second]);
    expect(refused).toEqual(['decoder-unknown']);
    expect(saved).toEqual([]);
  });
});
