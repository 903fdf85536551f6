/** Pictures in place of numbers: the one way for every transport. Black and white are the ends of the model's range. */

import { HourglassError } from '../base/errors.ts';
import { float32, type NdArray, sizeOf } from '../base/ndarray.ts';
import { imageToRow, pictureShape, rowToPng } from '../data/image.ts';
import type { Prediction, PredictTarget } from '../serve/predictor.ts';

export interface PictureOptions {
  /** fit pictures of another size instead of refusing them */
  readonly resize: boolean;
  readonly maxPixels: number;
  /** pictures of one request */
  readonly maxBatch: number;
  readonly signal: AbortSignal;
}

/**
 * PNG, JPEG or WebP files as rows of the model, shape [files, …row]. Throws `empty-batch`, `batch-too-large`,
 * `image-too-large`, `image-unreadable`, `shape-mismatch`.
 */
export async function rowsOfPictures(
  files: readonly Uint8Array[],
  { inputShape, inputRange: [low, high] }: PredictTarget,
  { resize, maxPixels, maxBatch, signal }: PictureOptions,
): Promise<NdArray<'float32'>> {
  if (files.length === 0) {
    throw new HourglassError('empty-batch', 'There are no pictures. Send at least one.', { expected: 'at least 1' });
  }
  if (files.length > maxBatch) {
    throw new HourglassError(
      'batch-too-large',
      `There are ${files.length} pictures; at most ${maxBatch} are allowed in one request. Send several requests.`,
      { expected: maxBatch, found: files.length },
    );
  }
  const shape = pictureShape(inputShape);
  const size = sizeOf(inputShape);
  const data = new Float32Array(files.length * size);
  for (const [i, file] of files.entries()) {
    signal.throwIfAborted();
    const row = await imageToRow(file, { shape, resize, maxPixels }).catch((error) => {
      throw files.length > 1 ? ofPicture(i, error) : error;
    });
    for (let j = 0; j < size; j++) data[i * size + j] = low + row[j]! * (high - low);
  }
  return float32([files.length, ...inputShape], data);
}

function ofPicture(index: number, error: unknown): unknown {
  if (!(error instanceof HourglassError)) return error;
  const facts = { ...error.facts, field: `/images/${index}` };
  return new HourglassError(error.code, `Picture ${index + 1}: ${error.message}`, facts, { cause: error });
}

/** One PNG for each row of an answer. Throws `shape-mismatch` when its rows are not pictures. */
export async function picturesOf(
  { outputs, rowShape }: Prediction,
  inputRange: PredictTarget['inputRange'],
): Promise<Uint8Array[]> {
  const size = sizeOf(rowShape);
  const files: Uint8Array[] = [];
  for (let start = 0; start < outputs.data.length; start += size) {
    files.push(await rowToPng(outputs.data.subarray(start, start + size), rowShape, inputRange));
  }
  return files;
}
