/**
 * Which published versions a frame's short id may mean. Built from the manifests of all models; looked up without asking the
 * registry, and built again when it does not know an id.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { HourglassError } from '../base/errors.ts';
import type { Codec, Manifest } from '../registry/manifest.ts';
import type { Registry } from '../registry/registry.ts';

export type CodedManifest = Manifest & { readonly codec: Codec };

/** Least time between two rebuilds, so that frames with unknown ids do not keep reading the registry. */
const leastIntervalMs = 250;
/** hex digits of the shortest id */
const keyDigits = 4;

export const isCoded = (manifest: Manifest): manifest is CodedManifest => manifest.codec !== undefined;
export const codecHash = ({ codec }: CodedManifest): string => codec.hash;

/** Of versions of one kind, which `isOf` tells, by the hash of their decoders. */
export class FrameIndex<M extends Manifest> {
  readonly #registry: Registry;
  readonly #isOf: (manifest: Manifest) => manifest is M;
  readonly #hashOf: (manifest: M) => string;
  #versions: ReadonlyMap<string, readonly M[]> = new Map();
  #begun = Number.NEGATIVE_INFINITY;
  #building: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(registry: Registry, isOf: (manifest: Manifest) => manifest is M, hashOf: (manifest: M) => string) {
    this.#registry = registry;
    this.#isOf = isOf;
    this.#hashOf = hashOf;
  }

  /** Live versions whose hash begins so, the newest publication first; of the same decoder one. */
  async find(id: Uint8Array): Promise<readonly M[]> {
    const digits = Buffer.from(id).toString('hex');
    const known = this.#versions.get(digits.slice(0, keyDigits)) ?? [];
    const live: M[] = [];
    for (const manifest of known.filter((one) => this.#hashOf(one).startsWith(digits))) {
      if (live.some((other) => this.#hashOf(other) === this.#hashOf(manifest))) continue;
      if (await this.#isLive(manifest)) live.push(manifest);
    }
    return live;
  }

  /** Of each model the newest version that codes rows of this shape and range, as far as is known here. */
  codersOf({ inputShape, inputRange }: Manifest): M[] {
    const newest = new Map<string, M>();
    for (const manifest of [...this.#versions.values()].flat()) {
      const isSame =
        manifest.inputShape.join() === inputShape.join() && manifest.inputRange?.join() === inputRange?.join();
      if (isSame && manifest.version >= (newest.get(manifest.name)?.version ?? 0)) newest.set(manifest.name, manifest);
    }
    return [...newest.values()];
  }

  /** Reads the manifests of all models, so that whatever was published before this call is found. */
  refresh(): Promise<void> {
    if (!this.#building) return this.#build();
    // The rebuild in progress started before this call and may miss a newer version: queue another.
    this.#next ??= this.#building.then(
      () => this.#build(),
      () => this.#build(),
    );
    return this.#next;
  }

  #build(): Promise<void> {
    this.#next = undefined;
    this.#building = this.#read().finally(() => {
      this.#building = undefined;
    });
    return this.#building;
  }

  async #read(): Promise<void> {
    const wait = this.#begun + leastIntervalMs - performance.now();
    if (wait > 0) await sleep(wait);
    this.#begun = performance.now();
    const names = await this.#registry.listModels();
    const models = await Promise.allSettled(names.map((name) => this.#registry.getModel(name)));
    const coded = models
      .flatMap((model) => (model.status === 'fulfilled' ? model.value.versions : []))
      .filter(this.#isOf)
      .sort((a, b) => b.createdAt.localeCompare(a.createdAt));
    const versions = new Map<string, M[]>();
    for (const manifest of coded) {
      const key = this.#hashOf(manifest).slice(0, keyDigits);
      const same = versions.get(key);
      if (same) same.push(manifest);
      else versions.set(key, [manifest]);
    }
    this.#versions = versions;
  }

  async #isLive({ name, version }: Manifest): Promise<boolean> {
    try {
      await this.#registry.resolve(`${name}@${version}`);
      return true;
    } catch (error) {
      if (error instanceof HourglassError) return false;
      throw error;
    }
  }
}
