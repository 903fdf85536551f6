/**
 * A profile as a file, `codec.bin`: small, canonical, strict. Published with the decoder and sent to devices.
 *
 *   "HGP" 1 │ rank, dims │ order │ qualities │ per quality: bytesPerRow f32, psnr f32, per unit: kind 0: offset f32, symbol
 *                                               kind 1: step f32, offset f32, bitWeight f32, table: min, count, frequencies
 *   "HGP" 2   the same, and at the end of each quality: clusters, of cluster numbers: table, per cluster and unit of kind 1: table
 */

import { CodecReader, corrupt, writeFloat, writeSigned, writeTable } from './codec-file.ts';
import { constantTable } from './frequency-table.ts';
import type { Clusters, Profile, Quality, Unit } from './profile.ts';
import { writeVarint } from './varint.ts';

const magic = [0x48, 0x47, 0x50] as const;
/** Version 2 has clusters; a profile without them is written as version 1. */
const versions = { plain: 1, clustered: 2 } as const;
const maxClusters = 256;

/** Everything of a profile but its hash, which depends on these bytes. */
export type ProfileBody = Omit<Profile, 'hash'>;

export function profileToBytes(profile: ProfileBody): Uint8Array {
  const isClustered = profile.qualities.some(({ clusters }) => clusters !== undefined);
  const out: number[] = [...magic, isClustered ? versions.clustered : versions.plain];
  writeVarint(out, profile.codeShape.length);
  for (const dim of profile.codeShape) writeVarint(out, dim);
  for (const unit of profile.order) writeVarint(out, unit);
  writeVarint(out, profile.qualities.length);
  for (const { bytesPerRow, psnr, units, clusters } of profile.qualities) {
    writeFloat(out, bytesPerRow);
    writeFloat(out, psnr);
    for (const { step, offset, bitWeight, table } of units) {
      out.push(table.constant ? 0 : 1);
      if (!table.constant) writeFloat(out, step);
      writeFloat(out, offset);
      if (!table.constant) writeFloat(out, bitWeight);
      if (table.constant) writeSigned(out, table.min);
      else writeTable(out, table);
    }
    if (!isClustered) continue;
    writeVarint(out, clusters?.units.length ?? 0);
    if (!clusters) continue;
    writeTable(out, clusters.table);
    for (const tables of clusters.units) {
      for (const [j, table] of tables.entries()) if (!units[j]?.table.constant) writeTable(out, table);
    }
  }
  return Uint8Array.from(out);
}

/** Throws `model-corrupt` when the bytes are not a profile. */
export function profileFromBytes(bytes: Uint8Array): ProfileBody {
  const reader = new CodecReader(bytes);
  for (const byte of magic) if (reader.byte() !== byte) throw corrupt();
  const version = reader.byte();
  if (version !== versions.plain && version !== versions.clustered) throw corrupt();
  const codeShape = reader.times(reader.varint(8), () => reader.varint(65_536));
  const count = codeShape.reduce((a, b) => a * b, 1);
  if (count < 1 || count > 65_536) throw corrupt();
  const order = Uint16Array.from(reader.times(count, () => reader.varint(count - 1)));
  if (new Set(order).size !== count) throw corrupt();
  const qualities = reader.times(reader.varint(16), (): Quality => {
    const bytesPerRow = reader.float();
    const psnr = reader.float();
    const units = reader.times(count, () => readUnit(reader));
    const clusters = version === versions.clustered ? readClusters(reader, units) : undefined;
    return { bytesPerRow, psnr, units, ...(clusters && { clusters }) };
  });
  if (!reader.atEnd) throw corrupt();
  return { codeShape, order, qualities };
}

function readUnit(reader: CodecReader): Unit {
  const kind = reader.byte();
  if (kind > 1) throw corrupt();
  const step = kind === 1 ? reader.float() : 1;
  const offset = reader.float();
  const bitWeight = kind === 1 ? reader.float() : 0;
  if (!(step > 0) || !(bitWeight >= 0)) throw corrupt();
  const table = kind === 0 ? constantTable(reader.symbol()) : reader.table();
  return { step, offset, table, bitWeight };
}

function readClusters(reader: CodecReader, units: readonly Unit[]): Clusters | undefined {
  const count = reader.varint(maxClusters);
  if (count === 0) return undefined;
  const table = reader.table();
  return {
    table,
    units: reader.times(count, () => units.map((unit) => (unit.table.constant ? unit.table : reader.table()))),
  };
}
