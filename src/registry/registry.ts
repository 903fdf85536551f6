/**
 * Published models: immutable versions with numbers 1, 2, 3 … that are never given twice, and aliases that move. The
 * versions of a model are a log: a version is appended by claiming the next number in one atomic step, and only by someone
 * who has seen all numbers before it. That is why a job can never publish two versions, whoever runs it, and needs no lock.
 */

import { defaultTenant } from '../base/caller.ts';
import { HourglassError } from '../base/errors.ts';
import type { BlobStore } from '../store/contract.ts';
import { type AliasChange, appendHistory } from './alias-history.ts';
import type { DeleteOptions, OpenFile, Publication } from './contract.ts';
import { versionOfJob } from './job-version.ts';
import { type FileEntry, type Manifest, type ModelView, manifestSchemaVersion } from './manifest.ts';
import {
  aliasNote,
  aliasTarget,
  deletedNote,
  deletedThroughNote,
  liveTarget,
  ModelIndex,
  type ModelState,
  refuseInUse,
  requireLive,
  sharedNote,
} from './model-index.ts';
import { checkAlias, checkName, parseReference } from './reference.ts';
import { checked, entryOf, notForSharing, readOnly, sameOrRefuse, VerifiedFiles } from './registry-checks.ts';
import {
  checksumBytes,
  checksumFile,
  corrupt,
  manifestBytes,
  manifestFile,
  ownFiles,
  sha256,
} from './version-files.ts';

export type { DeleteOptions, OpenFile, Publication } from './contract.ts';

export interface RegistryOptions {
  /** Leftovers of crashed publishers are removed at start when they are older; default 24 h. `never`: see `collect`. */
  readonly orphanAgeMs?: number | 'never';
  /** models whose state is kept in memory; default 1000 */
  readonly maxModels?: number;
  /** whose; default: the tenant `default` */
  readonly tenant?: string;
  /** Models that are shared there are read here as well, read-only, unless this registry has one of that name. */
  readonly lender?: Registry;
}

export class Registry {
  readonly #store: BlobStore;
  readonly #verified = new VerifiedFiles();
  readonly #index: ModelIndex;
  readonly tenant: string;
  readonly #lender: Registry | undefined;
  /** manifests of models that are not its own */
  readonly #borrowed = new WeakSet<Manifest>();
  #revision = 0;

  private constructor(store: BlobStore, { maxModels = 1000, tenant = defaultTenant, lender }: RegistryOptions) {
    this.#store = store;
    this.#index = new ModelIndex(store, maxModels);
    this.tenant = tenant;
    this.#lender = lender;
  }

  /** Counts what this process publishes, names and deletes: what was resolved before a change must be resolved again. */
  get revision(): number {
    return this.#revision + (this.#lender?.revision ?? 0);
  }

  static async open(store: BlobStore, options: RegistryOptions = {}): Promise<Registry> {
    const registry = new Registry(store, options);
    // what cannot be removed, such as on a read-only disk, does not keep models from being served
    const { orphanAgeMs = 24 * 3600 * 1000 } = options;
    if (orphanAgeMs !== 'never') await registry.collect(orphanAgeMs).catch(() => {});
    return registry;
  }

