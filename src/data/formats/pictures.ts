/** Pictures of a zip or tar as rows of 8-bit values; the folder right above a picture is its class. */

import { HourglassError } from '../../base/errors.ts';
import { currentPreprocessing, type Preprocessing } from '../../picture/preprocessing.ts';
import { decodeImage, imageFormat, inspectImage, type PictureShape } from '../image.ts';
import type { UploadLimits } from '../upload.ts';
import type { ArchiveFile } from './archive.ts';
import { checkExtent, invalid, type ParseContext, type RowBlock, type RowSource, type StoredPart } from './source.ts';

/** pictures decoded at the same time */
const inFlight = 4;

export type ArchiveReader = (part: StoredPart, limits: UploadLimits) => AsyncGenerator<ArchiveFile>;

export async function parsePictures(part: StoredPart, read: ArchiveReader, context: ParseContext): Promise<RowSource> {
  const { height, width, channels } = await findShape(part, read, context);
  checkExtent(part, 1, [height, width, channels], context);
  return {
    kind: 'uint8',
    preprocessing: preprocessingOf(context),
    shape: [height, width, channels],
    ...(context.options.classFolders !== false && { labels: 'folders' as const }),
    blocks: blocks(part, read, { height, width, channels }, context),
  };
}

/** Recorded with the data set, so that models of it treat the pictures that they are sent alike. */
const preprocessingOf = ({ options }: ParseContext): Preprocessing => ({
  ...currentPreprocessing,
  ...(options.fit && { fit: options.fit }),
});

/** As the options say, else as the first picture is. */
async function findShape(
  part: StoredPart,
  read: ArchiveReader,
  { options, limits }: ParseContext,
): Promise<PictureShape> {
  for await (const file of read(part, limits)) {
    const first = await inspect(part, file, limits);
    const gray = options.grayscale ?? first.channels === 1;
    return { ...(options.resize ?? first), channels: gray ? 1 : 3 };
  }
  throw invalid(part, 'there are no pictures in it.');
}

async function* blocks(
  part: StoredPart,
  read: ArchiveReader,
  shape: PictureShape,
  context: ParseContext,
): AsyncGenerator<RowBlock> {
  const { options, limits } = context;
  const decode = async (file: ArchiveFile): Promise<RowBlock> => {
    const { name, bytes } = file;
    const found = await inspect(part, file, limits);
    if (found.channels !== shape.channels && options.grayscale === undefined) {
      const facts = { field: name, expected: shape.channels, found: found.channels };
      const what = `the picture ${JSON.stringify(name)} has ${found.channels} channels, the first one has ${shape.channels}.`;
      throw new HourglassError('shape-mismatch', `${part.label}: ${what} Say "grayscale": true or false.`, facts);
    }
    const wanted = {
      shape,
      resize: options.resize !== undefined,
      maxPixels: limits.imagePixels,
      preprocessing: preprocessingOf(context),
    };
    const values = await named(part, name, decodeImage(bytes, wanted));
    return options.classFolders === false ? { values } : { values, labels: [folderOf(name)] };
  };
  const waiting: Promise<RowBlock>[] = [];
  try {
    for await (const file of read(part, limits)) {
      const decoding = decode(file);
      decoding.catch(() => {});
      waiting.push(decoding);
      if (waiting.length >= inFlight) yield await waiting.shift()!;
    }
    for (const decoding of waiting) yield await decoding;
  } finally {
    await Promise.allSettled(waiting);
  }
}

async function inspect(part: StoredPart, { name, bytes }: ArchiveFile, { imagePixels }: UploadLimits) {
  if (!imageFormat(bytes)) throw invalid(part, `the file ${JSON.stringify(name)} is not a PNG, JPEG or WebP picture.`);
  return named(part, name, inspectImage(bytes, imagePixels));
}

const folderOf = (name: string): string => name.split('/').at(-2) ?? '';

/** Puts the file's name before what was wrong with it. */
async function named<T>(part: StoredPart, name: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (thrown) {
    if (!(thrown instanceof HourglassError)) throw thrown;
    const message = `${part.label}: the picture ${JSON.stringify(name)}: ${thrown.message}`;
    throw new HourglassError(thrown.code, message, { ...thrown.facts, field: name }, { cause: thrown });
  }
}
