// What is offered where a model falls short: models that do reach it, and the rows as pictures; the shortest first.
import { describe, expect, it } from 'vitest';
import { rowsToWebp } from '../../src/data/image.ts';
import { alternativesOf } from '../../src/serve/alternatives.ts';
import type { CodedManifest } from '../../src/serve/frame-index.ts';
import { digits } from '../train/digits.ts';

const dataset = digits({ train: 10, test: 4 });
const inputs = new Float32Array(4 * 784);
await dataset.split('test').readRange(0, 4, inputs);

const coder = (name: string, ...qualities: [bytesPerRow: number, psnr: number][]): CodedManifest =>
  ({
    name,
    version: 3,
    inputShape: [28, 28, 1],
    inputRange: [0, 1],
    codec: {
      hash: 'ab'.repeat(32),
      qualities: qualities.map(([bytesPerRow, psnr]) => ({ bytesPerRow, psnr, lambda: 1 })),
    },
  }) as unknown as CodedManifest;
const short = coder('short', [8, 20], [12, 22.3]);
const coders = [short, coder('linear', [20, 20], [40, 26]), coder('coarse', [3, 15])];

describe('alternatives', () => {
  it('are models that reach it, at their coarsest quality that does', async () => {
    expect(await alternativesOf({ manifest: short, coders, inputs, rows: 4, psnr: 25 })).toEqual([
      { type: 'frame', model: 'linear@3', quality: 1, bytes: 168, psnr: 26 },
    ]);
    expect(await alternativesOf({ manifest: short, coders, inputs, rows: 4, psnr: 30 })).toEqual([]);
  });

  it('are WebP pictures of the very rows, at the lowest setting that reaches it', async () => {
    const options = { manifest: short, coders, inputs, rows: 4, webp: rowsToWebp };
    const [model, webp] = await alternativesOf({ ...options, psnr: 26 });
    expect(model?.type).toBe('frame');
    expect(webp).toMatchObject({ type: 'webp', bytes: expect.any(Number) });
    expect(webp?.psnr).toBeGreaterThanOrEqual(26);
    expect(webp?.bytes).toBeGreaterThan(4 * 50);
    const [finer] = await alternativesOf({ ...options, psnr: 35 });
    expect(finer?.type).toBe('webp');
    expect(finer?.quality).toBeGreaterThan(webp?.quality ?? 100);
    expect(await rowsToWebp(inputs, { shape: [784], range: [0, 1], psnr: 30 })).toBeUndefined();
    expect(await rowsToWebp(inputs, { shape: [28, 28, 1], range: [0, 1], psnr: 98 })).toBeUndefined();
  });
});
