/** Reads a ustar archive from memory: regular files by name. */

import { decodeText } from './environment.ts';

const block = 512;

/** Throws RangeError when the bytes are no archive or end too early. */
export function readTar(bytes: Uint8Array): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  const text = (at: number, length: number): string => {
    const field = bytes.subarray(at, at + length);
    const end = field.indexOf(0);
    return decodeText(end < 0 ? field : field.subarray(0, end));
  };
  for (let at = 0; at + block <= bytes.length; ) {
    if (bytes[at] === 0) return files;
    const size = Number.parseInt(text(at + 124, 12), 8);
    const end = at + block + size;
    if (text(at + 257, 5) !== 'ustar' || !(size >= 0) || end > bytes.length) break;
    const type = text(at + 156, 1);
    if (type === '0' || type === '') files.set(text(at, 100), bytes.slice(at + block, end));
    at = end + ((block - (size % block)) % block);
  }
  throw new RangeError('the bytes are not a whole tar archive');
}
