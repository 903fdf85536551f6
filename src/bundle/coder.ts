/** Encoder and decoder of a trained version, run in chunks through the very files that are published. */

import { float32, type Shape, sizeOf } from '../base/ndarray.ts';
import { Session } from '../runtime/session.ts';

export interface ModelFiles {
  readonly encoder: Uint8Array;
  readonly decoder: Uint8Array;
  /** of one row */
  readonly inputShape: Shape;
  readonly codeShape: Shape;
}

export interface Coder {
  /** rows [n, values] → codes [n, units] */
  encode(rows: Float32Array): Promise<Float32Array>;
  /** codes [n, units] → rows [n, values] */
  decode(codes: Float32Array): Promise<Float32Array>;
  dispose(): void;
}

const chunkRows = 256;

/** Throws `model-corrupt`. */
export function openCoder(files: ModelFiles, threads = 1): Coder {
  const encoder = Session.create(files.encoder, { threads });
  let decoder: Session;
  try {
    decoder = Session.create(files.decoder, { threads });
  } catch (error) {
    encoder.dispose();
    throw error;
  }
  return {
    encode: (rows) => inChunks(encoder, rows, files.inputShape, files.codeShape),
    decode: (codes) => inChunks(decoder, codes, files.codeShape, files.inputShape),
    dispose() {
      encoder.dispose();
      decoder.dispose();
    },
  };
}

async function inChunks(session: Session, data: Float32Array, from: Shape, to: Shape): Promise<Float32Array> {
  const [input, output] = [session.inputs[0]?.name ?? '', session.outputs[0]?.name ?? ''];
  const [inSize, outSize] = [sizeOf(from), sizeOf(to)];
  const count = data.length / inSize;
  const out = new Float32Array(count * outSize);
  for (let row = 0; row < count; row += chunkRows) {
    const rows = Math.min(chunkRows, count - row);
    const part = data.subarray(row * inSize, (row + rows) * inSize);
    const answer = await session.run({ [input]: float32([rows, ...from], part) });
    out.set(answer[output]?.data as Float32Array, row * outSize);
  }
  return out;
}
