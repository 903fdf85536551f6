/** A page in Chromium that stands for a phone: it gets the SDK, a bundle and rows from a server of its own, and encodes. */

import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import type { BrowserContext } from 'playwright-core';
import { rolldown } from 'rolldown';
import type { ProbeRequest, ProbeResult } from './probe.ts';

export interface DeviceFiles {
  readonly bundle: Uint8Array;
  readonly rows: Float32Array;
}

export interface Device {
  /** in a page of its own */
  run(request: ProbeRequest): Promise<ProbeResult>;
  close(): Promise<void>;
}

const ortFolder = path.dirname(createRequire(import.meta.url).resolve('onnxruntime-web'));
/** What a browser loads of onnxruntime-web for wasm on the CPU. */
export const ortFiles = ['ort.wasm.min.mjs', 'ort-wasm-simd-threaded.mjs', 'ort-wasm-simd-threaded.wasm'];
export const ortFile = (name: string): Buffer => readFileSync(path.join(ortFolder, name));

/** A script for browsers, as an application's bundler would make it. */
export async function browserScript(entry: string): Promise<string> {
  const bundle = await rolldown({
    input: path.join(import.meta.dirname, entry),
    platform: 'browser',
    external: /^\/ort\//,
  });
  const { output } = await bundle.generate({ format: 'esm', minify: true, comments: false });
  await bundle.close();
  return output[0].code;
}

export async function openDevice(context: BrowserContext, { bundle, rows }: DeviceFiles): Promise<Device> {
  const script = await browserScript('probe.ts');
  const contents: Record<string, () => { type: string; body: string | Uint8Array }> = {
    '/': () => ({ type: 'text/html', body: '<!doctype html><script type="module" src="/probe.js"></script>' }),
    '/probe.js': () => ({ type: 'text/javascript', body: script }),
    '/bundle': () => ({ type: 'application/x-tar', body: bundle }),
    '/rows': () => ({
      type: 'application/octet-stream',
      body: new Uint8Array(rows.buffer, rows.byteOffset, rows.byteLength),
    }),
    ...Object.fromEntries(
      ortFiles.map((name) => [
        `/ort/${name}`,
        () => ({ type: name.endsWith('.wasm') ? 'application/wasm' : 'text/javascript', body: ortFile(name) }),
      ]),
    ),
  };
  const server = createServer((request, response) => {
    const found = contents[request.url ?? '']?.();
    if (found) response.writeHead(200, { 'content-type': found.type }).end(found.body);
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  return {
    async run(request) {
      const page = await context.newPage();
      try {
        await page.goto(address);
        return await page.evaluate<ProbeResult>(`globalThis.probe(${JSON.stringify(request)})`);
      } finally {
        await page.close();
      }
    },
    close: () => closed(server),
  };
}

const closed = (server: Server): Promise<void> => {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
};
