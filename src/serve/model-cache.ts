/**
 * Which version answers a reference, loaded. A new version takes over when it is in memory: whoever asks meanwhile waits a
 * moment for it, then gets the version before. A damaged version is set aside for a while; the bare name then means
 * the newest one that works, but `digits@2` and `digits:stable` mean exactly theirs and say that it is damaged.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { HourglassError } from '../base/errors.ts';
import type { Manifest } from '../registry/manifest.ts';
import { parseReference } from '../registry/reference.ts';
import type { Registry } from '../registry/registry.ts';
import type { ModelPool } from '../runtime/pool.ts';
import { pictureError, poolKeyOf, ServedModel } from './served-model.ts';

export interface ModelCacheOptions {
  readonly registry: Registry;
  readonly pool: ModelPool;
  /** how long a request waits for a new version while an earlier one could answer; default 1000 */
  readonly patienceMs?: number;
  /** a damaged version is tried again after this; default 60,000 */
  readonly setAsideMs?: number;
  readonly onLoad?: (model: string, seconds: number, error?: unknown) => void;
  readonly onSetAside?: (model: string, error: HourglassError) => void;
}

/** requests that wait for a new version together; beyond them the version before answers at once */
const maxPatient = 100;

/** How long a look at the registry counts as current for what other processes publish, name and delete. */
const freshMs = 50;
/** A reference that is still asked for after this is looked up again meanwhile, so that no request has to wait for that. */
const renewMs = 20;

/** references and versions remembered; a forgotten one is looked up and loaded again */
const maxRemembered = 1000;

interface Slot {
  readonly loading: Promise<ServedModel>;
  loaded?: ServedModel;
  /** requests that wait although the version before could answer them */
  patient: number;
}

interface Current {
  readonly model: ServedModel;
  /** when the look began */
  readonly since: number;
  /** `Registry.revision` then */
  readonly revision: number;
  /** the next look has begun */
  isRenewing?: boolean;
}

export class ModelCache {
  readonly #options: ModelCacheOptions;
  /** by `digits@2` */
  readonly #slots = new Map<string, Slot>();
  /** what a moving reference last gave */
  readonly #last = new Map<string, ServedModel>();
  readonly #damaged = new Map<string, { readonly until: number; readonly error: HourglassError }>();

  /** what references meant at the last look */
  readonly #current = new Map<string, Current>();

  constructor(options: ModelCacheOptions) {
    this.#options = options;
  }

