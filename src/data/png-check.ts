/**
 * Whether a PNG is whole: every chunk up to IEND is there and has the CRC-32 that it states. libpng only warns of some of
 * these faults and of what follows the pixels; a damaged file is refused here instead. What follows IEND is not read.
 */

import { setImmediate as nextTurn } from 'node:timers/promises';
import { crc32 } from '../codec/crc.ts';

const signatureBytes = 8;
/** of length, type and checksum around the data of a chunk */
const framingBytes = 12;
/** bytes checked at a stretch, some milliseconds */
const stretch = 2 ** 20;

/** What is wrong with a file that starts as a PNG; undefined when nothing is. */
export async function findPngDamage(bytes: Uint8Array): Promise<string | undefined> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = signatureBytes; at + framingBytes <= bytes.length; ) {
    const end = at + framingBytes + view.getUint32(at);
    if (end > bytes.length) break;
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if ((await checksum(bytes.subarray(at + 4, end - 4))) !== view.getUint32(end - 4)) {
      return `The checksum of its chunk ${/^[A-Za-z]{4}$/.test(type) ? type : `at byte ${at}`} is wrong: the PNG is damaged.`;
    }
    if (type === 'IEND') return undefined;
    at = end;
  }
  return 'The PNG ends before its IEND chunk: it is cut.';
}

async function checksum(bytes: Uint8Array): Promise<number> {
  let crc = 0;
  for (let at = 0; at < bytes.length; at += stretch) {
    if (at > 0) await nextTurn();
    crc = crc32(bytes.subarray(at, at + stretch), crc);
  }
  return crc;
}
