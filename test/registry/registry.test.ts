// What the registry promises: numbers never given twice, one version per job, aliases, deletion, and that a second
// registry on the same store (another process) sees it all at once.

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { newJobId } from '../../src/jobspec/job-id.ts';
import { Registry } from '../../src/registry/registry.ts';
import { FolderBlobs } from '../../src/store/folder/blobs.ts';
import { codeOf, openRegistry, publicationOf, tempRoot } from './publications.ts';

async function twoRegistries() {
  const root = tempRoot();
  return { root, registry: await openRegistry(root), gateway: await openRegistry(root) };
}

describe('publishing', () => {
  it('writes a manifest with the checksum of every file', async () => {
    const { root, registry, gateway } = await twoRegistries();
    const publication = publicationOf('job-1');
    const manifest = await registry.publish('digits', publication);
    expect(manifest).toMatchObject({ schema: 1, name: 'digits', version: 1, ...publication.meta });
    expect(Date.parse(manifest.createdAt)).toBeLessThanOrEqual(Date.now());
    for (const { path: file, bytes, sha256 } of manifest.files) {
      const content = publication.files[file]!;
      expect(bytes).toBe(content.length);
      expect(sha256).toBe(createHash('sha256').update(content).digest('hex'));
      expect(Buffer.compare(await gateway.readFile(manifest, file), content)).toBe(0);
    }
    expect(await gateway.resolve('digits')).toEqual(manifest);
    // other tools can check a version as well
    execFileSync('sha256sum', ['--check', '--strict', 'SHA256SUMS'], {
      cwd: path.join(root, 'models/digits/1'),
      stdio: 'ignore',
    });
    expect(readdirSync(path.join(root, 'staging'))).toEqual([]);
  });

  it('numbers versions 1, 2, 3 by model', async () => {
    const { registry } = await twoRegistries();
    for (const version of [1, 2, 3]) {
      expect((await registry.publish('digits', publicationOf())).version).toBe(version);
    }
    expect((await registry.publish('faces', publicationOf())).version).toBe(1);
    expect(await registry.listModels()).toEqual(['digits', 'faces']);
  });

  it('gives a job one version: the same again returns it, anything else is refused', async () => {
    const { registry, gateway } = await twoRegistries();
    const first = await registry.publish('digits', publicationOf('job-1'));
    await registry.publish('digits', publicationOf('job-2'));
    expect(await gateway.publish('digits', publicationOf('job-1'))).toEqual(first);
    const other = { ...publicationOf('job-1'), files: { 'encoder.onnx': Buffer.from('other') } };
    expect(await codeOf(gateway.publish('digits', other))).toBe('version-exists');
    expect(await gateway.versionOfJob('digits', 'job-1')).toEqual(first);
    expect(await gateway.versionOfJob('digits', 'job-3')).toBeUndefined();
    expect((await gateway.getModel('digits')).versions.map((v) => v.version)).toEqual([1, 2]);
  });

  it('reads no long history to see whether a job has published', async () => {
    const root = tempRoot();
    const writer = await openRegistry(root);
    for (let i = 0; i < 40; i++) await writer.publish('digits', publicationOf(newJobId()));
    const store = await FolderBlobs.open(root);
    let reads = 0;
    const read = store.read.bind(store);
    store.read = (...blob) => {
      reads++;
      return read(...blob);
    };
    const registry = await Registry.open(store, { orphanAgeMs: 'never' });
    const twoDays = 48 * 3600 * 1000;
    expect(await registry.versionOfJob('digits', newJobId(Date.now() + twoDays))).toBeUndefined();
    expect(reads).toBeLessThanOrEqual(32);
    // One that was submitted before the oldest version may be any of them.
    const early = newJobId(Date.now() - twoDays);
    const first = await writer.publish('faces', publicationOf(early));
    for (let i = 0; i < 20; i++) await writer.publish('faces', publicationOf(newJobId()));
    expect(await registry.versionOfJob('faces', early)).toEqual(first);
  });

  it('refuses names that are not allowed, and files that are its own', async () => {
    const { registry } = await twoRegistries();
    expect(await codeOf(registry.publish('../x', publicationOf()))).toBe('invalid-reference');
    for (const file of ['manifest.json', 'SHA256SUMS', '../x', 'a/b', '.hidden', '']) {
      const publication = { ...publicationOf(), files: { [file]: Buffer.from('x') } };
      await expect(registry.publish('digits', publication)).rejects.toThrow(TypeError);
    }
    expect(await registry.listModels()).toEqual([]);
  });
});

