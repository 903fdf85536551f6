// What is published for devices, on real models: qualities against theory and against measurement, golden vectors, refusals.
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { buildBundle } from '../../src/bundle/bundle.ts';
import { openCoder } from '../../src/bundle/coder.ts';
import { decodeFrame } from '../../src/codec/frame.ts';
import { dequantise, idealBits, quantise } from '../../src/codec/profile.ts';
import { profileFromBytes } from '../../src/codec/profile-bytes.ts';
import { irregular, scaling } from '../helpers/onnx-models.ts';
import { digits } from '../train/digits.ts';
import { filesOf } from './archive.ts';

const dataset = digits({ train: 1200, test: 300, small: true });
const shapes = { inputShape: [14, 14, 1], codeShape: [24], name: 'digits' };
/** z is the picture itself */
const flat = { inputShape: [196], codeShape: [196], name: 'copy' };
const testRows = async (): Promise<Float32Array> => {
  const rows = new Float32Array(300 * 196);
  await dataset.split('test').readRange(0, 300, rows);
  return rows;
};

describe('a published codec', () => {
  it('has qualities that keep on unseen rows what they promise', async () => {
    const model = scaling(196, 196, 1);
    const files = { encoder: model['encoder.onnx'], decoder: model['decoder.onnx'] };
    const { files: published, codec } = await buildBundle({ ...flat, ...files, dataset });
    const { qualities } = profileFromBytes(published['codec.bin']);
    expect(qualities.length).toBeGreaterThan(4);
    expect(codec.qualities.length).toBe(qualities.length);
    const rows = await testRows();
    const coder = openCoder({ ...flat, ...files });
    try {
      const codes = await coder.encode(rows);
      for (const [i, quality] of qualities.entries()) {
        const symbols = quantise(quality, codes);
        const decoded = await coder.decode(dequantise(quality, symbols));
        const mse = decoded.reduce((sum, value, k) => sum + (value - (rows[k] as number)) ** 2, 0) / rows.length;
        expect(Math.abs(-10 * Math.log10(mse) - quality.psnr)).toBeLessThan(1.5);
        expect(idealBits(quality, symbols) / 8 / 300 / quality.bytesPerRow).toBeCloseTo(1, 0);
        const coarser = qualities[i - 1];
        if (coarser) expect(quality.psnr > coarser.psnr && quality.bytesPerRow > coarser.bytesPerRow).toBe(true);
      }
    } finally {
      coder.dispose();
    }
  });

  it('comes with golden vectors that its own frames agree with, and the same bytes each time', async () => {
    const model = irregular(196, 24);
    const options = { ...shapes, encoder: model['encoder.onnx'], decoder: model['decoder.onnx'], dataset };
    const flatShapes = { ...options, inputShape: [196] };
    const { files, codec } = await buildBundle(flatShapes);
    expect((await buildBundle(flatShapes)).files).toEqual(files);
    const inside = await filesOf(files['bundle.tar']);
    const parts = ['encoder.onnx', 'codec.bin', 'golden.json', 'encoder.int8.onnx', 'golden.int8.json'];
    expect(Object.keys(inside)).toEqual(['manifest.json', ...parts]);
    const manifest = JSON.parse(Buffer.from(inside['manifest.json'] ?? []).toString());
    expect(manifest).toMatchObject({ format: 1, model: 'digits', decoder: codec.hash, inputRange: [0, 1] });
    expect(manifest.inputScaling).toEqual({ divisor: 1 });
    const divided = Object.create(dataset, { info: { value: { ...dataset.info, scaling: { divisor: 255 } } } });
    const scaledFiles = await filesOf((await buildBundle({ ...flatShapes, dataset: divided })).files['bundle.tar']);
    expect(JSON.parse(Buffer.from(scaledFiles['manifest.json'] ?? []).toString()).inputScaling).toEqual({
      divisor: 255,
    });
    for (const { path, sha256 } of manifest.files) {
      expect(
        createHash('sha256')
          .update(inside[path] ?? '')
          .digest('hex'),
      ).toBe(sha256);
    }
    const hash = createHash('sha256').update(options.decoder).update(files['codec.bin']).digest();
    expect(hash.toString('hex')).toBe(codec.hash);
    const profile = { hash, ...profileFromBytes(files['codec.bin']) };
    const golden = JSON.parse(Buffer.from(inside['golden.json'] ?? []).toString());
    expect(golden.cases.length).toBe(profile.qualities.length);
    for (const { frame, symbols } of golden.cases) {
      expect([...decodeFrame(profile, Buffer.from(frame, 'hex')).symbols]).toEqual(symbols);
    }
  });

  it('is refused, with the reason, where codes say nothing', async () => {
    const model = scaling(196, 24, 0);
    const options = { ...shapes, inputShape: [196], encoder: model['encoder.onnx'], decoder: model['decoder.onnx'] };
    await expect(buildBundle({ ...options, dataset })).rejects.toThrow(/carry nothing/);
    await expect(buildBundle({ ...options, dataset: digits({ train: 5, small: true }) })).rejects.toThrow(/5 rows/);
  });
});
