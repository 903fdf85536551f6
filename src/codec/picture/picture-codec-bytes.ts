/** A picture codec as bytes: the file `codec.bin` of a version whose model is for pictures. docs/frame.md is the format. */

import { CodecReader, corrupt, writeSigned, writeTable } from '../codec-file.ts';
import { writeVarint } from '../varint.ts';
import { countClasses } from './contexts.ts';
import { lappedPixels } from './lapping.ts';
import {
  type Band,
  coefficientsOf,
  contextLevels,
  countLevels,
  features,
  groups,
  type PictureChannels,
  type PictureCodec,
  shiftClasses,
  stepCount,
} from './picture-codec.ts';
import { unlapping } from './synthesis.ts';

/** "HGI", then the version. */
const magic = [0x48, 0x47, 0x49, 2] as const;
const mostBands = 64;
/** of a table */
const mostSymbols = 2048;

export function pictureCodecToBytes(codec: PictureCodec): Uint8Array {
  const { channels, colours, lapping, order, parents, predictions, bands } = codec;
  const out: number[] = [...magic, channels];
  const signed = (values: Iterable<number>): void => {
    for (const value of values) writeSigned(out, value);
  };
  for (const weights of [colours, lapping]) signed(weights);
  out.push(...order);
  signed(parents);
  writeVarint(out, predictions.length);
  for (const { coefficient, weights } of predictions) {
    writeVarint(out, coefficient);
    signed(weights);
  }
  writeVarint(out, bands.length);
  for (const band of bands) {
    out.push(band.step);
    signed(band.weights);
    for (const floor of band.floors) writeVarint(out, floor);
    for (const table of band.tables) writeTable(out, table);
    signed(band.countWeights);
    for (const table of band.countTables) writeTable(out, table);
    signed(band.shifts);
  }
  return Uint8Array.from(out);
}

export const isPictureCodec = (bytes: Uint8Array): boolean => magic.slice(0, 3).every((byte, i) => bytes[i] === byte);

/** Throws `model-corrupt` when the bytes are not a codec of pictures. */
export function pictureCodecFromBytes(bytes: Uint8Array): PictureCodec {
  const reader = new CodecReader(bytes);
  for (const byte of magic) if (reader.byte() !== byte) throw corrupt();
  const channels = reader.byte();
  if (channels !== 1 && channels !== 3 && channels !== 4) throw corrupt();
  const size = coefficientsOf({ channels });
  const weights = (count: number): Int16Array => Int16Array.from(reader.times(count, () => reader.signed(32_767)));
  const colours = weights(channels * channels);
  const lapping = weights(lappedPixels ** 2);
  if (!canUndo(lapping)) throw corrupt();
  const order = Uint8Array.from(reader.times(size, () => reader.byte()));
  if (new Set(order).size !== size || order.some((index) => index >= size)) throw corrupt();
  const parents = Int16Array.from(reader.times(size * 3, () => reader.signed(size - 1)));
  for (const [i, parent] of parents.entries()) if (parent < -1 || parent >= Math.floor(i / 3)) throw corrupt();
  const predictions = reader.times(reader.varint(size), () => {
    const coefficient = reader.varint(size - 1);
    const weights = reader.times(4, () => reader.signed(32_767));
    return { coefficient, weights: weights as unknown as PictureCodec['predictions'][number]['weights'] };
  });
  const bands = reader.times(reader.varint(mostBands), () => readBand(reader, size));
  if (bands.length === 0 || !reader.atEnd) throw corrupt();
  return { channels: channels as PictureChannels, colours, lapping, order, parents, predictions, bands };
}

function canUndo(lapping: Int16Array): boolean {
  try {
    unlapping(lapping);
    return true;
  } catch {
    return false;
  }
}

function readBand(reader: CodecReader, size: number): Band {
  const step = reader.byte();
  if (step >= stepCount) throw corrupt();
  return {
    step,
    weights: Int16Array.from(reader.times(size * features, () => reader.signed(32_768))),
    floors: Uint16Array.from(reader.times(size, () => reader.varint(65_535))),
    tables: reader.times(groups * contextLevels, () => reader.table(mostSymbols)),
    countWeights: Int16Array.from(reader.times(5, () => reader.signed(32_768))),
    countTables: reader.times(countLevels, () => {
      const table = reader.table(mostSymbols);
      if (table.min !== 0 || table.frequencies.length !== countClasses + 1) throw corrupt();
      return table;
    }),
    shifts: Int8Array.from(reader.times((groups - 1) * shiftClasses, () => reader.signed(127))),
  };
}
