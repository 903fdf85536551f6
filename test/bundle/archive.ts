// A tar archive's files, by another implementation than the product's reader.
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { extract } from 'tar-stream';

export async function filesOf(archive: Uint8Array): Promise<Record<string, Uint8Array>> {
  const files: Record<string, Uint8Array> = {};
  for await (const entry of Readable.from([archive]).pipe(extract())) files[entry.header.name] = await buffer(entry);
  return files;
}
