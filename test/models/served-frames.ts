// What holds for frames of a model of series, asked over HTTP and on a device.
import * as ort from 'onnxruntime-node';
import { expect } from 'vitest';
import { float32, type NdArray } from '../../src/base/ndarray.ts';
import type { HourglassClient } from '../../src/sdk/client.ts';
import { loadEncoder } from '../../src/sdk/encoder.ts';
import { type OnnxRuntimeModule, onnxRuntime } from '../../src/sdk/onnx-runtime.ts';

/** Runs a published file on rows. */
type RunFile = (model: string, file: string, rows: NdArray<'float32'>) => Promise<Float32Array>;

/** `data`: a series that ends before the longest one does. */
export async function expectSeriesFrames(
  client: HourglassClient,
  model: string,
  data: Float32Array,
  run: RunFile,
): Promise<void> {
  expect(data.at(-1)).toBeNaN();
  const bundle = await client.models.bundle(model);
  const encoder = await loadEncoder(bundle, { runtime: onnxRuntime(ort as unknown as OnnxRuntimeModule) });
  const quality = encoder.qualities.length - 1;
  const { frame } = await encoder.encode(data, { quality });
  expect(frame.length).toBeLessThan(16);
  const given = { rows: 1, data };
  expect((await client.encodeFrame(model, given, { quality })).frame).toEqual(frame);
  const missed = async (sent: Uint8Array): Promise<number> => {
    const { data: decoded } = await client.decodeFrame(sent);
    return data.reduce((sum, value, i) => sum + (Number.isNaN(value) ? 0 : (value - (decoded[i] ?? 0)) ** 2), 0);
  };
  const z = await run(model, 'encoder.onnx', float32([1, data.length, 1], data));
  const whole = await run(model, 'decoder.onnx', float32([1, z.length], z));
  const { data: decoded } = await client.decodeFrame(frame);
  const [low, high] = encoder.manifest.inputRange;
  for (const [i, value] of whole.entries()) {
    expect(Math.abs(value - (decoded[i] ?? 0))).toBeLessThan(0.25 * (high - low));
  }
  const searched = await client.encodeFrame(model, given, { quality, search: true });
  expect(await missed(searched.frame)).toBeLessThan(1.5 * (await missed(frame)) + 1e-3);
  const infinite = new Float32Array(data.length).fill(Number.POSITIVE_INFINITY);
  await expect(encoder.encode(infinite)).rejects.toMatchObject({ code: 'non-finite' });
}
