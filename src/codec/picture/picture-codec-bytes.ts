/** A picture codec as bytes: the file `codec.bin` of a version whose model is for pictures. docs/frame.md is the format. */

import { HourglassError } from '../../base/errors.ts';
import { FrequencyTable } from '../frequency-table.ts';
import { readVarint, writeVarint } from '../varint.ts';
import { countClasses } from './contexts.ts';
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

/** "HGI", then the version. */
const magic = [0x48, 0x47, 0x49, 1] as const;
const mostBands = 64;

const zigzag = (value: number): number => (value < 0 ? -2 * value - 1 : 2 * value);
const unzigzag = (value: number): number => (value % 2 === 0 ? value / 2 : -(value + 1) / 2);

export function pictureCodecToBytes({ channels, analysis, parents, predictions, bands }: PictureCodec): Uint8Array {
  const out: number[] = [...magic, channels];
  const signed = (values: Iterable<number>): void => {
    for (const value of values) writeVarint(out, zigzag(value));
  };
  signed(analysis);
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

function writeTable(out: number[], { min, frequencies }: FrequencyTable): void {
  writeVarint(out, zigzag(min));
  writeVarint(out, frequencies.length);
  for (const frequency of frequencies) writeVarint(out, frequency);
}

export const isPictureCodec = (bytes: Uint8Array): boolean => magic.slice(0, 3).every((byte, i) => bytes[i] === byte);

/** Throws `model-corrupt` when the bytes are not a codec of pictures. */
export function pictureCodecFromBytes(bytes: Uint8Array): PictureCodec {
  const reader = new Reader(bytes);
  for (const byte of magic) if (reader.byte() !== byte) throw corrupt();
  const channels = reader.byte();
  if (channels !== 1 && channels !== 3 && channels !== 4) throw corrupt();
  const size = coefficientsOf({ channels });
  const analysis = Int16Array.from(reader.times(size * size, () => reader.signed(32_767)));
  const parents = Int16Array.from(reader.times(size * 3, () => reader.signed(size - 1)));
  for (const [i, parent] of parents.entries())
    if (parent < -1 || parent >= Math.floor(i / 3)) if (parent !== -1) throw corrupt();
  const predictions = reader.times(reader.varint(size), () => {
    const coefficient = reader.varint(size - 1);
    const weights = reader.times(4, () => reader.signed(32_767));
    return { coefficient, weights: weights as unknown as PictureCodec['predictions'][number]['weights'] };
  });
  const bands = reader.times(reader.varint(mostBands), () => readBand(reader, size));
  if (bands.length === 0 || !reader.atEnd) throw corrupt();
  return { channels: channels as PictureChannels, analysis, parents, predictions, bands };
}

function readBand(reader: Reader, size: number): Band {
  const step = reader.byte();
  if (step >= stepCount) throw corrupt();
  return {
    step,
    weights: Int16Array.from(reader.times(size * features, () => reader.signed(32_768))),
    floors: Uint16Array.from(reader.times(size, () => reader.varint(65_535))),
    tables: reader.times(groups * contextLevels, () => readTable(reader)),
    countWeights: Int16Array.from(reader.times(5, () => reader.signed(32_768))),
    countTables: reader.times(countLevels, () => {
      const table = readTable(reader);
      if (table.min !== 0 || table.frequencies.length !== countClasses + 1) throw corrupt();
      return table;
    }),
    shifts: Int8Array.from(reader.times((groups - 1) * shiftClasses, () => reader.signed(127))),
  };
}

function readTable(reader: Reader): FrequencyTable {
  const min = unzigzag(reader.varint(65_534));
  const frequencies = reader.times(reader.varint(2048), () => reader.varint(16_384));
  try {
    const table = new FrequencyTable(min, frequencies);
    if (table.constant) throw corrupt();
    return table;
  } catch (error) {
    if (error instanceof RangeError) throw corrupt();
    throw error;
  }
}

const corrupt = (): HourglassError =>
  new HourglassError('model-corrupt', 'The model’s codec is damaged or of a newer release; publish the model again.');

class Reader {
  #at = 0;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get atEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  byte(): number {
    const byte = this.#bytes[this.#at++];
    if (byte === undefined) throw corrupt();
    return byte;
  }

  varint(most: number): number {
    const read = readVarint(this.#bytes, this.#at);
    if (!read || read[0] > most) throw corrupt();
    this.#at = read[1];
    return read[0];
  }

  signed(most: number): number {
    const value = unzigzag(this.varint(2 * most + 1));
    if (value > most || value < -most - 1) throw corrupt();
    return value;
  }

  times<T>(count: number, read: () => T): T[] {
    const out: T[] = [];
    for (let i = 0; i < count; i++) out.push(read());
    return out;
  }
}
