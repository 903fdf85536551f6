/** The body of an answer as one array, written in place: the SDK's own way gathers the pieces first and then copies them. */

import { Readable } from 'node:stream';

/** As the SDK gives it: a stream of Node.js with this method. */
interface Body {
  transformToByteArray(): Promise<Uint8Array>;
}

/** Throws when the body is shorter or longer than `bytes` declares. A body that is not read keeps its connection busy. */
export async function readBody(body: Body | undefined, bytes: number | undefined): Promise<Uint8Array<ArrayBuffer>> {
  if (!(body instanceof Readable) || bytes === undefined) {
    const whole = (await body?.transformToByteArray()) ?? new Uint8Array();
    return new Uint8Array(whole.buffer as ArrayBuffer, whole.byteOffset, whole.length);
  }
  // Not zeroed: every byte is written below, or the array is not returned.
  const into = Buffer.allocUnsafeSlow(bytes);
  let at = 0;
  for await (const piece of body as AsyncIterable<Uint8Array>) {
    if (at + piece.length > bytes) throw new Error(`the bucket sent more than the ${bytes} bytes it declared`);
    into.set(piece, at);
    at += piece.length;
  }
  if (at < bytes) throw new Error(`the bucket sent ${at} of ${bytes} bytes`);
  return new Uint8Array(into.buffer as ArrayBuffer, 0, bytes);
}
