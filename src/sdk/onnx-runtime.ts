/** Encoders on onnxruntime-web or onnxruntime-node, whichever module the application hands in. */

import type { RunEncoder } from './built-in-runtime.ts';

/** What is used of either module. */
export interface OnnxRuntimeModule {
  readonly InferenceSession: { create(model: Uint8Array): Promise<OnnxSession> };
  readonly Tensor: new (type: 'float32', data: Float32Array, dims: readonly number[]) => unknown;
}

interface OnnxSession {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  run(feeds: Readonly<Record<string, unknown>>): Promise<Readonly<Record<string, { readonly data: unknown }>>>;
}

/** For `loadEncoder`'s `runtime`. */
export function onnxRuntime(ort: OnnxRuntimeModule) {
  return async (model: Uint8Array, inputShape: readonly number[]): Promise<RunEncoder> => {
    const session = await ort.InferenceSession.create(model);
    const [input = '', output = ''] = [session.inputNames[0], session.outputNames[0]];
    return async (rows, count) => {
      const answer = await session.run({ [input]: new ort.Tensor('float32', rows, [count, ...inputShape]) });
      return answer[output]?.data as Float32Array;
    };
  };
}
