// What the tensorflow engine says where tfjs-node is missing, broken, or brings a tfjs-core of its own.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { tensorflowEngine, tensorflowInstalled } from '../../src/engine/tensorflow.ts';

let folder: string;
let place: readonly URL[];
beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'hourglass-test-'));
  place = [pathToFileURL(`${folder}/`)];
});
afterEach(() => rm(folder, { recursive: true }));

async function installFake(source: string): Promise<void> {
  const addon = path.join(folder, 'node_modules/@tensorflow/tfjs-node');
  await mkdir(addon, { recursive: true });
  await writeFile(path.join(addon, 'index.js'), source);
}

it('not installed: names the command that installs it', async () => {
  expect(tensorflowInstalled(place)).toBe(false);
  await expect(tensorflowEngine(place)).rejects.toMatchObject({
    code: 'device-unavailable',
    message: expect.stringContaining('is not installed. Run `npm run setup:tensorflow`'),
  });
});

it('installed but broken: keeps the reason as the cause, out of the message', async () => {
  await installFake("throw new Error('libtensorflow.so.2: cannot open shared object file')");
  expect(tensorflowInstalled(place)).toBe(true);
  await expect(tensorflowEngine(place)).rejects.toMatchObject({
    code: 'device-unavailable',
    message: expect.stringMatching(
      /^@tensorflow\/tfjs-node is installed but does not load here\. Run `npm run setup:tensorflow -- --force`/,
    ),
    cause: expect.objectContaining({ message: expect.stringContaining('libtensorflow.so.2') }),
  });
});

it('installed with another copy of tfjs-core: says so', async () => {
  await installFake('module.exports = {}');
  await expect(tensorflowEngine(place)).rejects.toMatchObject({
    code: 'device-unavailable',
    message: expect.stringContaining('uses another copy of @tensorflow/tfjs-core'),
  });
});
