// A bucket that is away, slow, full, refuses, or answers 503 now and then: what callers see, and that nothing is half-published. A
// real server, with a proxy in between that does to its answers what networks and overloaded stores do.
import { randomBytes, randomUUID } from 'node:crypto';
import { createServer, request, type Server } from 'node:http';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { Registry } from '../../src/registry/registry.ts';
import { openStores, type StoreSettings } from '../../src/store/open.ts';
import type { BucketStores } from '../../src/store/s3/open.ts';
import { freePort } from '../helpers/ports.ts';
import { s3Server, startBucket, type TestBucket } from '../helpers/s3.ts';
import { startProxy, type TcpProxy } from '../helpers/tcp-proxy.ts';
import { publicationOf } from '../registry/publications.ts';
import { emptyDisk } from './buckets.ts';

/** What the proxy does with a request; `lose`: the server gets it, the client never hears of it. */
type Fate = 'pass' | 'busy' | 'full' | 'lose';

interface HttpProxy {
  readonly endpoint: string;
  fate: (method: string, path: string) => Fate;
  close(): Promise<void>;
}

const answers = {
  busy: [503, '<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>'],
  full: [507, '<Error><Code>InsufficientStorage</Code><Message>full</Message></Error>'],
} as const;

async function startHttpProxy(port: number): Promise<HttpProxy> {
  const own = await freePort();
  const proxy: Pick<HttpProxy, 'endpoint' | 'fate'> = { endpoint: `http://127.0.0.1:${own}`, fate: () => 'pass' };
  const server: Server = createServer((incoming, outgoing) => {
    const { method = '', url = '', headers } = incoming;
    const fate = proxy.fate(method, url);
    if (fate === 'busy' || fate === 'full') {
      const [status, body] = answers[fate];
      incoming.resume().on('end', () => outgoing.writeHead(status, { 'content-type': 'application/xml' }).end(body));
      return;
    }
    const passed = request({ port, host: '127.0.0.1', method, path: url, headers }, (answer) => {
      if (fate === 'lose') {
        answer.resume().on('end', () => outgoing.destroy());
        return;
      }
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(outgoing);
    });
    passed.on('error', () => outgoing.destroy());
    incoming.pipe(passed);
  });
  await new Promise<void>((resolve) => server.listen(own, '127.0.0.1', resolve));
  return Object.assign(proxy, {
    close: () => {
      server.closeAllConnections();
      return new Promise<void>((resolve) => server.close(() => resolve()));
    },
  });
}

