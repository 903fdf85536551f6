/**
 * Runs inside a browser: a bundle's encoder on either runtime, on rows that are fetched. Bundled by device.ts; called by its
 * name `probe` on the page.
 */

import { type Encoder, loadEncoder, type OnnxRuntimeModule, onnxRuntime, type Weights } from '../../src/sdk/index.ts';

export type Runtime = 'built-in' | 'onnxruntime';

export interface ProbeRequest {
  readonly runtime: Runtime;
  readonly weights: Weights;
  /** rows that are encoded one by one for timing; 0: none */
  readonly timed: number;
}

export interface ProbeResult {
  /** float32 of all rows, base64 */
  readonly codes: string;
  /** a batch frame of all rows for each quality, base64 */
  readonly frames: readonly string[];
  /** until the first row was encoded, with everything that was fetched for it */
  readonly loadMs: number;
  /** of each timed row */
  readonly rowMs: readonly number[];
}

interface OrtWeb extends OnnxRuntimeModule {
  readonly env: { readonly wasm: { numThreads: number; wasmPaths: string } };
}

const base64 = (bytes: Uint8Array): string => {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
};
const fetched = async (path: string): Promise<Uint8Array<ArrayBuffer>> =>
  new Uint8Array(await (await fetch(path)).arrayBuffer());

async function open({ runtime, weights }: ProbeRequest, bundle: Uint8Array): Promise<Encoder> {
  if (runtime === 'built-in') return loadEncoder(bundle, { weights });
  const path = '/ort/ort.wasm.min.mjs';
  const ort = (await import(path)) as OrtWeb;
  Object.assign(ort.env.wasm, { numThreads: 1, wasmPaths: '/ort/' });
  return loadEncoder(bundle, { weights, runtime: onnxRuntime(ort) });
}

async function probe(request: ProbeRequest): Promise<ProbeResult> {
  const rows = new Float32Array((await fetched('/rows')).buffer);
  const started = performance.now();
  const encoder = await open(request, await fetched('/bundle'));
  const { rowSize } = encoder;
  const row = (i: number): Float32Array =>
    rows.slice((i * rowSize) % rows.length, ((i * rowSize) % rows.length) + rowSize);
  await encoder.encode(row(0));
  const loadMs = performance.now() - started;
  const rowMs: number[] = [];
  for (let i = 0; i < request.timed; i++) {
    const x = row(i);
    const begun = performance.now();
    await encoder.encode(x);
    rowMs.push(performance.now() - begun);
  }
  const codes = await encoder.codes(rows);
  const frames: string[] = [];
  for (const quality of encoder.qualities.keys()) frames.push(base64((await encoder.encode(rows, { quality })).frame));
  return { codes: base64(new Uint8Array(codes.buffer, codes.byteOffset, codes.byteLength)), frames, loadMs, rowMs };
}

Object.assign(globalThis, { probe });
