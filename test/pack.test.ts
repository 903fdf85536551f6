// The packages as somebody else installs them: the SDK from its tarball into fresh projects, under both ways in which TypeScript
// resolves modules, in Node, bundled, and in Chromium; the server's tarball runs with what it lists.
import { execFileSync, spawnSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { rolldown } from 'rolldown';
import { build as viteBuild } from 'vite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chromiumPath, startBrowser } from './helpers/browser.ts';

const root = path.resolve(import.meta.dirname, '..');
let folder: string;
let project: string;
let sdkFile: string;
let serverFile: string;

const use = `import { HourglassClient, loadEncoder, Outbox, ProblemError, type JobRequest } from 'hourglass-sdk';
const job: JobRequest = { name: 'x', dataset: 'mnist', model: { type: 'dense', code: 8 }, training: { epochs: 1 } };
export const client = new HourglassClient({ baseUrl: 'http://127.0.0.1:1', retries: 0 });
export const outcome: Promise<string> = client.jobs.submit(job).then(
  (view) => view.state,
  (error: unknown) => (error instanceof ProblemError ? error.code : 'other'),
);
export const names = [loadEncoder.name, Outbox.name];
`;

beforeAll(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'hourglass-packages-'));
  execFileSync(process.execPath, [path.join(root, 'scripts/pack.mjs'), folder]);
  const files = readdirSync(folder);
  const named = (name: string): string => path.join(folder, files.find((file) => file.startsWith(name)) ?? name);
  sdkFile = named('hourglass-sdk');
  serverFile = named('hourglass-server');
  project = path.join(folder, 'project');
  mkdirSync(project);
  writeFileSync(path.join(project, 'package.json'), '{"name":"mine","private":true,"type":"module"}');
  execFileSync('npm', ['install', '--offline', '--no-audit', '--no-fund', sdkFile], { cwd: project });
  writeFileSync(path.join(project, 'use.ts'), use);
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('hourglass-sdk', () => {
  const tsc = (file: string, ...options: string[]) =>
    spawnSync(path.join(root, 'node_modules/.bin/tsc'), ['--strict', '--target', 'es2022', ...options, file], {
      cwd: project,
      encoding: 'utf8',
    });

  it('has no dependencies and nothing but what the client needs', () => {
    const installed = path.join(project, 'node_modules/hourglass-sdk');
    const manifest = JSON.parse(readFileSync(path.join(installed, 'package.json'), 'utf8')) as Record<string, unknown>;
    expect(manifest).toMatchObject({ sideEffects: false, type: 'module' });
    expect(manifest.dependencies).toBeUndefined();
    const files = readdirSync(installed, { recursive: true, encoding: 'utf8' });
    expect(files).toContain('sdk/index.js');
    expect(
      files.filter((file) => /test|gateway|\.map$|^(?!sdk|base|codec|picture|package|LICENSE|README)/.test(file)),
    ).toEqual([]);
    expect(statSync(sdkFile).size).toBeLessThan(100_000);
  });

  it.each([
    ['nodenext', ['--module', 'nodenext', '--lib', 'es2022,dom', '--types', '']],
    ['bundler', ['--module', 'esnext', '--moduleResolution', 'bundler', '--lib', 'es2022,dom', '--types', '']],
  ])('compiles under %s, its own types included, and refuses a model type that is none', (_, options) => {
    expect(tsc('use.ts', '--noEmit', ...options).stdout).toBe('');
    writeFileSync(path.join(project, 'wrong.ts'), use.replace("type: 'dense'", "type: 'densee'"));
    expect(tsc('wrong.ts', '--noEmit', ...options).stdout).toContain('"densee"');
  });

  it('runs in Node', () => {
    const { stdout } = tsc('use.ts', '--module', 'nodenext', '--lib', 'es2022,dom', '--types', '', '--outDir', 'out');
    expect(stdout).toBe('');
    const print = `import('./out/use.js').then(async ({ outcome, names }) => console.log(await outcome, ...names))`;
    const text = execFileSync(process.execPath, ['-e', print], { cwd: project, encoding: 'utf8' });
    expect(text.trim()).toBe('unreachable loadEncoder Outbox');
  });

  /** As Vite builds a page's script for its users. */
  async function byVite(file: string): Promise<string> {
    const built = await viteBuild({
      ...{ root: project, configFile: false, logLevel: 'silent' },
      build: { write: false, minify: true, lib: { entry: file, formats: ['es'], fileName: 'bundle' } },
    });
    const [first] = [built].flat();
    return first && 'output' in first ? first.output[0].code : '';
  }

  it('is bundled by rolldown and esbuild, within 15 KiB without photographs, and what is not used is left out', async () => {
    const sizeOf = async (exported: string): Promise<number[]> => {
      const file = path.join(project, 'entry.js');
      writeFileSync(file, exported);
      const bundle = await rolldown({ input: file, platform: 'browser', cwd: project });
      const { output } = await bundle.generate({ format: 'esm', minify: true, comments: false });
      await bundle.close();
      const { outputFiles } = await build({
        entryPoints: [file],
        ...{ bundle: true, minify: true, format: 'esm', write: false, platform: 'browser', legalComments: 'none' },
      });
      return [output[0].code, outputFiles?.[0]?.text ?? ''].map((code) => gzipSync(code, { level: 9 }).length);
    };
    const [whole, rows, client] = [
      await sizeOf("export * from 'hourglass-sdk';"),
      await sizeOf("export { HourglassClient, loadEncoder, Outbox } from 'hourglass-sdk';"),
      await sizeOf("export { HourglassClient } from 'hourglass-sdk';"),
    ];
    for (const size of whole) expect(size).toBeLessThan(22 * 1024);
    for (const size of rows) expect(size).toBeLessThan(15 * 1024);
    for (const size of client) expect(size).toBeLessThan(6_500);
  });

  it.skipIf(!chromiumPath)(
    'calls from a page in Chromium',
    async () => {
      const file = path.join(project, 'page.js');
      writeFileSync(file, "import * as sdk from 'hourglass-sdk'; globalThis.sdk = sdk;");
      const { outputFiles } = await build({
        entryPoints: [file],
        ...{ bundle: true, format: 'iife', write: false, platform: 'browser' },
      });
      const bundles = { esbuild: outputFiles?.[0]?.text ?? '', vite: await byVite(file) };
      const server = createServer((request, response) => {
        response.setHeader('content-type', request.url === '/' ? 'text/html' : 'application/json');
        response.end(request.url === '/' ? '<!doctype html><title>page</title>' : '{"name":"hourglass"}');
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const { context, close } = await startBrowser();
      try {
        for (const [bundler, content] of Object.entries(bundles)) {
          const page = await context.newPage();
          await page.goto(address);
          await page.addScriptTag({ content, type: 'module' });
          const call = `new sdk.HourglassClient({ baseUrl: location.origin }).info().then(({ name }) => name)`;
          await page.waitForFunction('globalThis.sdk');
          expect(await page.evaluate(call), bundler).toBe('hourglass');
        }
      } finally {
        await close();
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      }
    },
    60_000,
  );
});

describe('hourglass-server', () => {
  it('holds what runs alone, runs no script when it is installed, and starts', () => {
    const unpacked = path.join(folder, 'server');
    mkdirSync(unpacked);
    execFileSync('tar', ['-xzf', serverFile, '-C', unpacked]);
    const installed = path.join(unpacked, 'package');
    const files = readdirSync(installed, { recursive: true, encoding: 'utf8' });
    expect(files).toEqual(expect.arrayContaining(['dist/main.js', 'dist/demo/demo.js', 'LICENSE', 'openapi.yaml']));
    expect(files.filter((file) => /\.map$|\.d\.ts$|^(test|src|bench|node_modules)/.test(file))).toEqual([]);
    const manifest = JSON.parse(readFileSync(path.join(installed, 'package.json'), 'utf8')) as Record<string, unknown>;
    expect(manifest).not.toHaveProperty('scripts');
    expect(manifest).not.toHaveProperty('devDependencies');
    expect(statSync(serverFile).size).toBeLessThan(1_500_000);
    symlinkSync(path.join(root, 'node_modules'), path.join(installed, 'node_modules'));
    const run = (argument: string): string =>
      execFileSync(process.execPath, [path.join(installed, 'dist/main.js'), argument], { encoding: 'utf8' });
    expect(run('--version').trim()).toBe(manifest.version);
    expect(run('--help')).toContain('HOURGLASS_CORS_ORIGINS');
  });
});
