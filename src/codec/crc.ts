/** Checksums of the frame: CRC-16/IBM-3740 (CCITT, initial 0xffff) and CRC-32/ISO-HDLC, by table. */

const crc16Table = new Uint16Array(256);
const crc32Table = new Uint32Array(256);
for (let i = 0; i < 256; i++) {
  let a = i << 8;
  let b = i;
  for (let bit = 0; bit < 8; bit++) {
    a = a & 0x8000 ? (a << 1) ^ 0x1021 : a << 1;
    b = b & 1 ? (b >>> 1) ^ 0xedb88320 : b >>> 1;
  }
  crc16Table[i] = a & 0xffff;
  crc32Table[i] = b >>> 0;
}

/** Continues `crc`; start from 0xffff. Check value of "123456789": 0x29b1. */
export function crc16(bytes: Uint8Array, crc = 0xffff): number {
  let c = crc;
  for (const byte of bytes) c = ((c << 8) & 0xffff) ^ (crc16Table[(c >>> 8) ^ byte] as number);
  return c;
}

/** Continues `crc`; start from 0. Check value of "123456789": 0xcbf43926. */
export function crc32(bytes: Uint8Array, crc = 0): number {
  let c = ~crc >>> 0;
  for (const byte of bytes) c = (c >>> 8) ^ (crc32Table[(c ^ byte) & 0xff] as number);
  return ~c >>> 0;
}
