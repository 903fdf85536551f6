// Bit rot: whatever happens to stored bytes, a damaged version is never served and never hides an earlier one.
import { cpSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HourglassError } from '../../src/base/errors.ts';
import type { Manifest } from '../../src/registry/manifest.ts';
import { codeOf, openRegistry, publicationOf, tempRoot } from './publications.ts';

async function published() {
  const root = tempRoot();
  const registry = await openRegistry(root);
  await registry.publish('digits', publicationOf('old'));
  const manifest = await registry.publish('digits', publicationOf('new'));
  return { root, manifest, dir: (version: number) => path.join(root, `models/digits/${version}`) };
}

/** Reads a reference's version with all its files, as a process that starts now. */
async function readAll(root: string, reference: string): Promise<[Manifest, ...string[]]> {
  const registry = await openRegistry(root);
  const manifest = await registry.resolve(reference);
  const files = await Promise.all(manifest.files.map((file) => registry.readFile(manifest, file.path)));
  return [manifest, ...files.map((bytes) => Buffer.from(bytes).toString('hex'))];
}

describe('a damaged file', () => {
  it('is model-corrupt, for any flipped bit and any truncation', { timeout: 120_000 }, async () => {
    const { root, manifest, dir } = await published();
    const whole = await readAll(root, 'digits@2');
    const names = [...manifest.files.map((file) => file.path), 'manifest.json', 'SHA256SUMS'];
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...names), fc.nat(), fc.nat(7), fc.boolean(), async (name, at, bit, cut) => {
        const file = path.join(dir(2), name);
        const original = readFileSync(file);
        const damaged = Buffer.from(original);
        damaged[at % original.length]! ^= 1 << bit;
        if (cut) truncateSync(file, at % original.length);
        else writeFileSync(file, damaged);
        try {
          const outcome = await readAll(root, 'digits@2').catch((error) => error);
          // only the lines that other tools read may change without a consequence
          if (name === 'SHA256SUMS' && Array.isArray(outcome)) expect(outcome).toEqual(whole);
          else expect(outcome.code).toBe('model-corrupt');
        } finally {
          writeFileSync(file, original);
        }
      }),
      { seed: 1, numRuns: 300 },
    );
    expect(await readAll(root, 'digits@2')).toEqual(whole);
  });

  it('is model-corrupt when it is missing, or is that of another version', async () => {
    const { root, dir } = await published();
    cpSync(path.join(dir(1), 'encoder.onnx'), path.join(dir(2), 'encoder.onnx'));
    expect(await codeOf(readAll(root, 'digits@2'))).toBe('model-corrupt');
    rmSync(path.join(dir(2), 'encoder.onnx'));
    expect(await codeOf(readAll(root, 'digits@2'))).toBe('model-corrupt');
    cpSync(dir(1), dir(2), { recursive: true });
    expect(await codeOf(readAll(root, 'digits@2'))).toBe('model-corrupt');
  });

  it('tells the client nothing of the disk', async () => {
    const { root, dir } = await published();
    truncateSync(path.join(dir(2), 'encoder.onnx'), 3);
    const error = await readAll(root, 'digits@2').catch((thrown) => thrown);
    expect(error).toBeInstanceOf(HourglassError);
    expect(error.message).toContain('encoder.onnx of digits@2');
    expect(JSON.stringify([error.message, error.facts])).not.toContain(root);
  });
});

describe('a damaged manifest', () => {
  it('hides its own version only', async () => {
    const { root, dir } = await published();
    writeFileSync(path.join(dir(2), 'manifest.json'), '{}');
    const registry = await openRegistry(root);
    expect((await registry.resolve('digits')).version).toBe(1);
    expect(await codeOf(registry.resolve('digits@2'))).toBe('model-corrupt');
    expect((await registry.getModel('digits')).versions.map((v) => v.version)).toEqual([1]);
    expect((await registry.publish('digits', publicationOf())).version).toBe(3);
  });

  it('is read again after it was restored', async () => {
    const { root, dir } = await published();
    const file = path.join(dir(2), 'manifest.json');
    const original = readFileSync(file);
    writeFileSync(file, '{}');
    const registry = await openRegistry(root);
    expect(await codeOf(registry.resolve('digits@2'))).toBe('model-corrupt');
    writeFileSync(file, original);
    expect((await registry.resolve('digits@2')).version).toBe(2);
  });

  it('of a newer release is unsupported-schema', async () => {
    const { root, dir } = await published();
    const { createHash } = await import('node:crypto');
    const text = JSON.stringify({ schema: 2, name: 'digits', version: 2 });
    writeFileSync(path.join(dir(2), 'manifest.json'), text);
    const digest = createHash('sha256').update(text).digest('hex');
    writeFileSync(path.join(dir(2), 'SHA256SUMS'), `${digest}  manifest.json\n`);
    const registry = await openRegistry(root);
    expect(await codeOf(registry.resolve('digits@2'))).toBe('unsupported-schema');
    expect((await registry.resolve('digits')).version).toBe(1);
  });
});
