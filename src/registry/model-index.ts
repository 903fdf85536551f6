/**
 * What a store says about one model: which versions are live, where aliases point. Kept in memory as long as the store's
 * stamp is the same, so that asking costs one look at a directory, or nothing where the store believes its last look.
 *
 *   notes   alias.<name> → version      deleted.<version>      deleted-through.<version> (the model was deleted)
 *           alias-history → who moved which alias when
 *           shared (other tenants may read it)
 */

import { HourglassError } from '../base/errors.ts';
import type { BlobStore, Listing } from '../store/contract.ts';
import { type AliasChange, historyNote, parseHistory } from './alias-history.ts';
import type { Manifest } from './manifest.ts';
import { checksumFile, manifestFile, parseManifest } from './version-files.ts';

const aliasPrefix = 'alias.';
const deletedThroughPrefix = 'deleted-through.';
export const sharedNote = 'shared';
export const aliasNote = (alias: string): string => `${aliasPrefix}${alias}`;
export const deletedNote = (version: number): string => `deleted.${version}`;
export const deletedThroughNote = (version: number): string => `${deletedThroughPrefix}${version}`;

export interface ModelState {
  readonly name: string;
  /** numbers of the live versions, ascending */
  readonly live: readonly number[];
  /** every number ever given, ascending: live and deleted */
  readonly all: readonly number[];
  /** where each alias points, also one left behind by a deletion that crashed */
  readonly aliases: ReadonlyMap<string, number>;
  /** oldest first */
  readonly aliasChanges: readonly AliasChange[];
  /** it is there and other tenants may read it */
  readonly isShared: boolean;
}

interface Known {
  stamp: string | undefined;
  state: ModelState;
  readonly manifests: Map<number, Promise<Manifest>>;
}

interface Look {
  readonly running: Promise<ModelState>;
  next?: Promise<ModelState>;
}

export class ModelIndex {
  readonly #store: BlobStore;
  readonly #maxModels: number;
  /** in order of use, the longest unused first */
  readonly #known = new Map<string, Known>();
  /** one running and at most one waiting look per model: a look that began before the question is not an answer */
  readonly #looks = new Map<string, Look>();

  constructor(store: BlobStore, maxModels: number) {
    this.#store = store;
    this.#maxModels = maxModels;
  }

  /** The model as of now, whatever other machines have just done to it. Throws `storage-unavailable`. */
  async fresh(name: string): Promise<ModelState> {
    await this.#store.refresh(name);
    return this.state(name);
  }

