/**
 * What is in each folder of models, as last seen. A look is believed for a moment, then confirmed by the log of changes, which is
 * one request for all folders. A folder is listed when it changed, when the caller must see the newest, and once in a while
 * because a writer may have died before it wrote to the log. While the bucket is away or slow, what was seen last stays true.
 */

import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { HourglassError } from '../../base/errors.ts';
import type { FileCache } from '../cache.ts';
import type { BucketClient, ListedObject } from './bucket.ts';
import type { ChangeLog } from './change-log.ts';
import { isUnavailable } from './errors.ts';

export interface FolderLook {
  /** ETags by name */
  readonly groups: ReadonlyMap<string, string>;
  readonly notes: ReadonlyMap<string, string>;
  /** differs when anything in the folder does */
  readonly stamp: string;
}

export interface FolderLooksOptions {
  readonly bucket: BucketClient;
  readonly cache: FileCache;
  readonly changes: ChangeLog;
  /** how long a look is believed */
  readonly holdMs: number;
}

/** What was seen, with the number of the event at which looking began. */
interface Seen<T> {
  readonly value: T;
  readonly began: number;
  readonly listAgainAt: number;
  until: number;
}

const root = 'models/';
const listAgainMs = 5 * 60_000;
/** A look that was seen before is good enough when the bucket takes longer than this. */
const patienceMs = 500;
/** The bucket is left alone for this long after it did not answer. */
const awayMs = 2000;
const maxFolders = 20_000;
const namesKey = 'names of models';
const lookKey = (folder: string): string => `model ${folder}`;

export class FolderLooks {
  readonly #options: FolderLooksOptions;
  readonly #seen = new Map<string, Seen<FolderLook>>();
  readonly #running = new Map<string, { readonly began: number; readonly look: Promise<FolderLook> }>();
  #names: Seen<Set<string>> | undefined;
  #scanning: Promise<Set<string>> | undefined;
  #prepared: Promise<void> | undefined;
  #check: { readonly done: Promise<void>; readonly until: number } | undefined;
  /** when the bucket last said what has changed, or what there is */
  #confirmedAt = performance.now();
  /** numbers the events: looks that begin, and calls of `mark` */
  #event = 0;
  /** until then the bucket is not asked, if something was seen before */
  #awayUntil = 0;
  #awayError: unknown;
  /** the last `mark` of each folder that was not listed since, and of all of them */
  readonly #changed = new Map<string, number>();
  #allChanged = 0;

  constructor(options: FolderLooksOptions) {
    this.#options = options;
  }

  /** Something changed in the folder (in any folder): what was seen before this call is not current. */
  mark(folder?: string): void {
    if (folder === undefined) this.#allChanged = ++this.#event;
    else this.#changed.set(folder, ++this.#event);
  }

  /** Since the bucket last confirmed what is believed of all folders. */
  ageMs(): number {
    return performance.now() - this.#confirmedAt;
  }

