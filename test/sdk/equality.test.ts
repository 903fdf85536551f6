// The same symbols everywhere: a thousand digits encoded by onnxruntime-node, by onnxruntime-web's wasm and the built-in
// runtime in a real Chromium, and by the server. And every frame decodes to exactly the symbols that were coded.
import * as ort from 'onnxruntime-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Device, openDevice } from '../../bench/encode/device.ts';
import type { Runtime } from '../../bench/encode/probe.ts';
import { decodeFrame } from '../../src/codec/frame.ts';
import { dequantise, type Profile, type Quality, quantise } from '../../src/codec/profile.ts';
import { profileFromBytes } from '../../src/codec/profile-bytes.ts';
import { HourglassClient } from '../../src/sdk/client.ts';
import { loadEncoder } from '../../src/sdk/encoder.ts';
import { type OnnxRuntimeModule, onnxRuntime } from '../../src/sdk/onnx-runtime.ts';
import { filesOf } from '../bundle/archive.ts';
import { convolutional, dense, publishTrained, testDigits } from '../demo/trained.ts';
import { startGateway, type TestGateway } from '../gateway/http/harness.ts';
import { chromiumPath, startBrowser, type TestBrowser } from '../helpers/browser.ts';

const count = 1000;
const leastShare = 0.999;
let gateway: TestGateway;
let browser: TestBrowser;
let client: HourglassClient;
let rows: Float32Array;

beforeAll(async () => {
  if (!chromiumPath) return;
  gateway = await startGateway();
  client = new HourglassClient({ baseUrl: `http://127.0.0.1:${gateway.port}` });
  rows = await testDigits(count);
  browser = await startBrowser();
}, 180_000);
afterAll(async () => {
  await browser?.close();
  await gateway?.stop();
});

interface Encoded {
  readonly codes: Float32Array | undefined;
  /** a batch frame for each quality */
  readonly frames: readonly Uint8Array[];
}

async function inChromium(device: Device, runtime: Runtime): Promise<Encoded> {
  const { codes, frames } = await device.run({ runtime, weights: 'float32', timed: 0 });
  const bytes = Buffer.from(codes, 'base64');
  return {
    codes: new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length)),
    frames: frames.map((frame) => Buffer.from(frame, 'base64')),
  };
}

async function inNode(bundle: Uint8Array): Promise<Encoded> {
  const encoder = await loadEncoder(bundle, { runtime: onnxRuntime(ort as unknown as OnnxRuntimeModule) });
  const frames: Uint8Array[] = [];
  for (const quality of encoder.qualities.keys()) frames.push((await encoder.encode(rows, { quality })).frame);
  return { codes: await encoder.codes(rows), frames };
}

async function onServer(model: string, qualities: number): Promise<Encoded> {
  const frames: Uint8Array[] = [];
  for (let quality = 0; quality < qualities; quality++) {
    frames.push((await client.encodeFrame(model, { data: rows, rows: count }, { quality, kind: 'batch' })).frame);
  }
  return { codes: undefined, frames };
}

const shareEqual = (a: Int32Array, b: Int32Array): number =>
  a.filter((symbol, i) => symbol === b[i]).length / Math.max(a.length, b.length);

describe.skipIf(!chromiumPath)('symbols', () => {
  it.each([
    ['dense', dense],
    ['convolutional', convolutional],
  ])('of a %s encoder are equal on every runtime', { timeout: 180_000 }, async (name, model) => {
    await publishTrained(gateway.registry, name, model, 1);
    const bundle = await client.models.bundle(name);
    const files = await filesOf(bundle);
    const { decoder } = JSON.parse(Buffer.from(files['manifest.json'] ?? []).toString());
    const profile: Profile = {
      hash: Buffer.from(decoder, 'hex'),
      ...profileFromBytes(files['codec.bin'] ?? new Uint8Array()),
    };
    const device = await openDevice(browser.context, { bundle, rows });
    try {
      const node = await inNode(bundle);
      const others = {
        'wasm in Chromium': await inChromium(device, 'onnxruntime'),
        'built in, in Chromium': await inChromium(device, 'built-in'),
        'the server': await onServer(name, profile.qualities.length),
      };
      const symbolsOf = (frame: Uint8Array | undefined) => decodeFrame(profile, frame ?? new Uint8Array()).symbols;
      for (const [where, { codes, frames }] of Object.entries({ 'this Node': node, ...others })) {
        expect(frames.length).toBe(profile.qualities.length);
        const shares = frames.map((frame, i) => {
          const decoded = symbolsOf(frame);
          // after coding: exactly what was coded
          if (codes) expect(decoded).toEqual(quantise(profile.qualities[i] as Quality, codes));
          return shareEqual(decoded, symbolsOf(node.frames[i]));
        });
        const worst = Math.min(...shares);
        const different = Math.round((1 - worst) * count * profile.order.length);
        console.log(
          `${name}, ${where}: ${(100 * worst).toFixed(4)} % equal (${different} of ${count * profile.order.length})`,
        );
        expect(worst).toBeGreaterThanOrEqual(leastShare);
      }
      const frame = others['wasm in Chromium'].frames.at(-1) as Uint8Array;
      const answer = await client.decodeFrame(frame);
      expect(answer).toMatchObject({ model: name, rows: count });
      const codes = dequantise(profile.qualities.at(-1) as Quality, symbolsOf(frame));
      expect(answer.data).toEqual((await client.decode(name, { data: codes, rows: count })).data);
    } finally {
      await device.close();
    }
  });
});