  /** Whether the model has a live version, as `state` would say; aliases are not read. */
  async hasLive(name: string): Promise<boolean> {
    const known = this.#known.get(name);
    if (known?.stamp !== undefined && known.stamp === (await this.#store.stamp(name)))
      return known.state.live.length > 0;
    return stateOf(name, await this.#store.list(name)).live.length > 0;
  }

  /** The model as the store sees it; without any version when it is unknown. */
  state(name: string): Promise<ModelState> {
    const look = this.#looks.get(name);
    if (!look) return this.#startLook(name);
    const start = () => this.#startLook(name);
    look.next ??= look.running.then(start, start);
    return look.next;
  }

  /** A live or deleted version's manifest. Throws `model-corrupt`, `unsupported-schema`. */
  manifest(name: string, version: number): Promise<Manifest> {
    const manifests = this.#known.get(name)?.manifests;
    const known = manifests?.get(version);
    if (known) return known;
    const reading = this.#readManifest(name, version);
    manifests?.set(version, reading);
    // A damaged file may be restored later: do not cache the failure.
    reading.catch(() => manifests?.delete(version));
    return reading;
  }

  #startLook(name: string): Promise<ModelState> {
    const look: Look = { running: this.#look(name) };
    this.#looks.set(name, look);
    const done = () => {
      if (!look.next) this.#looks.delete(name);
    };
    look.running.then(done, done);
    return look.running;
  }

  async #look(name: string): Promise<ModelState> {
    const known = this.#known.get(name);
    if (known?.stamp !== undefined && known.stamp === (await this.#store.stamp(name))) {
      this.#known.delete(name);
      this.#known.set(name, known);
      return known.state;
    }
    const listing = await this.#store.list(name);
    const [aliases, history] = await Promise.all([
      this.#readAliases(name, listing.notes),
      listing.notes.includes(historyNote) ? this.#store.readNote(name, historyNote) : undefined,
    ]);
    const state = { ...stateOf(name, listing), aliases, aliasChanges: parseHistory(history) };
    this.#known.delete(name);
    // names that do not exist are not remembered: a client can make up any number of them
    if (state.all.length > 0) {
      this.#known.set(name, { stamp: listing.stamp, state, manifests: known?.manifests ?? new Map() });
      const [oldest] = this.#known.keys();
      if (this.#known.size > this.#maxModels && oldest !== undefined) this.#known.delete(oldest);
    }
    return state;
  }

  async #readAliases(name: string, notes: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const aliases = new Map<string, number>();
    for (const note of notes) {
      if (!note.startsWith(aliasPrefix)) continue;
      const version = Number(await this.#store.readNote(name, note));
      // Not a number when the alias was deleted after it was listed.
      if (version > 0) aliases.set(note.slice(aliasPrefix.length), version);
    }
    return aliases;
  }

  async #readManifest(name: string, version: number): Promise<Manifest> {
    const group = String(version);
    const [bytes, checksums] = await Promise.all([
      this.#store.read(name, group, manifestFile),
      this.#store.read(name, group, checksumFile),
    ]);
    return parseManifest(name, version, bytes, checksums);
  }
}

function stateOf(name: string, { groups, notes }: Listing): Omit<ModelState, 'aliases' | 'aliasChanges'> {
  const all = groups
    .map(Number)
    .filter((n) => Number.isSafeInteger(n) && n > 0)
    .sort((a, b) => a - b);
  const marks = new Set(notes);
  const through = notes
    .filter((note) => note.startsWith(deletedThroughPrefix))
    .reduce((last, note) => Math.max(last, Number(note.slice(deletedThroughPrefix.length))), 0);
  const live = all.filter((n) => n > through && !marks.has(deletedNote(n)));
  return { name, live, all, isShared: live.length > 0 && marks.has(sharedNote) };
}

/** Throws `model-not-found`, or `version-not-found` when the model has other versions. */
export function requireLive(state: ModelState, version?: number): void {
  const { name, live } = state;
  if (live.length === 0) {
    throw new HourglassError(
      'model-not-found',
      `There is no model ${name}. GET /v1/models lists the models there are.`,
      {
        field: 'model',
        found: name,
      },
    );
  }
  if (version !== undefined && !live.includes(version)) {
    throw new HourglassError(
      'version-not-found',
      `${name} has no version ${version}; it has ${live.slice(-10).join(', ')}.`,
      { field: 'model', expected: live.slice(-10), found: version },
    );
  }
}

/** Throws `version-not-found`. */
export function aliasTarget({ name, aliases }: ModelState, alias: string): number {
  const version = aliases.get(alias);
  if (version !== undefined) return version;
  const there = [...aliases.keys()];
  throw new HourglassError(
    'version-not-found',
    `${name} has no alias ${alias}; it has ${there.length > 0 ? there.join(', ') : 'none'}.`,
    { field: 'model', expected: there, found: alias },
  );
}

/** Throws `version-not-found`. */
export function liveTarget(state: ModelState, alias: string): number {
  const version = aliasTarget(state, alias);
  requireLive(state, version);
  return version;
}

/** Throws `version-in-use`. */
export function refuseInUse({ name, aliases }: ModelState, version: number): void {
  const pointing = [...aliases].filter(([, target]) => target === version).map(([alias]) => alias);
  if (pointing.length === 0) return;
  throw new HourglassError(
    'version-in-use',
    `${name}@${version} is what ${pointing.join(', ')} points to. Move or delete the alias first.`,
    { found: pointing },
  );
}
