/** Where keys are kept for all gateways. src/queue/redis-keys.ts implements it; what it throws is as of the job queue. */

import type { KeyRecord } from './key-record.ts';

export interface StoredKeys {
  /** another one after each change */
  readonly version: string;
  readonly records: readonly KeyRecord[];
}

export interface KeyStorage {
  /** undefined when nothing has changed since that version */
  read(since?: string): Promise<StoredKeys | undefined>;
  /** `full` beyond `most` keys; `taken` with `onlyFirst` when there is a key already. */
  add(
    record: KeyRecord,
    options: { readonly most: number; readonly onlyFirst?: boolean },
  ): Promise<'ok' | 'full' | 'taken'>;
  /** Adds a key and replaces an older one in the same step; false when that one is not as expected any more. */
  rotate(old: KeyRecord, changed: KeyRecord, added: KeyRecord): Promise<boolean>;
  /** False when there is none. */
  remove(id: string): Promise<boolean>;
  /** Notes when keys were last used: id → ms since 1970. */
  noteUse(times: ReadonlyMap<string, number>): Promise<void>;
  lastUsed(): Promise<ReadonlyMap<string, number>>;
  /** Calls at each change, as soon as it is heard of; nothing is promised. The result ends that. */
  onChange(listener: () => void): () => void;
}
