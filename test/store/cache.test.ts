// Copies of stored files on a machine's disk: checked, bounded, shared by processes.
import { createHash, randomBytes } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { FileCache } from '../../src/store/cache.ts';
import { emptyDisk } from './buckets.ts';

const sha = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const never = () => Promise.reject(new Error('it was fetched'));
const fileOf = (root: string, sha256: string): string => path.join(root, 'files', sha256.slice(0, 2), sha256);

function bytesIn(root: string): number {
  return readdirSync(path.join(root, 'files'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(path.join(entry.parentPath, entry.name)).size, 0);
}

it('fetches a file once, although many ask for it in several processes', async () => {
  const root = emptyDisk();
  const caches = Array.from({ length: 4 }, () => new FileCache({ root, maxBytes: 1e9 }));
  const content = new Uint8Array(randomBytes(100_000));
  let fetched = 0;
  const fetch = async () => {
    fetched++;
    await new Promise((resolve) => setTimeout(resolve, 100));
    return content;
  };
  const loads = caches.flatMap((cache) => Array.from({ length: 5 }, () => cache.load(sha(content), fetch)));
  for (const bytes of await Promise.all(loads)) expect(Buffer.compare(bytes, content)).toBe(0);
  expect(fetched).toBe(1);
  expect(readdirSync(path.join(root, 'locks'))).toEqual([]);
});

it('lets the next one fetch when a fetch fails', async () => {
  const cache = new FileCache({ root: emptyDisk(), maxBytes: 1e9 });
  const content = new Uint8Array(randomBytes(10));
  await expect(cache.load(sha(content), () => Promise.reject(new Error('away')))).rejects.toThrow('away');
  expect(await cache.load(sha(content), async () => content)).toEqual(content);
});

it('takes over the lock of a process that died', async () => {
  const root = emptyDisk();
  const content = new Uint8Array(randomBytes(10));
  mkdirSync(path.join(root, 'locks'));
  const lock = path.join(root, 'locks', sha(content));
  writeFileSync(lock, '');
  utimesSync(lock, new Date(Date.now() - 120_000), new Date(Date.now() - 120_000));
  expect(await new FileCache({ root, maxBytes: 1e9 }).load(sha(content), async () => content)).toEqual(content);
});

it('does not give out what was damaged on the disk', async () => {
  const root = emptyDisk();
  const content = new Uint8Array(randomBytes(5000));
  await new FileCache({ root, maxBytes: 1e9 }).put(sha(content), content);
  const file = fileOf(root, sha(content));
  const damaged = readFileSync(file);
  damaged[2500]! ^= 1;
  writeFileSync(file, damaged);
  const cache = new FileCache({ root, maxBytes: 1e9 });
  expect(await cache.readPart(sha(content), new Uint8Array(10), 0)).toBe(false);
  expect(existsSync(file)).toBe(false);
  let fetched = 0;
  await cache.load(sha(content), async () => {
    fetched++;
    return content;
  });
  expect(fetched).toBe(1);
  const part = new Uint8Array(100);
  expect(await cache.readPart(sha(content), part, 2450)).toBe(true);
  expect(part).toEqual(content.subarray(2450, 2550));

  await cache.putNamed('key', content);
  expect(Buffer.compare((await cache.getNamed('key'))!, content)).toBe(0);
  const [name] = readdirSync(path.join(root, 'named'), { recursive: true, encoding: 'utf8' }).filter(
    (n) => n.length > 3,
  );
  writeFileSync(path.join(root, 'named', name!), 'half');
  expect(await cache.getNamed('key')).toBeUndefined();
  expect(await cache.getNamed('other')).toBeUndefined();
});

it('stays within its bytes, and drops what was not used for longest', async () => {
  const root = emptyDisk();
  const files = Array.from({ length: 30 }, () => new Uint8Array(randomBytes(10_000)));
  const cache = new FileCache({ root, maxBytes: 100_000 });
  const used = files[0]!;
  for (const [i, bytes] of files.entries()) {
    await cache.put(sha(bytes), bytes);
    const time = new Date(Date.now() - 3600_000 + 1000 * i);
    utimesSync(fileOf(root, sha(bytes)), time, time);
    if (i > 0) utimesSync(fileOf(root, sha(used)), new Date(), new Date());
    expect(bytesIn(root)).toBeLessThanOrEqual(100_000);
  }
  expect(await cache.get(sha(used))).toBeDefined();
  expect(await cache.get(sha(files.at(-1)!))).toBeDefined();
  expect(await cache.get(sha(files[1]!))).toBeUndefined();
  // larger than all of it: handed out, not kept
  const large = new Uint8Array(200_000);
  expect((await cache.load(sha(large), async () => large)).length).toBe(200_000);
  expect(bytesIn(root)).toBeLessThanOrEqual(100_000);
});

it('notes when a file is used', async () => {
  const root = emptyDisk();
  const content = new Uint8Array(randomBytes(10));
  await new FileCache({ root, maxBytes: 1e9 }).put(sha(content), content);
  const past = new Date(Date.now() - 3600_000);
  utimesSync(fileOf(root, sha(content)), past, past);
  await new FileCache({ root, maxBytes: 1e9 }).load(sha(content), never);
  await expect.poll(() => statSync(fileOf(root, sha(content))).mtimeMs).toBeGreaterThan(Date.now() - 60_000);
});

it('works where nothing can be written', async () => {
  const root = path.join(emptyDisk(), 'file');
  writeFileSync(root, 'in the way');
  chmodSync(root, 0o400);
  const cache = new FileCache({ root, maxBytes: 1e9 });
  const content = new Uint8Array(randomBytes(10));
  expect(await cache.load(sha(content), async () => content)).toEqual(content);
  expect(await cache.load(sha(content), async () => content)).toEqual(content);
  await cache.putNamed('key', content);
  expect(await cache.getNamed('key')).toBeUndefined();
});
