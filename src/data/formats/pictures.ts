/** Pictures of a zip or tar as rows of 8-bit values; the folder right above a picture is its class. */

import { HourglassError } from '../../base/errors.ts';
import { currentPreprocessing, type Preprocessing } from '../../picture/preprocessing.ts';
import { decodePicture, imageFormat, inspectImage, type PictureShape } from '../image.ts';
import type { UploadLimits } from '../upload.ts';
import { type ArchiveFile, ArchiveNotes, type ArchiveOptions, shown } from './archive.ts';
import { whatIsIt } from './known.ts';
import { checkExtent, invalid, type ParseContext, type RowBlock, type RowSource, type StoredPart } from './source.ts';
import { encodingNamed } from './text.ts';

/** pictures decoded at the same time */
const inFlight = 4;

export type ArchiveReader = (part: StoredPart, options: ArchiveOptions) => AsyncGenerator<ArchiveFile>;

export async function parsePictures(
  part: StoredPart,
  format: 'zip' | 'tar',
  read: ArchiveReader,
  context: ParseContext,
): Promise<RowSource> {
  const { limits, options } = context;
  const encoding = options.encoding === undefined ? undefined : encodingNamed(options.encoding);
  const files = (notes: ArchiveNotes) => read(part, { limits, encoding, notes });
  const { height, width, channels } = await findShape(part, files(new ArchiveNotes()), context);
  const isMixed = options.keepSizes === true;
  if (isMixed && options.resize) {
    throw invalid(part, '"keepSizes" and "resize" exclude each other. Give one of them.', { field: 'keepSizes' });
  }
  if (!isMixed) checkExtent(part, 1, [height, width, channels], context);
  return {
    kind: 'uint8',
    preprocessing: preprocessingOf(context),
    shape: [height, width, channels],
    ...(isMixed && { sizes: 'mixed' as const }),
    facts: { format },
    ...(options.classFolders !== false && { labels: 'folders' as const }),
    blocks: new PictureArchive(part, { height, width, channels }, context).blocks(files),
  };
}

/** Recorded with the data set, so that models of it treat the pictures that they are sent alike. */
const preprocessingOf = ({ options }: ParseContext): Preprocessing => ({
  ...currentPreprocessing,
  ...(options.fit && { fit: options.fit }),
  ...(options.background && { transparency: options.background }),
});

/** As the options say, else as the first picture is. */
async function findShape(
  part: StoredPart,
  files: AsyncIterable<ArchiveFile>,
  { options, limits }: ParseContext,
): Promise<PictureShape> {
  for await (const file of files) {
    const first = await inspect(part, file, limits);
    const gray = options.grayscale ?? first.channels === 1;
    return { height: first.height, width: first.width, ...options.resize, channels: gray ? 1 : 3 };
  }
  throw invalid(part, 'there are no pictures in it.');
}

class PictureArchive {
  readonly #part: StoredPart;
  readonly #shape: PictureShape;
  readonly #context: ParseContext;
  /** path of each class's folder; empty when there are several */
  readonly #folders = new Map<string, string>();
  /** number of transparent pictures by what they were laid on */
  readonly #backgrounds = new Map<string, number>();

  constructor(part: StoredPart, shape: PictureShape, context: ParseContext) {
    this.#part = part;
    this.#shape = shape;
    this.#context = context;
  }

  async *blocks(files: (notes: ArchiveNotes) => AsyncIterable<ArchiveFile>): AsyncGenerator<RowBlock> {
    const notes = new ArchiveNotes();
    const waiting: Promise<RowBlock>[] = [];
    try {
      for await (const file of files(notes)) {
        const decoding = this.#decode(file);
        decoding.catch(() => {});
        waiting.push(decoding);
        if (waiting.length >= inFlight) yield await waiting.shift()!;
      }
      for (const decoding of waiting) yield await decoding;
      notes.tell(this.#part, this.#context.warn);
      this.#tellBackgrounds();
    } finally {
      await Promise.allSettled(waiting);
    }
  }

  async #decode(file: ArchiveFile): Promise<RowBlock> {
    const { options, limits } = this.#context;
    const { name, bytes } = file;
    // before anything is waited for: warnings of folders are in the order of the archive
    const labels = options.classFolders === false ? undefined : [this.#folderOf(name)];
    const found = await inspect(this.#part, file, limits);
    if (found.channels !== this.#shape.channels && options.grayscale === undefined) {
      const facts = { field: name, expected: this.#shape.channels, found: found.channels };
      const what = `the picture ${shown(name)} has ${found.channels} channels, the first one has ${this.#shape.channels}.`;
      throw new HourglassError('shape-mismatch', `${this.#part.label}: ${what} Say "grayscale": true or false.`, facts);
    }
    const isMixed = options.keepSizes === true;
    const shape = isMixed ? { ...found, channels: this.#shape.channels } : this.#shape;
    const wanted = {
      shape,
      resize: options.resize !== undefined,
      maxPixels: limits.imagePixels,
      preprocessing: preprocessingOf(this.#context),
    };
    const { pixels, background } = await named(this.#part, name, decodePicture(bytes, wanted));
    if (background !== undefined) this.#backgrounds.set(background, (this.#backgrounds.get(background) ?? 0) + 1);
    const size = isMixed && { size: { height: shape.height, width: shape.width } };
    return { values: pixels, ...size, ...(labels && { labels }) };
  }

  #tellBackgrounds(): void {
    if (this.#backgrounds.size === 0 || this.#context.options.background !== undefined) return;
    const counts = [...this.#backgrounds].sort().map(([colour, count]) => {
      return `${count} on ${colour === '#ffffff' ? 'white' : colour === '#000000' ? 'black' : colour}`;
    });
    this.#context.warn(
      this.#part,
      `Transparent pictures were laid on what their visible parts stand out from: ${counts.join(', ')}. Say "background" ("white", "black" or "#rrggbb") to choose one for all.`,
    );
  }

  #folderOf(name: string): string {
    const end = name.lastIndexOf('/');
    if (end < 0) return '';
    const path = name.slice(0, end);
    const folder = path.slice(path.lastIndexOf('/') + 1);
    const before = this.#folders.get(folder);
    if (before === undefined) this.#folders.set(folder, path);
    else if (before !== path && before !== '') {
      this.#folders.set(folder, '');
      const what = `The folders ${shown(before)} and ${shown(path)} have the same name and are one class: only the folder right above a picture counts.`;
      this.#context.warn(this.#part, `${what} Pictures for testing can be sent as a part of their own, "test-rows".`);
    }
    return folder;
  }
}

async function inspect(part: StoredPart, { name, bytes }: ArchiveFile, { imagePixels }: UploadLimits) {
  if (!imageFormat(bytes)) throw noPicture(part, name, bytes);
  return named(part, name, inspectImage(bytes, imagePixels));
}

function noPicture(part: StoredPart, name: string, bytes: Uint8Array): HourglassError {
  const what = whatIsIt(Buffer.from(bytes.subarray(0, 512)).toString('latin1'));
  const why = what ? `: ${what}` : '. Leave out other files.';
  return invalid(part, `the file ${shown(name)} is not a PNG, JPEG or WebP picture${why}`, { field: name });
}

/** Puts the file's name before what was wrong with it. */
async function named<T>(part: StoredPart, name: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (thrown) {
    if (!(thrown instanceof HourglassError)) throw thrown;
    const message = `${part.label}: the picture ${shown(name)}: ${thrown.message}`;
    throw new HourglassError(thrown.code, message, { ...thrown.facts, field: name }, { cause: thrown });
  }
}