  /** Looks now. Throws `storage-unavailable`. */
  async refresh(folder: string): Promise<void> {
    this.mark(folder);
    try {
      await this.#list(folder);
    } catch (error) {
      // A client can make up any number of names: those that were never seen are not remembered.
      if (!this.#seen.has(folder)) this.#changed.delete(folder);
      throw error;
    }
  }

  /** Throws `storage-unavailable` when nothing was ever seen. */
  async at(folder: string): Promise<FolderLook> {
    const seen = this.#seen.get(folder);
    const isAway = performance.now() < this.#awayUntil;
    if (!seen && isAway) return this.#orRemembered(folder, this.#awayError);
    if (!seen) return this.#list(folder).catch((error) => this.#orRemembered(folder, error));
    if (isAway) return seen.value;
    if (this.#isCurrent(folder, seen)) {
      if (performance.now() < seen.until) return seen.value;
      await this.#patiently(this.#checkChanges(), undefined);
      if (this.#isCurrent(folder, seen)) {
        seen.until = this.#holdUntil();
        return seen.value;
      }
    }
    return this.#patiently(this.#list(folder), seen.value);
  }

  /** names of all folders, sorted */
  async folders(): Promise<readonly string[]> {
    const seen = this.#names;
    if (!seen) return this.#scan().then(sorted);
    const now = performance.now();
    if (now >= this.#awayUntil && now >= seen.until) {
      await this.#patiently(this.#checkChanges(), undefined);
      seen.until = this.#holdUntil();
    }
    if (performance.now() < this.#awayUntil) return sorted(seen.value);
    if (seen.began < this.#allChanged || performance.now() > seen.listAgainAt) {
      return sorted(await this.#patiently(this.#scan(), seen.value));
    }
    for (const folder of [...this.#changed.keys()]) await this.#patiently(this.#list(folder), undefined);
    return sorted(seen.value);
  }

  /** What the work gives; `instead` when the bucket is away or takes its time. */
  async #patiently<T>(work: Promise<T>, instead: T): Promise<T> {
    const patience = new AbortController();
    const late = delay(patienceMs, 'late' as const, { signal: patience.signal }).catch(() => 'late' as const);
    try {
      const first = await Promise.race([work, late]);
      if (first !== 'late') return first as T;
      work.catch(() => undefined);
    } catch (error) {
      if (!isUnavailable(error)) throw error;
      this.#noteAway(error);
      return instead;
    } finally {
      patience.abort();
    }
    this.#noteAway(
      new HourglassError('storage-unavailable', 'The bucket does not answer. Try again later.', { retryAfter: 5 }),
    );
    return instead;
  }

  async #orRemembered(folder: string, error: unknown): Promise<FolderLook> {
    if (!isUnavailable(error)) throw error;
    if (error !== this.#awayError) this.#noteAway(error);
    const last = await this.#remembered(folder);
    if (!last) throw error;
    return last;
  }

  #noteAway(error: unknown): void {
    this.#awayUntil = performance.now() + awayMs;
    this.#awayError = error;
  }

  #isCurrent(folder: string, { began, listAgainAt }: Seen<FolderLook>): boolean {
    const changed = Math.max(this.#changed.get(folder) ?? 0, this.#allChanged);
    return began > changed && performance.now() < listAgainAt;
  }

  /** One request for all who ask within `holdMs`. */
  #checkChanges(): Promise<void> {
    if (this.#check && performance.now() < this.#check.until) return this.#check.done;
    const began = performance.now();
    const done = this.#options.changes.changed().then((folders) => {
      this.#confirmedAt = began;
      if (folders === 'all') this.mark();
      else for (const folder of folders) this.mark(folder);
    });
    this.#check = { done, until: this.#holdUntil() };
    return done;
  }

