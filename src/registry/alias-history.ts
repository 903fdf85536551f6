/** Who moved which alias when: a note of the model, the newest changes only. */

import { type Static, Type } from 'typebox';
import type { BlobStore } from '../store/contract.ts';

export const AliasChange = Type.Object({
  alias: Type.String(),
  version: Type.Optional(Type.Integer({ minimum: 1, description: 'what it points to since; absent: it was removed' })),
  at: Type.String({ format: 'date-time' }),
  by: Type.String({ description: 'key:ID, token:SUBJECT, or anybody where there is no access control' }),
});
export type AliasChange = Static<typeof AliasChange>;

export const historyNote = 'alias-history';
const maxChanges = 100;
const tries = 10;

/** Oldest first. A note that cannot be read is an empty history: it must not keep a model from being served. */
export function parseHistory(text: string | undefined): readonly AliasChange[] {
  if (text === undefined) return [];
  try {
    const changes = JSON.parse(text) as unknown;
    return Array.isArray(changes) ? (changes as AliasChange[]) : [];
  } catch {
    return [];
  }
}

/** Appends changes, also when others do so at the same time. Throws `storage-full`. */
export async function appendHistory(store: BlobStore, name: string, changes: readonly AliasChange[]): Promise<void> {
  for (let tried = 0; tried < tries; tried++) {
    const before = await store.readNote(name, historyNote);
    const text = JSON.stringify([...parseHistory(before), ...changes].slice(-maxChanges));
    if (await store.setNote(name, historyNote, text, before)) return;
  }
  throw new Error(`the alias history of ${name} is written by too many at once`);
}
