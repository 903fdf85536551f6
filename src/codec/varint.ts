/** Unsigned LEB128 up to 2^28 − 1, in its one shortest form. */

export function writeVarint(out: number[], value: number): void {
  let rest = value;
  while (rest >= 0x80) {
    out.push((rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  out.push(rest);
}

/** [value, offset behind it], or undefined when truncated, longer than four bytes or not in its shortest form. */
export function readVarint(bytes: Uint8Array, offset: number): readonly [number, number] | undefined {
  let value = 0;
  for (let i = 0; i < 4; i++) {
    const byte = bytes[offset + i];
    if (byte === undefined) return undefined;
    value |= (byte & 0x7f) << (7 * i);
    if (byte < 0x80) return byte === 0 && i > 0 ? undefined : [value, offset + i + 1];
  }
  return undefined;
}
