/** Rows that come as bytes or pictures, and rows that go out so: for every transport. Their shape comes from the model. */

import { endianness } from 'node:os';
import { HourglassError } from '../base/errors.ts';
import { type NdArray, showShape, sizeOf } from '../base/ndarray.ts';
import { imageToRow, pictureShape, rowToPng } from '../data/image.ts';
import { grayScale } from '../picture/gray-scale.ts';
import type { Prediction, PredictTarget } from '../serve/predictor.ts';

const bytesPerValue = Float32Array.BYTES_PER_ELEMENT;

/** Little-endian float32 values, row after row, without copying where that is possible. */
export function rowsOfBytes(bytes: Uint8Array, { inputShape }: PredictTarget): NdArray<'float32'> {
  const rowBytes = sizeOf(inputShape) * bytesPerValue;
  if (bytes.length === 0) {
    throw new HourglassError('empty-batch', `The body is empty. Send rows of ${rowBytes} bytes.`, {
      expected: { bytesPerRow: rowBytes },
      found: { bytes: 0 },
    });
  }
  if (bytes.length % rowBytes !== 0) {
    throw new HourglassError(
      'shape-mismatch',
      `The body has ${bytes.length} bytes, which are not whole rows: a row of shape ${showShape(inputShape)} has ${rowBytes} bytes (little-endian float32).`,
      { expected: { shape: inputShape, bytesPerRow: rowBytes }, found: { bytes: bytes.length } },
    );
  }
  return { dtype: 'float32', shape: [bytes.length / rowBytes, ...inputShape], data: floatsOf(bytes) };
}

/** Little-endian float32 values of a tensor. */
export function bytesOfRows({ data }: NdArray<'float32'>): Uint8Array {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return endianness() === 'BE' ? Buffer.from(bytes).swap32() : bytes;
}

function floatsOf(bytes: Uint8Array): Float32Array {
  const aligned = bytes.byteOffset % bytesPerValue === 0 && endianness() === 'LE';
  if (aligned) return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / bytesPerValue);
  const floats = new Float32Array(bytes.length / bytesPerValue);
  const copy = Buffer.from(floats.buffer);
  copy.set(bytes);
  if (endianness() === 'BE') copy.swap32();
  return floats;
}

export interface PictureOptions {
  /** fit pictures of another size to the model's instead of refusing them */
  readonly resize: boolean;
  readonly maxPixels: number;
}

/** One row for each encoded picture. Throws `shape-mismatch`, `image-too-large`, `image-unreadable`. */
export async function rowsOfPictures(
  files: readonly Uint8Array[],
  target: PredictTarget,
  options: PictureOptions,
): Promise<NdArray<'float32'>> {
  const shape = pictureShape(target.inputShape);
  const size = sizeOf(target.inputShape);
  const data = new Float32Array(files.length * size);
  for (const [i, file] of files.entries()) {
    const { preprocessing, inputRange } = target;
    data.set(await imageToRow(file, { shape, preprocessing, ...options }, grayScale(inputRange)), i * size);
  }
  return { dtype: 'float32', shape: [files.length, ...target.inputShape], data };
}

/** Each row of an answer as a PNG. Throws `shape-mismatch` when the model's rows are not pictures. */
export async function picturesOfRows(
  { outputs, rowShape }: Prediction,
  { inputRange }: PredictTarget,
): Promise<Uint8Array[]> {
  const size = sizeOf(rowShape);
  const pictures: Uint8Array[] = [];
  for (let start = 0; start < outputs.data.length; start += size) {
    pictures.push(await rowToPng(outputs.data.subarray(start, start + size), rowShape, grayScale(inputRange)));
  }
  return pictures;
}
