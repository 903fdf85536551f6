/** A trained version as what is evaluated: rows in, rows out, through the very files that are published. */

import { float32, type NdArray, type Shape } from '../base/ndarray.ts';
import { Session } from '../runtime/session.ts';

export interface Reconstruction {
  /** x̂ of rows [count, …]; the answer is the caller's own */
  reconstruct(rows: Float32Array, count: number): Promise<Float32Array>;
  /** z of rows, without their shape; absent: the report has no latent map */
  encode?(rows: Float32Array, count: number): Promise<Float32Array>;
  /** x̂ of codes, without their shape; absent: the report has no interpolations and no samples */
  decode?(codes: Float32Array, count: number): Promise<Float32Array>;
  dispose(): void;
}

export interface ModelFiles {
  readonly encoder: Uint8Array;
  readonly decoder: Uint8Array;
  /** one row's shape as the encoder takes it */
  readonly inputShape: Shape;
  readonly codeShape: Shape;
}

/** Each file has one input and one output, the encoder's output being the decoder's input. Throws `model-corrupt`. */
export function openReconstruction(
  { encoder, decoder, inputShape, codeShape }: ModelFiles,
  threads: number,
): Reconstruction {
  const encode = Session.create(encoder, { threads });
  let decode: Session;
  try {
    decode = Session.create(decoder, { threads });
  } catch (error) {
    encode.dispose();
    throw error;
  }
  const nameOf = (ports: Session['inputs']): string => ports[0]?.name ?? '';
  const [x, z] = [nameOf(encode.inputs), nameOf(encode.outputs)];
  const [code, answer] = [nameOf(decode.inputs), nameOf(decode.outputs)];
  const decodeCodes = async (codes: NdArray) => (await decode.run({ [code]: codes }))[answer]!.data as Float32Array;
  const codesOf = async (rows: Float32Array, count: number) =>
    (await encode.run({ [x]: float32([count, ...inputShape], rows) }))[z]!;
  return {
    encode: async (rows, count) => (await codesOf(rows, count)).data as Float32Array,
    decode: (codes, count) => decodeCodes(float32([count, ...codeShape], codes)),
    reconstruct: async (rows, count) => decodeCodes(await codesOf(rows, count)),
    dispose() {
      encode.dispose();
      decode.dispose();
    },
  };
}