describe('resolving', () => {
  it('finds the newest, a version, an alias, and passes over exceptions', async () => {
    const { registry, gateway } = await twoRegistries();
    for (const job of ['a', 'b', 'c']) await registry.publish('digits', publicationOf(job));
    await registry.setAlias('digits', 'stable', 2);
    expect((await gateway.resolve('digits')).version).toBe(3);
    expect((await gateway.resolve('digits@1')).version).toBe(1);
    expect((await gateway.resolve('digits:stable')).version).toBe(2);
    expect((await gateway.resolve('digits', new Set([3]))).version).toBe(2);
    expect((await gateway.resolve('digits@3', new Set([3]))).version).toBe(3);
    expect(await codeOf(gateway.resolve('digits', new Set([1, 2, 3])))).toBe('model-corrupt');
  });

  it('says what is missing', async () => {
    const { registry } = await twoRegistries();
    await registry.publish('digits', publicationOf());
    expect(await codeOf(registry.resolve('faces'))).toBe('model-not-found');
    expect(await codeOf(registry.resolve('faces@1'))).toBe('model-not-found');
    expect(await codeOf(registry.resolve('digits@2'))).toBe('version-not-found');
    expect(await codeOf(registry.resolve('digits:stable'))).toBe('version-not-found');
    expect(await codeOf(registry.resolve('Digits'))).toBe('invalid-reference');
    expect(await codeOf(registry.readFile(await registry.resolve('digits'), 'x.onnx'))).toBe('file-not-found');
  });

  it('sees changes of another process at once, also within one tick of the clock', async () => {
    const { root, registry, gateway } = await twoRegistries();
    for (let version = 1; version <= 30; version++) {
      await registry.publish('digits', publicationOf());
      expect((await gateway.resolve('digits')).version).toBe(version);
      await registry.setAlias('digits', 'stable', version);
      expect((await gateway.resolve('digits:stable')).version).toBe(version);
      // makes the directory look old, so that the next change meets a remembered state
      const past = new Date(Date.now() - 60_000 + version);
      utimesSync(path.join(root, 'models/digits'), past, past);
      await gateway.resolve('digits');
    }
  });

  it('answers many questions at once', async () => {
    const { registry, gateway } = await twoRegistries();
    await registry.publish('digits', publicationOf());
    const answers = await Promise.all(Array.from({ length: 200 }, () => gateway.resolve('digits')));
    expect(new Set(answers.map((manifest) => manifest.version))).toEqual(new Set([1]));
  });

  it('remembers a bounded number of models', async () => {
    const root = tempRoot();
    const registry = await openRegistry(root, { maxModels: 2 });
    for (const name of ['a', 'b', 'c']) await registry.publish(name, publicationOf());
    for (const name of ['a', 'b', 'c', 'a']) expect((await registry.resolve(name)).name).toBe(name);
  });
});

describe('aliases', () => {
  it('move and go', async () => {
    const { registry, gateway } = await twoRegistries();
    await registry.publish('digits', publicationOf());
    await registry.publish('digits', publicationOf());
    await registry.setAlias('digits', 'stable', 1, 'key:ann');
    await gateway.setAlias('digits', 'stable', 2, 'key:ben');
    await gateway.setAlias('digits', 'stable', 2, 'key:ann'); // it is there already
    await registry.setAlias('digits', 'canary', 2);
    expect((await registry.getModel('digits')).aliases).toEqual({ stable: 2, canary: 2 });
    await registry.deleteAlias('digits', 'stable', 'key:ann');
    const { aliases, aliasChanges } = await gateway.getModel('digits');
    expect(aliases).toEqual({ canary: 2 });
    expect(aliasChanges.map(({ at: _, ...change }) => change)).toEqual([
      { alias: 'stable', version: 1, by: 'key:ann' },
      { alias: 'stable', version: 2, by: 'key:ben' },
      { alias: 'canary', version: 2, by: 'anybody' },
      { alias: 'stable', by: 'key:ann' },
    ]);
    expect(aliasChanges.map(({ at }) => Date.parse(at)).every(Number.isFinite)).toBe(true);
  });

  it('keep their newest hundred changes, also past a deletion of the model', async () => {
    const { registry } = await twoRegistries();
    for (let version = 0; version < 2; version++) await registry.publish('digits', publicationOf());
    for (let i = 0; i < 101; i++) await registry.setAlias('digits', 'stable', 1 + (i % 2), `key:${i}`);
    const { aliasChanges } = await registry.getModel('digits');
    expect(aliasChanges.map(({ by }) => by)).toEqual(Array.from({ length: 100 }, (_, i) => `key:${i + 1}`));
    await registry.deleteModel('digits', { force: true, by: 'key:ann' });
    await registry.publish('digits', publicationOf());
    expect((await registry.getModel('digits')).aliasChanges.at(-1)).toMatchObject({ alias: 'stable', by: 'key:ann' });
  });

  it('are refused where they cannot point', async () => {
    const { registry } = await twoRegistries();
    await registry.publish('digits', publicationOf());
    expect(await codeOf(registry.setAlias('digits', 'stable', 2))).toBe('version-not-found');
    expect(await codeOf(registry.setAlias('faces', 'stable', 1))).toBe('model-not-found');
    expect(await codeOf(registry.setAlias('digits', '1', 1))).toBe('invalid-reference');
    expect(await codeOf(registry.setAlias('digits', '../x', 1))).toBe('invalid-reference');
    expect(await codeOf(registry.deleteAlias('digits', 'stable'))).toBe('version-not-found');
    expect((await registry.getModel('digits')).aliases).toEqual({});
  });
});

