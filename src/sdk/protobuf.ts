/** Reads protobuf messages without their schema: numbered fields in the order in which they stand. */

export interface Field {
  readonly number: number;
  /** of length-delimited fields */
  readonly bytes: Uint8Array;
  /** of varints */
  readonly value: number;
  /** how it stands on the wire: 0 varint, 1 eight bytes, 2 length-delimited, 5 four bytes */
  readonly wire: number;
}

const empty = new Uint8Array();

/** Varints up to 2^53 from a position on, ten bytes long ones as negative numbers. Throws RangeError when the bytes end inside. */
function varintAt(bytes: Uint8Array, from: number): readonly [value: number, end: number] {
  let value = 0;
  for (let at = from, scale = 1; at < bytes.length && at < from + 10; at++, scale *= 128) {
    const byte = bytes[at] as number;
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) return [at === from + 9 ? negativeOf(bytes.subarray(from, at + 1)) : value, at + 1];
  }
  throw new RangeError('the message ends inside of a number');
}

/** Beyond 2^53, where the sum above is no longer exact. */
const negativeOf = (digits: Uint8Array): number =>
  Number(
    BigInt.asIntN(
      64,
      digits.reduceRight((sum, byte) => sum * 128n + BigInt(byte & 0x7f), 0n),
    ),
  );

/** The numbers of a packed field. */
export function packedOf(bytes: Uint8Array): number[] {
  const values: number[] = [];
  for (let at = 0; at < bytes.length; ) {
    const [value, end] = varintAt(bytes, at);
    values.push(value);
    at = end;
  }
  return values;
}

/** Throws RangeError when the bytes are not a message. */
export function* fieldsOf(bytes: Uint8Array): Generator<Field> {
  let at = 0;
  const varint = (): number => {
    const [value, end] = varintAt(bytes, at);
    at = end;
    return value;
  };
  const take = (length: number): Uint8Array => {
    if (at + length > bytes.length) throw new RangeError('the message ends inside of a field');
    at += length;
    return bytes.subarray(at - length, at);
  };
  while (at < bytes.length) {
    const tag = varint();
    const [number, wire] = [Math.floor(tag / 8), tag % 8];
    if (wire === 0) yield { number, wire, value: varint(), bytes: empty };
    else if (wire === 2) yield { number, wire, value: 0, bytes: take(varint()) };
    else if (wire === 1 || wire === 5) yield { number, wire, value: 0, bytes: take(wire === 1 ? 8 : 4) };
    else throw new RangeError('the message has a field of no known kind');
  }
}
