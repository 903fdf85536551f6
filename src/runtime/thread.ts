/** A worker thread that holds loaded models and runs them, one request after the other. Started by model-thread.ts. */

import { parentPort } from 'node:worker_threads';
import { normaliseError } from '../base/errors.ts';
import { LoadedModel } from './loaded-model.ts';
import type { SessionOptions } from './session.ts';
import type { ModelParts, ModelShapes, RunRequest, RunResult, ThreadReply, ThreadRequest } from './thread-protocol.ts';

const models = new Map<string, LoadedModel>();

function load(model: string, files: ModelParts, options: SessionOptions): ModelShapes {
  unload(model);
  const loaded = LoadedModel.load(files, options);
  models.set(model, loaded);
  return loaded.shapes;
}

function unload(model: string): void {
  models.get(model)?.dispose();
  models.delete(model);
}

function run({ model, ...request }: RunRequest): RunResult {
  const loaded = models.get(model);
  if (!loaded) throw new Error(`${model} is not loaded here`);
  return loaded.run(request);
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
  // With nothing left to listen to, the thread ends.
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
