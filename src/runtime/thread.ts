/** A worker thread that holds loaded models and runs them, one request after the other. Started by model-thread.ts. */

import { parentPort } from 'node:worker_threads';
import { HourglassError, normaliseError } from '../base/errors.ts';
import { sizeOf } from '../base/ndarray.ts';
import { type Port, Session, type SessionOptions } from './session.ts';
import type { ModelParts, ModelShapes, RunRequest, RunResult, ThreadReply, ThreadRequest } from './thread-protocol.ts';

interface Part {
  readonly session: Session;
  readonly inputName: string;
  readonly outputName: string;
  readonly inputRow: readonly number[];
  readonly outputRow: readonly number[];
}

const models = new Map<string, ReadonlyMap<string, Part>>();

function loadPart(name: string, bytes: Uint8Array, options: SessionOptions): Part {
  const session = Session.create(bytes, options);
  try {
    const [input, output] = [session.inputs[0], session.outputs[0]];
    if (session.inputs.length !== 1 || !input || !output) throw unfit(name, 'it must have one input and an output');
    const part = { session, inputName: input.name, outputName: output.name };
    const loaded = { ...part, inputRow: rowOf(name, input), outputRow: rowOf(name, output) };
    // the first run allocates; nobody should wait for that later
    runPart(loaded, 1, new Float32Array(sizeOf(loaded.inputRow)));
    return loaded;
  } catch (error) {
    session.dispose();
    throw error;
  }
}

/** A row's shape of a port [batch, …row]. */
function rowOf(part: string, { name, dtype, shape }: Port): number[] {
  const [batch, ...row] = shape;
  if (dtype !== 'float32') throw unfit(part, `${name} must be float32, it is ${dtype}`);
  if (typeof batch !== 'string') throw unfit(part, `the first dimension of ${name} must be a batch of any size`);
  return row.map((dim) => {
    if (typeof dim === 'string') throw unfit(part, `${name} must have rows of a fixed shape`);
    return dim;
  });
}

const unfit = (part: string, what: string): HourglassError =>
  new HourglassError('model-corrupt', `The model's ${part} cannot be served: ${what}.`);

function runPart(part: Part, rows: number, data: Float32Array<ArrayBuffer>): Float32Array<ArrayBuffer> {
  const out = new Float32Array(rows * sizeOf(part.outputRow));
  part.session.runSync(
    { [part.inputName]: { dtype: 'float32', shape: [rows, ...part.inputRow], data } },
    { [part.outputName]: { dtype: 'float32', shape: [rows, ...part.outputRow], data: out } },
  );
  return out;
}

function load(model: string, bytes: ModelParts, options: SessionOptions): ModelShapes {
  unload(model);
  const parts = new Map<string, Part>();
  models.set(model, parts);
  try {
    for (const [name, file] of Object.entries(bytes)) parts.set(name, loadPart(name, file, options));
  } catch (error) {
    unload(model);
    throw error;
  }
  return Object.fromEntries([...parts].map(([name, part]) => [name, { input: part.inputRow, output: part.outputRow }]));
}

function unload(model: string): void {
  for (const part of models.get(model)?.values() ?? []) part.session.dispose();
  models.delete(model);
}

function run({ model, chain, rows, data }: RunRequest): RunResult {
  const start = performance.now();
  const parts = models.get(model);
  let value = data;
  for (const name of chain) {
    const part = parts?.get(name);
    if (!part) throw new Error(`${model} has no ${name} here`);
    value = runPart(part, rows, value);
  }
  return { data: value, finite: allFinite(value), seconds: (performance.now() - start) / 1000 };
}

/** A sum of zeros as long as every value is finite: 0 · NaN and 0 · ∞ are NaN. */
function allFinite(values: Float32Array): boolean {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]! * 0;
  return sum === 0;
}

function answer(request: Exclude<ThreadRequest, { type: 'close' }>): ThreadReply {
  switch (request.type) {
    case 'load':
      return { type: 'loaded', shapes: load(request.model, request.parts, request.options) };
    case 'run':
      return { type: 'ran', ...run(request) };
    case 'unload':
      unload(request.model);
      return { type: 'unloaded' };
    default:
      return request satisfies never;
  }
}

function close(): void {
  for (const model of models.keys()) unload(model);
  // with nothing left to listen to, the thread ends
  parentPort?.close();
}

parentPort?.on('message', (request: ThreadRequest) => {
  if (request.type === 'close') return close();
  let reply: ThreadReply;
  try {
    reply = answer(request);
  } catch (thrown) {
    const { code, message, facts, cause } = normaliseError(thrown);
    reply = { type: 'failed', code, message, facts, detail: String(cause ?? thrown) };
  }
  parentPort?.postMessage(reply, reply.type === 'ran' ? [reply.data.buffer] : []);
});
