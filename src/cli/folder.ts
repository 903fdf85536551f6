/** A folder of pictures as a tar archive: what `hourglass datasets add FOLDER` uploads. */

import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { pack } from 'tar-stream';
import { UsageError } from './usage-error.ts';

const pictures = /\.(png|jpe?g|webp)$/i;

export interface FolderArchive {
  /** of all pictures */
  readonly bytes: number;
  readonly pictures: number;
  readonly archive: AsyncIterable<unknown>;
}

/** Its pictures at any depth, by name; the server takes the folder right above a picture as its class. Throws UsageError. */
export async function archiveOf(folder: string): Promise<FolderArchive> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile() && pictures.test(entry.name))
    .map((entry) => path.join(entry.parentPath ?? entry.path, entry.name))
    .sort();
  if (files.length === 0) throw new UsageError(`${folder} holds no PNG, JPEG or WebP pictures.`);
  const sizes = await Promise.all(files.map(async (file) => (await stat(file)).size));
  const archive = pack();
  const fill = async (): Promise<void> => {
    for (const [i, file] of files.entries()) {
      const name = path.relative(folder, file).split(path.sep).join('/');
      await pipeline(createReadStream(file), archive.entry({ name, size: sizes[i] ?? 0 }));
    }
    archive.finalize();
  };
  // a file that changes while it is read ends the upload
  fill().catch((error: Error) => archive.destroy(error));
  return { bytes: sizes.reduce((sum, size) => sum + size, 0), pictures: files.length, archive };
}
