// Writes zip and tar archives byte by byte, so that wrong ones can be made as well.
import { deflateRawSync } from 'node:zlib';

export interface ZipEntry {
  readonly name: string | Uint8Array;
  readonly data?: Uint8Array;
  readonly store?: boolean;
  /** Unix mode in the upper half of the external attributes, such as 0o120777 for a symbolic link */
  readonly mode?: number;
  readonly flags?: number;
  /** does not say that its name is UTF-8 */
  readonly unmarked?: boolean;
  readonly method?: number;
  /** lies about the size after inflating */
  readonly size?: number;
  /** points the central directory at another local header */
  readonly offset?: number;
}

export function zip(entries: readonly ZipEntry[]): Uint8Array {
  const local: Buffer[] = [];
  const central: Buffer[] = [];
  let at = 0;
  for (const entry of entries) {
    const { data = new Uint8Array(0), store = false, mode = 0, flags = 0 } = entry;
    const name = Buffer.from(entry.name as string);
    const packed = store ? Buffer.from(data) : deflateRawSync(data);
    const shared = Buffer.alloc(26);
    shared.writeUInt16LE(20, 0);
    shared.writeUInt16LE(entry.unmarked ? flags : flags | 0x800, 2);
    shared.writeUInt16LE(entry.method ?? (store ? 0 : 8), 4);
    shared.writeUInt32LE(packed.length, 14);
    shared.writeUInt32LE(entry.size ?? data.length, 18);
    shared.writeUInt16LE(name.length, 22);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(mode * 65_536, 6);
    tail.writeUInt32LE(entry.offset ?? at, 10);
    central.push(Buffer.from('PK\x01\x02\x14\x03', 'latin1'), shared, tail, name);
    const record = Buffer.concat([Buffer.from('PK\x03\x04', 'latin1'), shared, name, packed]);
    local.push(record);
    at += record.length;
  }
  const directory = Buffer.concat(central);
  return Buffer.concat([...local, directory, ...endRecords(entries.length, at, directory.length)]);
}

/** Beyond 65,534 entries the count is in the zip64 record. */
function endRecords(count: number, directoryAt: number, directoryBytes: number): Buffer[] {
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(Math.min(count, 0xffff), 8);
  end.writeUInt16LE(Math.min(count, 0xffff), 10);
  end.writeUInt32LE(directoryBytes, 12);
  end.writeUInt32LE(directoryAt, 16);
  if (count < 0xffff) return [end];
  const record = Buffer.alloc(56);
  record.write('PK\x06\x06', 'latin1');
  record.writeBigUInt64LE(44n, 4);
  record.writeBigUInt64LE(BigInt(count), 24);
  record.writeBigUInt64LE(BigInt(count), 32);
  record.writeBigUInt64LE(BigInt(directoryBytes), 40);
  record.writeBigUInt64LE(BigInt(directoryAt), 48);
  const locator = Buffer.alloc(20);
  locator.write('PK\x06\x07', 'latin1');
  locator.writeBigUInt64LE(BigInt(directoryAt + directoryBytes), 8);
  locator.writeUInt32LE(1, 16);
  return [record, locator, end];
}

export interface TarEntry {
  readonly name: string | Uint8Array;
  readonly data?: Uint8Array;
  /** `0` file, `1` hard link, `2` symbolic link, `3` `4` devices, `5` folder, `6` fifo, `x` pax header, `L` long name */
  readonly type?: string;
  readonly link?: string;
  /** lies about the size */
  readonly size?: number;
}

export function tar(entries: readonly TarEntry[], { end = true } = {}): Uint8Array {
  const blocks: Buffer[] = [];
  for (const { name, data = new Uint8Array(0), type = '0', link = '', size = data.length } of entries) {
    const header = Buffer.alloc(512);
    Buffer.from(name as string).copy(header, 0, 0, 100);
    header.write('0000644\0', 100);
    header.write(`${size.toString(8).padStart(11, '0')}\0`, 124);
    header.write('00000000000\0', 136);
    header.write('        ', 148);
    header.write(type, 156);
    header.write(link, 157, 100);
    header.write('ustar\x0000', 257);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
    blocks.push(header, Buffer.from(data), Buffer.alloc((512 - (data.length % 512)) % 512));
  }
  if (end) blocks.push(Buffer.alloc(1024));
  return Buffer.concat(blocks);
}