  /**
   * Publishes the next version, all of it or nothing. A job (`meta.lineage.jobId`) has one version: publishing the same
   * files again returns it, also after it was deleted; other files throw `version-exists`. Throws `storage-full`.
   */
  async publish(name: string, { files, meta }: Publication): Promise<Manifest> {
    checkName(name);
    const own = ownFiles.find((file) => file in files);
    if (own) throw new TypeError(`${own} is written by the registry`);
    const stage = await this.#store.stage();
    try {
      const entries: FileEntry[] = [];
      for (const [path, source] of Object.entries(files)) entries.push(await stage.write(path, source));
      for (let tried = 0; ; ) {
        const state = await this.#index.fresh(name);
        const earlier = await versionOfJob(this.#index, state, meta.lineage.jobId);
        if (earlier) return sameOrRefuse(earlier, entries);
        const version = (state.all.at(-1) ?? 0) + 1;
        if (version === tried) throw new Error(`${name}@${version} is neither there nor free`);
        tried = version;
        const createdAt = new Date().toISOString();
        const manifest = { schema: manifestSchemaVersion, name, version, createdAt, ...meta, files: entries } as const;
        const manifestEntry = await stage.write(manifestFile, manifestBytes(manifest));
        await stage.write(checksumFile, checksumBytes([...entries, manifestEntry]));
        if (await stage.commit(name, String(version))) {
          this.#revision++;
          return manifest;
        }
      }
    } finally {
      await stage.discard();
    }
  }

  /** The version that a job published, if it did; also when that was deleted since. */
  async versionOfJob(name: string, jobId: string): Promise<Manifest | undefined> {
    return versionOfJob(this.#index, await this.#index.fresh(checkName(name)), jobId);
  }

  /**
   * Finds the version that a reference names. The newest version whose manifest can be read stands for the bare name, but
   * for those in `except`. Throws `invalid-reference`, `model-not-found`, `version-not-found`, `model-corrupt`,
   * `unsupported-schema`.
   */
  async resolve(text: string, except?: ReadonlySet<number>): Promise<Manifest> {
    const reference = parseReference(text);
    const { name } = reference;
    const lender = this.#lender && (await this.#lenderOf(name));
    if (lender) {
      const manifest = await lender.resolve(text, except);
      this.#borrowed.add(manifest);
      return manifest;
    }
    switch (reference.kind) {
      case 'newest':
        return this.#newest(await this.#live(name), except);
      case 'version':
        await this.#live(name, reference.version);
        return this.#index.manifest(name, reference.version);
      case 'alias': {
        const { alias } = reference;
        const seen = await this.#live(name);
        const state = seen.aliases.has(alias) ? seen : await this.#index.fresh(name);
        return this.#index.manifest(name, liveTarget(state, alias));
      }
      default:
        return reference satisfies never;
    }
  }

  /** Whose version it is: the tenant's own, or one that it only reads. */
  ownerOf(manifest: Manifest): string {
    return this.#lender && this.#borrowed.has(manifest) ? this.#lender.ownerOf(manifest) : this.tenant;
  }

  /** The registry that a name means when it is not one of its own. */
  async #lenderOf(name: string): Promise<Registry | undefined> {
    if (!this.#lender || (await this.#index.hasLive(name))) return undefined;
    return (await this.#lender.#shares(name)) ? this.#lender : undefined;
  }

  async #shares(name: string): Promise<boolean> {
    return (await this.#index.state(name)).isShared;
  }

  /** The state of a model of its own, as of now. Throws `model-read-only` for one that it only reads. */
  async #writable(name: string): Promise<ModelState> {
    const state = await this.#index.fresh(name);
    if (state.live.length === 0 && (await this.#lenderOf(name))) throw readOnly(name);
    return state;
  }

  /** What is not there as last seen may have been published since. Throws `model-not-found`, `version-not-found`. */
  async #live(name: string, version?: number): Promise<ModelState> {
    const seen = await this.#index.state(name);
    if (version === undefined ? seen.live.length > 0 : seen.live.includes(version)) return seen;
    const state = await this.#index.fresh(name);
    requireLive(state, version);
    return state;
  }

  /** A file of a version, whole and equal to its checksum. Throws `file-not-found`, `model-corrupt`, `version-not-found`. */
  async readFile(manifest: Manifest, path: string): Promise<Uint8Array<ArrayBuffer>> {
    if (this.#lender && this.#borrowed.has(manifest)) return this.#lender.readFile(manifest, path);
    const { name, version } = manifest;
    const entry = entryOf(manifest, path);
    const bytes = await this.#store.read(name, String(version), path);
    if (bytes?.length === entry.bytes && (await sha256(bytes)) === entry.sha256) return bytes;
    if (!bytes) requireLive(await this.#index.fresh(name), version);
    throw corrupt(`The file ${path} of ${name}@${version}`);
  }

  /**
   * As `readFile`, but never as a whole in memory. Its checksum is compared when it is opened for the first time, and again
   * while it is read.
   */
  async openFile(manifest: Manifest, path: string): Promise<OpenFile> {
    if (this.#lender && this.#borrowed.has(manifest)) return this.#lender.openFile(manifest, path);
    const { name, version } = manifest;
    const entry = entryOf(manifest, path);
    const damaged = (): HourglassError => corrupt(`The file ${path} of ${name}@${version}`);
    const blob = await this.#store.open(name, String(version), path);
    if (!blob) {
      requireLive(await this.#index.state(name), version);
      throw damaged();
    }
    try {
      if (blob.bytes !== entry.bytes) throw damaged();
      await this.#verified.once(`${name}/${version}/${path}/${blob.stamp}`, async () => {
        for await (const _ of checked(blob, entry, damaged));
      });
      return { entry, chunks: () => checked(blob, entry, damaged), close: () => blob.close() };
    } catch (error) {
      await blob.close();
      throw error;
    }
  }

  /** names of all models, sorted; with those that are only read here */
  async listModels(): Promise<readonly string[]> {
    const own = await this.#ownModels();
    if (!this.#lender) return own;
    const lender = this.#lender;
    const names = (await lender.listModels()).filter((name) => !own.includes(name));
    const shared = await Promise.all(names.map((name) => lender.#shares(name)));
    return [...own, ...names.filter((_, i) => shared[i])].sort();
  }

  async #ownModels(): Promise<readonly string[]> {
    const folders = [...(await this.#store.folders())].sort();
    const live = await Promise.all(folders.map((name) => this.#index.hasLive(name)));
    return folders.filter((_, i) => live[i]);
  }

  /** Versions whose manifest is damaged are left out. Throws `model-not-found`, `invalid-reference`. */
  async getModel(name: string): Promise<ModelView> {
    const lender = await this.#lenderOf(checkName(name));
    if (lender) {
      const view = await lender.getModel(name);
      for (const manifest of view.versions) this.#borrowed.add(manifest);
      // Whose keys have moved its aliases is not for others.
      return { ...view, aliasChanges: [] };
    }
    const state = await this.#live(name);
    const read = await Promise.allSettled(state.live.map((version) => this.#index.manifest(name, version)));
    const versions = read.filter((result) => result.status === 'fulfilled').map((result) => result.value);
    const aliases = Object.fromEntries([...state.aliases].filter(([, version]) => state.live.includes(version)));
    return {
      ...{ name, aliases, aliasChanges: [...state.aliasChanges], versions },
      ...(state.isShared && { isShared: true }),
    };
  }

  /**
   * Lets all other tenants read a model and predict with it, or no longer. Throws `model-not-found`, and `forbidden` for a
   * tenant whose models others cannot see: names would clash.
   */
  async share(name: string, isShared: boolean): Promise<void> {
    if (this.tenant !== defaultTenant) throw notForSharing();
    requireLive(await this.#index.fresh(checkName(name)));
    if (isShared) await this.#note(name, sharedNote, new Date().toISOString());
    else await this.#unnote(name, sharedNote);
  }

  /**
   * Points an alias at a version and records who did so (`Caller.subject`). Throws `model-not-found`, `version-not-found`,
   * `invalid-reference`, `storage-full`.
   */
  async setAlias(name: string, alias: string, version: number, by?: string): Promise<void> {
    checkAlias(alias);
    const state = await this.#writable(checkName(name));
    requireLive(state, version);
    await this.#note(name, aliasNote(alias), String(version));
    // Race with deletion: it marks, then checks aliases; we write the alias, then check the mark. At least one sees the other.
    const now = await this.#index.fresh(name);
    const before = state.aliases.get(alias);
    if (now.live.includes(version)) {
      if (before !== version) await this.#record(name, [{ alias, version }], by);
      return;
    }
    // Only if nobody has moved the alias since.
    if (before === undefined) await this.#unnote(name, aliasNote(alias), String(version));
    else await this.#note(name, aliasNote(alias), String(before), String(version));
    requireLive(now, version);
  }

  /** Throws `model-not-found`, `version-not-found`, `invalid-reference`. */
  async deleteAlias(name: string, alias: string, by?: string): Promise<void> {
    const state = await this.#writable(checkName(name));
    requireLive(state);
    aliasTarget(state, checkAlias(alias));
    await this.#unnote(name, aliasNote(alias));
    await this.#record(name, [{ alias }], by);
  }

  async #record(name: string, changes: readonly Pick<AliasChange, 'alias' | 'version'>[], by = 'anybody') {
    const at = new Date().toISOString();
    await appendHistory(
      this.#store,
      name,
      changes.map((change) => ({ ...change, at, by })),
    );
    this.#revision++;
  }

  /**
   * Throws `model-not-found`, `version-not-found`, `version-in-use` while an alias points at it, `frames-expected` without
   * `force` when devices can have its encoder: no other version decodes what they send.
   */
  async deleteVersion(name: string, version: number, { force = false }: DeleteOptions = {}): Promise<void> {
    const state = await this.#writable(checkName(name));
    requireLive(state, version);
    refuseInUse(state, version);
    if (!force) await this.#refuseFrames(name, [version]);
    await this.#note(name, deletedNote(version), new Date().toISOString());
    try {
      refuseInUse(await this.#index.fresh(name), version);
    } catch (error) {
      await this.#unnote(name, deletedNote(version));
      throw error;
    }
    await this.#store.prune(name, String(version), ownFiles);
  }

  /**
   * Deletes all versions and aliases at once; the numbers stay taken. Throws `model-not-found`, and `frames-expected` as
   * `deleteVersion` does.
   */
  async deleteModel(name: string, { force = false, by }: DeleteOptions = {}): Promise<void> {
    const state = await this.#writable(checkName(name));
    requireLive(state);
    if (!force) await this.#refuseFrames(name, state.live);
    await this.#note(name, deletedThroughNote(state.all.at(-1) ?? 0), new Date().toISOString());
    if (state.isShared) await this.#unnote(name, sharedNote);
    for (const alias of state.aliases.keys()) await this.#unnote(name, aliasNote(alias));
    const removed = [...state.aliases.keys()].map((alias) => ({ alias }));
    if (removed.length > 0) await this.#record(name, removed, by);
    for (const version of state.live) await this.#store.prune(name, String(version), ownFiles);
  }

  async #note(...note: Parameters<BlobStore['setNote']>): Promise<void> {
    await this.#store.setNote(...note);
    this.#revision++;
  }

  async #unnote(...note: Parameters<BlobStore['deleteNote']>): Promise<void> {
    await this.#store.deleteNote(...note);
    this.#revision++;
  }

  /** Removes what publishers and deletions that crashed left behind. */
  async collect(ageMs: number): Promise<void> {
    await this.#store.sweep(ageMs);
    const limit = Date.now() - ageMs;
    for (const name of await this.#store.folders()) {
      const { notes } = await this.#store.list(name);
      const { all, live } = await this.#index.state(name);
      // a younger mark may be of a deletion that is still deciding
      const marks = notes.filter((note) => note.startsWith('deleted'));
      const times = await Promise.all(marks.map((mark) => this.#store.readNote(name, mark)));
      if (times.some((time) => !(Date.parse(time ?? '') < limit))) continue;
      for (const version of all) if (!live.includes(version)) await this.#store.prune(name, String(version), ownFiles);
    }
  }

  /** Throws `frames-expected`. A version whose manifest cannot be read decodes nothing any more. */
  async #refuseFrames(name: string, versions: readonly number[]): Promise<void> {
    const read = await Promise.allSettled(versions.map((version) => this.#index.manifest(name, version)));
    const found = read.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    const coded = found.filter(({ codec, picture }) => codec ?? picture);
    if (coded.length === 0) return;
    const names = coded.map(({ version }) => `${name}@${version}`);
    throw new HourglassError(
      'frames-expected',
      `Devices may still send frames of ${names.join(', ')}, which nothing else decodes. Delete with force when none will come.`,
      { field: 'force', expected: true, found: coded.map(({ version }) => version) },
    );
  }

  async #newest({ name, live }: ModelState, except?: ReadonlySet<number>): Promise<Manifest> {
    let first: unknown;
    for (const version of live.toReversed()) {
      if (except?.has(version)) continue;
      try {
        return await this.#index.manifest(name, version);
      } catch (error) {
        if (!(error instanceof HourglassError)) throw error;
        first ??= error;
      }
    }
    throw first ?? corrupt(`Every version of ${name}`);
  }
}
