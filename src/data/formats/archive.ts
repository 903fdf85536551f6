/** What zip and tar have in common: names and kinds of entries that are refused. Nothing is ever written under an entry's name. */

import { HourglassError } from '../../base/errors.ts';
import type { StoredPart } from './source.ts';

export interface ArchiveFile {
  /** path inside the archive, `/` between its parts */
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** total size may be this many times the archive's own, beyond a margin: pictures hardly compress */
const maxRatio = 100;
const ratioMargin = 64 * 2 ** 20;

export const unsafe = (part: StoredPart, what: string): HourglassError =>
  new HourglassError('unsafe-archive', `${part.label}: ${what} Pack plain files in plain folders.`);

const shown = (name: string): string => JSON.stringify(name.length > 80 ? `${name.slice(0, 80)}…` : name);

/** Throws `unsafe-archive` for a name that would lead out of a folder on any system. */
export function checkName(part: StoredPart, name: string): void {
  const what = unsafeName(name);
  if (what) throw unsafe(part, `the entry ${shown(name)} ${what}.`);
}

function unsafeName(name: string): string | undefined {
  if (name === '') return 'has no name';
  if (name.length > 1024) return 'has a name of more than 1024 characters';
  if (name.includes('\0')) return 'has a NUL character in its name';
  if (/^[/\\]/.test(name)) return 'has an absolute path';
  if (/^[a-z]:/i.test(name)) return 'has a drive letter in its path';
  if (name.split(/[/\\]/).includes('..')) return 'leads out of the archive';
  return undefined;
}

export function checkEntryCount(part: StoredPart, count: number, limit: number): void {
  if (count > limit) throw unsafe(part, `it has more than the ${limit} entries that are allowed.`);
}

export function checkExpansion(part: StoredPart, expanded: number, limit: number): void {
  if (expanded > limit) throw unsafe(part, `it unpacks to more than ${limit} bytes.`);
  if (expanded > part.bytes * maxRatio + ratioMargin) {
    throw unsafe(part, `it unpacks to more than ${maxRatio} times its size.`);
  }
}

/** Left behind by file managers and tar itself: not data. */
export function isClutter(name: string): boolean {
  const parts = name.split('/');
  const base = parts.at(-1) ?? '';
  return parts[0] === '__MACOSX' || base.startsWith('.') || base === 'Thumbs.db' || base === 'desktop.ini';
}
