/** The emoji of an npm package as pictures in colour with alpha, classes by category. */

import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { currentPreprocessing } from '../picture/preprocessing.ts';
import { decodeImage } from './image.ts';
import type { StoredContent } from './manifest.ts';
import { defaultUploadLimits } from './upload.ts';
import { DatasetWriter } from './writer.ts';

interface Drawing {
  readonly image: string;
  readonly has_img_google: boolean;
}

interface Emoji extends Drawing {
  readonly category: string;
  readonly sort_order: number;
  /** the same in other colours of skin */
  readonly skin_variations?: Readonly<Record<string, Drawing>>;
}

export const emojiSide = 64;
/** One emoji of so many is for testing, with all its colours of skin: no training picture is nearly the same. */
const perTest = 10;

export async function unpackEmoji(source: string, folder: string): Promise<StoredContent> {
  const all = JSON.parse(await readFile(path.join(source, 'emoji.json'), 'utf8')) as Emoji[];
  const emoji = all.toSorted((a, b) => a.sort_order - b.sort_order);
  const classNames = [...new Set(emoji.map(({ category }) => category))].toSorted();
  const shape = { height: emojiSide, width: emojiSide, channels: 4 };
  const writer = await DatasetWriter.create({
    folder,
    shape: [emojiSide, emojiSide, 4],
    kind: 'uint8',
    scale: 'auto',
    maxBytes: defaultUploadLimits.expandedBytes,
  });
  try {
    const labels = { train: [] as number[], test: [] as number[] };
    for (const [i, one] of emoji.entries()) {
      const split = i % perTest === perTest - 1 ? 'test' : 'train';
      for (const { image, has_img_google: isThere } of [one, ...Object.values(one.skin_variations ?? {})]) {
        if (!isThere) continue;
        const file = await readFile(path.join(source, 'img', 'google', String(emojiSide), image));
        const decoded = { shape, maxPixels: emojiSide ** 2, preprocessing: currentPreprocessing };
        await writer.append(split, await decodeImage(file, decoded));
        labels[split].push(classNames.indexOf(one.category));
      }
    }
    const numbers = { train: Int32Array.from(labels.train), test: Int32Array.from(labels.test) };
    return await writer.finish(numbers, classNames);
  } finally {
    await writer.close();
  }
}