describe.skipIf(!s3Server())('a bucket', () => {
  let bucket: TestBucket;
  let http: HttpProxy;
  let tcp: TcpProxy;
  let store: string;
  let round = 0;
  beforeAll(async () => {
    bucket = await startBucket();
  });
  afterAll(() => bucket?.stop());
  beforeEach(async () => {
    store = `s3://test/faults-${round++}`;
    http = await startHttpProxy(bucket.port);
    tcp = await startProxy(() => bucket.port);
  });
  afterEach(async () => {
    await http.close();
    await tcp.close();
  });

  async function open(changes: Partial<StoreSettings> = {}): Promise<BucketStores> {
    const stores = await openStores(bucket.settings(emptyDisk(), { store, ...changes }));
    onTestFinished(() => stores.close());
    return stores as BucketStores;
  }
  const registryOf = ({ versions }: BucketStores) => Registry.open(versions, { orphanAgeMs: 'never' });
  const viaTcp = () => ({ s3Endpoint: `http://127.0.0.1:${tcp.port}` });
  const viaHttp = () => ({ s3Endpoint: http.endpoint });

  it('that answers 503 every third time is asked again, and nothing is lost', async () => {
    let count = 0;
    http.fate = () => (++count % 3 === 0 ? 'busy' : 'pass');
    const registry = await registryOf(await open(viaHttp()));
    const manifest = await registry.publish('busy', publicationOf('job'));
    await registry.setAlias('busy', 'stable', manifest.version);
    const other = await registryOf(await open());
    expect(await other.resolve('busy:stable')).toEqual(manifest);
  });

  it('whose answers get lost publishes exactly once', async () => {
    let lost = 0;
    http.fate = (method, path) => (method === 'PUT' && path.includes('/groups/') && lost++ === 0 ? 'lose' : 'pass');
    const registry = await registryOf(await open(viaHttp()));
    expect((await registry.publish('lost', publicationOf('job'))).version).toBe(1);
    expect(lost).toBeGreaterThan(1);
    expect((await (await registryOf(await open())).getModel('lost')).versions).toHaveLength(1);
  });

  it('that is full says storage-full, and shows nothing of what did not fit', async () => {
    const registry = await registryOf(await open(viaHttp()));
    await registry.publish('full', publicationOf('first'));
    http.fate = (method) => (method === 'PUT' ? 'full' : 'pass');
    const weights = new Uint8Array(randomBytes(50_000));
    const second = { ...publicationOf('second'), files: { 'weights.safetensors': weights } };
    await expect(registry.publish('full', second)).rejects.toMatchObject({ code: 'storage-full' });
    http.fate = () => 'pass';
    expect((await (await registryOf(await open())).getModel('full')).versions).toHaveLength(1);
    expect((await registry.publish('full', second)).version).toBe(2);
  });

  it('that refuses the credentials, or does not exist, says so without its name or keys', async () => {
    const key = process.env.AWS_SECRET_ACCESS_KEY;
    process.env.AWS_SECRET_ACCESS_KEY = 'wrong';
    const stores = await open();
    const refused = await stores.ping().catch((error: unknown) => error);
    process.env.AWS_SECRET_ACCESS_KEY = key;
    expect(refused).toMatchObject({ code: 'storage-unavailable', facts: { retryAfter: 5 } });
    expect((refused as Error).message).toMatch(/refuses the credentials/);
    const missing = await (await open({ store: 's3://nowhere/x' })).ping().catch((error: unknown) => error);
    expect(missing).toMatchObject({ code: 'storage-unavailable' });
    expect((missing as Error).message).toMatch(/does not exist/);
    for (const error of [refused, missing]) expect((error as Error).message).not.toMatch(/nowhere|test|wrong/);
  });

  it('that hangs keeps nobody waiting who has seen the model before', async () => {
    const stores = await open({ ...viaTcp(), storeRefreshMs: 0 });
    const registry = await registryOf(stores);
    const manifest = await registry.publish('seen', publicationOf('job'));
    expect(await registry.resolve('seen')).toEqual(manifest);
    expect(await registry.listModels()).toEqual(['seen']);
    tcp.stall();
    // The first one notices; from then on the bucket is left alone for a while.
    for (let i = 0; i < 200; i++) expect(await registry.resolve('seen')).toEqual(manifest);
    expect(await registry.listModels()).toEqual(['seen']);
    expect((await registry.readFile(manifest, 'encoder.onnx')).length).toBeGreaterThan(0);
    tcp.flow();
    await (await registryOf(await open())).publish('seen', publicationOf('next'));
    await expect.poll(async () => (await registry.resolve('seen')).version, { timeout: 60_000 }).toBe(2);
  }, 120_000);

  it('that goes away in the middle of a publication shows all of it or nothing', async () => {
    const outcomes = new Set<string>();
    for (let fatal = 1; fatal <= 6; fatal++) {
      const name = `cut-${fatal}`;
      let puts = 0;
      http.fate = (method) => (method === 'PUT' && ++puts >= fatal ? 'busy' : 'pass');
      const weights = { 'weights.safetensors': new Uint8Array(randomBytes(20_000)), 'other.bin': randomBytes(20_000) };
      const publication = { ...publicationOf(name), files: weights };
      const registry = await registryOf(await open(viaHttp()));
      const outcome = await registry.publish(name, publication).then(
        () => 'published',
        (error) => error.code as string,
      );
      outcomes.add(outcome);
      const seen = await registryOf(await open());
      if (outcome === 'published') {
        for (const [file, content] of Object.entries(weights)) {
          const bytes = await seen.readFile(await seen.resolve(name), file);
          expect(Buffer.compare(bytes, content)).toBe(0);
        }
      } else {
        await expect(seen.resolve(name)).rejects.toMatchObject({ code: 'model-not-found' });
      }
    }
    expect([...outcomes].sort()).toEqual(['published', 'storage-unavailable']);
  });

  it('costs one small request for all models as long as nothing changes, and none within the hold time', async () => {
    const writer = await registryOf(await open());
    for (const name of ['a', 'b', 'c']) await writer.publish(name, publicationOf(name));
    const stores = await open({ storeRefreshMs: 300 });
    const registry = await registryOf(stores);
    for (const name of ['a', 'b', 'c']) await registry.resolve(name);
    const { requests } = stores.bucket;
    await new Promise((resolve) => setTimeout(resolve, 400));
    const before = { ...requests };
    for (let i = 0; i < 50; i++) for (const name of ['a', 'b', 'c']) await registry.resolve(name);
    expect(requests.list).toBe(before.list);
    expect(requests.get - before.get).toBeLessThanOrEqual(2);
    await writer.publish('b', publicationOf('b2'));
    await expect.poll(async () => (await registry.resolve('b')).version).toBe(2);
    expect(requests.list - before.list).toBe(1);
  });

  it('shows the very first version to who has looked before, in lists and by its name', async () => {
    const store = `s3://test/${randomUUID()}`;
    const registry = await registryOf(await open({ store, storeRefreshMs: 50 }));
    expect(await registry.listModels()).toEqual([]);
    await expect(registry.resolve('a')).rejects.toMatchObject({ code: 'model-not-found' });
    await new Promise((resolve) => setTimeout(resolve, 100));
    // With the log of changes asked once, before there is one.
    expect(await registry.listModels()).toEqual([]);
    await (await registryOf(await open({ store }))).publish('a', publicationOf('a'));
    await expect.poll(() => registry.listModels()).toEqual(['a']);
    expect((await registry.resolve('a')).version).toBe(1);
  });
});
