// Files from and to tar archives, by another implementation than the product's reader.
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { extract, pack } from 'tar-stream';

export async function filesOf(archive: Uint8Array): Promise<Record<string, Uint8Array>> {
  const files: Record<string, Uint8Array> = {};
  for await (const entry of Readable.from([archive]).pipe(extract())) files[entry.header.name] = await buffer(entry);
  return files;
}

export async function packed(files: Readonly<Record<string, Uint8Array>>): Promise<Uint8Array> {
  const tar = pack();
  const whole = buffer(tar);
  for (const [name, bytes] of Object.entries(files)) tar.entry({ name }, Buffer.from(bytes));
  tar.finalize();
  return whole;
}