describe('deletion', () => {
  it('is refused while an alias points at the version', async () => {
    const { registry, gateway } = await twoRegistries();
    await registry.publish('digits', publicationOf());
    await registry.setAlias('digits', 'stable', 1);
    expect(await codeOf(gateway.deleteVersion('digits', 1))).toBe('version-in-use');
    expect((await gateway.resolve('digits')).version).toBe(1);
    await registry.deleteAlias('digits', 'stable');
    await gateway.deleteVersion('digits', 1);
    expect(await codeOf(registry.resolve('digits'))).toBe('model-not-found');
  });

  it('is refused while frames may still arrive, unless it is forced', async () => {
    const { registry, gateway } = await twoRegistries();
    const { files, meta } = publicationOf('a');
    await registry.publish('digits', { files, meta: { ...meta, codec: { hash: 'ab'.repeat(32), qualities: [] } } });
    await registry.publish('digits', publicationOf('b'));
    expect(await codeOf(gateway.deleteVersion('digits', 1))).toBe('frames-expected');
    expect(await codeOf(gateway.deleteModel('digits'))).toBe('frames-expected');
    expect((await registry.getModel('digits')).versions.length).toBe(2);
    await gateway.deleteVersion('digits', 1, { force: true });
    await gateway.deleteModel('digits');
    expect(await codeOf(registry.resolve('digits'))).toBe('model-not-found');
  });

  it('frees the files but never the number', async () => {
    const { root, registry, gateway } = await twoRegistries();
    await registry.publish('digits', publicationOf('a'));
    const second = await registry.publish('digits', publicationOf('b'));
    await registry.deleteVersion('digits', 2);
    expect(readdirSync(path.join(root, 'models/digits/2')).sort()).toEqual(['SHA256SUMS', 'manifest.json']);
    expect((await gateway.resolve('digits')).version).toBe(1);
    expect(await codeOf(gateway.resolve('digits@2'))).toBe('version-not-found');
    expect(await codeOf(gateway.readFile(second, 'encoder.onnx'))).toBe('version-not-found');
    expect(await codeOf(gateway.deleteVersion('digits', 2))).toBe('version-not-found');
    expect((await registry.publish('digits', publicationOf('c'))).version).toBe(3);
    // a job that is delivered again after its version was deleted does not bring it back
    expect((await registry.publish('digits', publicationOf('b'))).version).toBe(2);
    expect((await registry.getModel('digits')).versions.map((v) => v.version)).toEqual([1, 3]);
  });

  it('of a model takes all versions and aliases, and numbering goes on', async () => {
    const { registry, gateway } = await twoRegistries();
    for (const job of ['a', 'b']) await registry.publish('digits', publicationOf(job));
    await registry.setAlias('digits', 'stable', 1);
    await gateway.deleteModel('digits');
    expect(await registry.listModels()).toEqual([]);
    expect(await codeOf(registry.getModel('digits'))).toBe('model-not-found');
    expect(await codeOf(registry.resolve('digits:stable'))).toBe('model-not-found');
    expect(await codeOf(registry.deleteModel('digits'))).toBe('model-not-found');
    expect((await registry.publish('digits', publicationOf('c'))).version).toBe(3);
    expect(await gateway.getModel('digits')).toMatchObject({ aliases: {}, versions: [{ version: 3 }] });
  });

  it('that crashed is finished at start, once it is old', async () => {
    const { root, registry } = await twoRegistries();
    await registry.publish('digits', publicationOf());
    const version = path.join(root, 'models/digits/1');
    const whole = readdirSync(version);
    writeFileSync(path.join(root, 'models/digits/deleted.1'), new Date(Date.now() - 5000).toISOString());
    await openRegistry(root, { orphanAgeMs: 60_000 });
    expect(readdirSync(version)).toEqual(whole);
    await openRegistry(root, { orphanAgeMs: 1000 });
    expect(readdirSync(version).sort()).toEqual(['SHA256SUMS', 'manifest.json']);
  });

  it('and an alias set at the same time never end in an alias to nothing', async () => {
    const { registry, gateway } = await twoRegistries();
    for (let round = 0; round < 20; round++) {
      const { version } = await registry.publish('digits', publicationOf());
      const [alias, deletion] = await Promise.all([
        codeOf(registry.setAlias('digits', 'stable', version)),
        codeOf(gateway.deleteVersion('digits', version)),
      ]);
      const { aliases, versions } = await registry.getModel('digits').catch(() => ({ aliases: {}, versions: [] }));
      const live = versions.some((manifest) => manifest.version === version);
      // both may lose, never both win
      const aliasWon = alias === 'fulfilled';
      expect(deletion).toBe(live ? 'version-in-use' : 'fulfilled');
      if (aliasWon) expect(live).toBe(true);
      else expect(alias).toMatch(/-not-found$/);
      expect('stable' in aliases).toBe(aliasWon);
      if (aliasWon) await registry.deleteAlias('digits', 'stable');
    }
  });
});