  /** The manifest that a reference means now, without loading it. Throws what `Registry.resolve` throws. */
  async resolve(reference: string): Promise<Manifest> {
    const { kind, name } = parseReference(reference);
    const { registry } = this.#options;
    const look = { since: performance.now(), revision: registry.revision };
    const manifest = await registry.resolve(reference, kind === 'newest' ? this.#damagedVersions(name) : undefined);
    const model = this.#slots.get(keyOf(manifest))?.loaded;
    if (model) {
      // Whoever asks for the version goes on to ask it by its number.
      for (const known of new Set([reference, model.key])) remember(this.#current, known, { model, ...look });
    }
    return manifest;
  }

  /** The loaded version that a reference means, when that was looked up a moment ago and nothing has changed here since. */
  current(reference: string): ServedModel | undefined {
    const known = this.#current.get(reference);
    if (!known) return undefined;
    const age = performance.now() - known.since;
    if (known.revision !== this.#options.registry.revision || age >= freshMs) {
      this.#current.delete(reference);
      return undefined;
    }
    if (age >= renewMs && !known.isRenewing) {
      known.isRenewing = true;
      // What it finds counts from then on; when it fails, the next request finds out why.
      this.resolve(reference).catch(() => {});
    }
    return known.model;
  }

  /** Throws what `Registry.resolve` and `ServedModel.load` throw, and `operation-not-supported` for a version that takes pictures. */
  async get(reference: string): Promise<ServedModel> {
    const { kind } = parseReference(reference);
    let failure: unknown;
    for (;;) {
      const look = { since: performance.now(), revision: this.#options.registry.revision };
      // When no version is left, the reason why the newest failed says most.
      const manifest = await this.resolve(reference).catch((error) => Promise.reject(failure ?? error));
      // Its files take no rows: trying them would look like damage.
      const refusal = pictureError(manifest);
      if (refusal) throw refusal;
      try {
        const model = await this.#ready(manifest, this.#last.get(reference));
        if (kind !== 'version') remember(this.#last, reference, model);
        if (model.manifest.version === manifest.version) remember(this.#current, reference, { model, ...look });
        return model;
      } catch (error) {
        if (kind !== 'newest' || !isDamage(error)) throw error;
        failure ??= error;
      }
    }
  }

  /** Forgets a loaded version and frees its memory, after the runs that are queued. */
  async unload(manifest: Manifest): Promise<void> {
    const key = keyOf(manifest);
    if (!this.#slots.get(key)?.loaded) return;
    this.#forget(key);
    await this.#options.pool.unload(poolKeyOf(this.#options.registry, manifest));
  }

  #forget(key: string): void {
    this.#slots.delete(key);
    for (const [reference, last] of this.#last) if (last.key === key) this.#last.delete(reference);
    for (const [reference, { model: known }] of this.#current) if (known.key === key) this.#current.delete(reference);
  }

  /** Passes over a version for a while that answered with numbers that are not finite, or whose files turned out to be damaged. */
  setAside(manifest: Manifest, error: HourglassError): void {
    const key = keyOf(manifest);
    this.#forget(key);
    this.#markDamaged(key, error);
    // unload() waits for runs that are already queued.
    this.#options.pool.unload(poolKeyOf(this.#options.registry, manifest)).catch(() => {});
  }

  async #ready(manifest: Manifest, before: ServedModel | undefined): Promise<ServedModel> {
    const slot = this.#slot(manifest);
    if (slot.loaded) return slot.loaded;
    if (!before || before.manifest.version === manifest.version) return slot.loading;
    if (slot.patient >= maxPatient) return before;
    slot.patient++;
    const patience = new AbortController();
    const waited = sleep(this.#options.patienceMs ?? 1000, before, { signal: patience.signal });
    try {
      return await Promise.race([slot.loading, waited]);
    } finally {
      slot.patient--;
      patience.abort();
      waited.catch(() => {});
    }
  }

  #slot(manifest: Manifest): Slot {
    const key = keyOf(manifest);
    const known = this.#slots.get(key);
    if (known) return known;
    const slot: Slot = { loading: this.#load(manifest, key), patient: 0 };
    remember(this.#slots, key, slot);
    slot.loading.then(
      (model) => {
        slot.loaded = model;
      },
      () => this.#slots.delete(key),
    );
    return slot;
  }

  async #load(manifest: Manifest, key: string): Promise<ServedModel> {
    const damage = this.#damaged.get(key);
    if (damage && damage.until > performance.now()) throw damage.error;
    const start = performance.now();
    const { registry, pool, onLoad } = this.#options;
    try {
      const model = await ServedModel.load(manifest, registry, pool);
      this.#damaged.delete(key);
      onLoad?.(key, (performance.now() - start) / 1000);
      return model;
    } catch (error) {
      onLoad?.(key, (performance.now() - start) / 1000, error);
      if (isDamage(error)) this.#markDamaged(key, error);
      throw error;
    }
  }

  #markDamaged(key: string, error: HourglassError): void {
    remember(this.#damaged, key, { until: performance.now() + (this.#options.setAsideMs ?? 60_000), error });
    this.#options.onSetAside?.(key, error);
  }

  #damagedVersions(name: string): ReadonlySet<number> | undefined {
    if (this.#damaged.size === 0) return undefined;
    const now = performance.now();
    const versions = new Set<number>();
    for (const [key, { until }] of this.#damaged) {
      if (until > now && key.startsWith(`${name}@`)) versions.add(Number(key.slice(name.length + 1)));
    }
    return versions;
  }
}

const keyOf = ({ name, version }: Manifest): string => `${name}@${version}`;

export const isDamage = (error: unknown): error is HourglassError =>
  error instanceof HourglassError && error.code === 'model-corrupt';

function remember<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key);
  map.set(key, value);
  const [oldest] = map.keys();
  if (map.size > maxRemembered && oldest !== undefined) map.delete(oldest);
}
