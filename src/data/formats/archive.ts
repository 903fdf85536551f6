/**
 * What zip and tar have in common: names and kinds of entries that are refused, and those that are no data. Nothing is ever
 * written under an entry's name.
 */

import { HourglassError } from '../../base/errors.ts';
import type { UploadLimits } from '../upload.ts';
import { invalid, type ParseContext, type StoredPart } from './source.ts';

export interface ArchiveFile {
  /** path inside the archive, `/` between its parts, none of them empty or `.` */
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** total size may be this many times the archive's own, beyond a margin: pictures hardly compress */
const maxRatio = 100;
const ratioMargin = 64 * 2 ** 20;

export const unsafe = (part: StoredPart, what: string): HourglassError =>
  new HourglassError('unsafe-archive', `${part.label}: ${what} Pack plain files in plain folders.`);

export const tooLarge = (part: StoredPart, name: string, limit: number): HourglassError =>
  invalid(part, `the file ${shown(name)} has more than the ${limit} bytes that a file of an archive may have.`);

export const shown = (name: string): string => JSON.stringify(name.length > 80 ? `${name.slice(0, 80)}…` : name);

/**
 * The path that a name stands for, the same whichever system packed it: `\` divides as `/` does (PowerShell 5 and .NET 4
 * write it), and `./` at the beginning is left out. Throws `unsafe-archive` for a name that would lead out of a folder on any
 * system.
 */
export function entryPath(part: StoredPart, name: string): string {
  const what = unsafeName(name);
  if (what) throw unsafe(part, `the entry ${shown(name)} ${what}.`);
  return name
    .split(/[/\\]/)
    .filter((piece) => piece !== '' && piece !== '.')
    .join('/');
}

export const isFolderName = (name: string): boolean => /[/\\]$/.test(name);

function unsafeName(name: string): string | undefined {
  if (name === '') return 'has no name';
  if (name.length > 1024) return 'has a name of more than 1024 characters';
  if (name.includes('\0')) return 'has a NUL character in its name';
  if (/^[/\\]/.test(name)) return 'has an absolute path';
  if (/^[a-z]:/i.test(name)) return 'has a drive letter in its path';
  if (name.split(/[/\\]/).includes('..')) return 'leads out of the archive';
  return undefined;
}

/**
 * The text of a name: UTF-8 when it is that, whether the archive says so (macOS does not) or not, else in the declared
 * encoding, else as `fallback` reads it.
 */
export function decodeName(
  raw: Uint8Array,
  declared: string | undefined,
  fallback: (raw: Uint8Array) => string,
): EntryName {
  try {
    return { name: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(raw), isGuess: false };
  } catch {
    if (declared === undefined || declared === 'utf-8') return { name: fallback(raw), isGuess: true };
    return { name: new TextDecoder(declared).decode(raw), isGuess: false };
  }
}

export interface EntryName {
  readonly name: string;
  /** its encoding is not known */
  readonly isGuess: boolean;
}

/** What a client should know of one reading of an archive. */
export class ArchiveNotes {
  #hidden: string[] = [];
  #guessed: string | undefined;

  skipped(path: string): void {
    if (isHiddenPicture(path)) this.#hidden.push(path);
  }

  guessedName(path: string): void {
    this.#guessed ??= path;
  }

  tell(part: StoredPart, warn: ParseContext['warn']): void {
    const [first] = this.#hidden;
    if (first !== undefined) {
      const what = this.#hidden.length === 1 ? '1 picture was' : `${this.#hidden.length} pictures were`;
      warn(part, `${what} left out, being hidden or in a folder that tools leave behind, such as ${shown(first)}.`);
    }
    if (this.#guessed === undefined) return;
    warn(
      part,
      `Some names, such as ${shown(this.#guessed)}, are not UTF-8, and the archive does not say what they are. Declare their encoding with ?encoding=, or pack them as UTF-8.`,
    );
  }
}

export interface ArchiveOptions {
  readonly limits: UploadLimits;
  /** of names that are not UTF-8 */
  readonly encoding: string | undefined;
  readonly notes: ArchiveNotes;
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

/** Folders of macOS, Windows, network storage (Synology, QNAP) and Python, beside all that begin with a dot. */
const toolFolders = new Set([
  ...['__macosx', 'network trash folder', 'temporary items'],
  ...['$recycle.bin', 'system volume information'],
  ...['@eadir', '@tmp', '#recycle', '#snapshot', '@recycle', '@recently-snapshot', '.@__thumb', 'lost+found'],
  ...['__pycache__'],
]);
const toolFiles = new Set(['thumbs.db', 'ehthumbs.db', 'ehthumbs_vista.db', 'desktop.ini', 'icon\r', 'picasa.ini']);

/** Hidden files and folders at any depth, and what file managers, network storage and editors leave behind: not data. */
export function isClutter(path: string): boolean {
  const pieces = path.toLowerCase().split('/');
  const base = pieces.at(-1) ?? '';
  if (pieces.some((piece) => piece.startsWith('.') || toolFolders.has(piece))) return true;
  return toolFiles.has(base) || base.startsWith('~$') || base.endsWith('~');
}

/** A hidden file that could have been meant as a picture: not the `._` shadows that macOS writes. */
export function isHiddenPicture(path: string): boolean {
  const base = path.split('/').at(-1) ?? '';
  return !base.startsWith('._') && !/(^|\/)__macosx\//i.test(path) && /\.(png|jpe?g|webp)~?$/i.test(base);
}