  /**
   * Reads the log before the first listing, so that what is listed is not older than what the log says next. Where that fails, the
   * first look at the log that succeeds makes all folders be listed again.
   */
  #prepare(): Promise<void> {
    const done = (): void => undefined;
    this.#prepared ??= this.#options.changes.changed().then(done, done);
    return this.#prepared;
  }

  #list(folder: string): Promise<FolderLook> {
    const running = this.#running.get(folder);
    if (running && running.began > Math.max(this.#changed.get(folder) ?? 0, this.#allChanged)) return running.look;
    const began = ++this.#event;
    const look = this.#listNow(folder, began).finally(() => {
      if (this.#running.get(folder)?.look === look) this.#running.delete(folder);
    });
    this.#running.set(folder, { began, look });
    return look;
  }

  async #listNow(folder: string, began: number): Promise<FolderLook> {
    await this.#prepare();
    const objects: ListedObject[] = [];
    for await (const object of this.#options.bucket.list(`${root}${folder}/`)) objects.push(object);
    const look = lookOf(folder, objects);
    await this.#keep(folder, look, began);
    return look;
  }

  #scan(): Promise<Set<string>> {
    this.#scanning ??= this.#scanNow(++this.#event).finally(() => {
      this.#scanning = undefined;
    });
    return this.#scanning;
  }

  async #scanNow(began: number): Promise<Set<string>> {
    await this.#prepare();
    const startedAt = performance.now();
    const found = new Map<string, ListedObject[]>();
    try {
      for await (const object of this.#options.bucket.list(root)) {
        const folder = object.key.slice(root.length, object.key.indexOf('/', root.length));
        const objects = found.get(folder);
        if (objects) objects.push(object);
        else found.set(folder, [object]);
      }
    } catch (error) {
      const names = this.#names || !isUnavailable(error) ? undefined : await this.#rememberedNames();
      if (!names) throw error;
      return names;
    }
    this.#confirmedAt = startedAt;
    for (const [folder, objects] of found) await this.#keep(folder, lookOf(folder, objects), began);
    const value = new Set(found.keys());
    this.#names = { value, began, listAgainAt: performance.now() + jittered(listAgainMs), until: this.#holdUntil() };
    await this.#options.cache.putNamed(namesKey, Buffer.from(JSON.stringify([...value])));
    return value;
  }

  async #keep(folder: string, look: FolderLook, began: number): Promise<void> {
    const before = this.#seen.get(folder);
    if (before && before.began > began) return;
    this.#seen.delete(folder);
    const listAgainAt = performance.now() + jittered(listAgainMs);
    this.#seen.set(folder, { value: look, began, listAgainAt, until: this.#holdUntil() });
    const [oldest] = this.#seen.keys();
    if (this.#seen.size > maxFolders && oldest !== undefined) this.#seen.delete(oldest);
    if ((this.#changed.get(folder) ?? 0) < began) this.#changed.delete(folder);
    const isThere = look.groups.size + look.notes.size > 0;
    if (isThere) this.#names?.value.add(folder);
    else this.#names?.value.delete(folder);
    if (isThere && before?.value.stamp !== look.stamp) {
      const entries = [[...look.groups], [...look.notes]];
      await this.#options.cache.putNamed(lookKey(folder), Buffer.from(JSON.stringify(entries)));
    }
  }

  /** What this machine saw last, for a gateway that starts while the bucket is away. */
  async #remembered(folder: string): Promise<FolderLook | undefined> {
    const bytes = await this.#options.cache.getNamed(lookKey(folder));
    if (!bytes) return undefined;
    const [groups, notes] = JSON.parse(Buffer.from(bytes).toString()) as [string, string][][];
    return { groups: new Map(groups), notes: new Map(notes), stamp: stampOf([...(groups ?? []), ...(notes ?? [])]) };
  }

  async #rememberedNames(): Promise<Set<string> | undefined> {
    const bytes = await this.#options.cache.getNamed(namesKey);
    return bytes && new Set(JSON.parse(Buffer.from(bytes).toString()) as string[]);
  }

  #holdUntil(): number {
    return performance.now() + jittered(this.#options.holdMs);
  }
}

const sorted = (names: ReadonlySet<string>): readonly string[] => [...names].sort();

/** Many gateways start at the same time; they should not ask at the same time. */
const jittered = (ms: number): number => ms * (0.75 + 0.5 * Math.random());

function lookOf(folder: string, objects: readonly ListedObject[]): FolderLook {
  const entries = { groups: new Map<string, string>(), notes: new Map<string, string>() };
  for (const { key, etag } of objects) {
    const [kind, name] = key.slice(root.length + folder.length + 1).split('/');
    if ((kind === 'groups' || kind === 'notes') && name) entries[kind].set(name, etag);
  }
  return { ...entries, stamp: stampOf([...entries.groups, ...entries.notes]) };
}

const stampOf = (entries: readonly (readonly [string, string])[]): string =>
  createHash('sha256').update(JSON.stringify(entries)).digest('base64');
