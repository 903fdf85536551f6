/**
 * Bodies of requests as JSON, read strictly: I-JSON (RFC 7493) in that names are unique and the text is valid UTF-8, no
 * byte order mark, bounded nesting. Members that hold tensors are read into float32 on the way.
 */

import { isUtf8 } from 'node:buffer';
import type { NdArray } from '../../base/ndarray.ts';
import { nextStep } from '../pace.ts';
import { ascii, Cursor } from './cursor.ts';
import { NumbersReader } from './numbers.ts';

export interface ReadOptions {
  /** members of the outermost object that are read as tensors */
  readonly tensors?: readonly string[];
  readonly maxRows?: number;
  /** members named in `tensors` that are no nested numbers are read as any other value */
  readonly orValues?: boolean;
  /** a member of the outermost object that is a list of objects, and their member that is a tensor, flat or nested */
  readonly listed?: { readonly member: string; readonly tensor: string };
}

const maxDepth = 64;
/** of one object: no request needs nearly as many, and an object of 40,000 takes a hundred times the memory of its text */
const maxNames = 4096;
/** so much of a tensor is read at a stretch, about a millisecond */
const stretch = 64 * 1024;

/**
 * The value; members named in `tensors` are NdArrays. Throws `malformed-json` with the byte where reading stopped, and for
 * tensors what NumbersReader throws.
 */
export async function readJson(bytes: Buffer, options: ReadOptions = {}): Promise<unknown> {
  const steps = stepsOf(bytes, options);
  for (let step = steps.next(); ; step = steps.next()) {
    if (step.done) return step.value;
    await nextStep();
  }
}

/** As `readJson`, at one stretch: for bodies that are known to be small. */
export function readSmallJson(bytes: Buffer, options: ReadOptions = {}): unknown {
  const steps = stepsOf(bytes, options);
  for (let step = steps.next(); ; step = steps.next()) if (step.done) return step.value;
}

/** Yields where others may have their turn. */
type Steps<T> = Generator<void, T>;

function* stepsOf(bytes: Buffer, options: ReadOptions): Steps<unknown> {
  const cursor = new Cursor(bytes);
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) {
    throw cursor.malformed('The body begins with a byte order mark. Send UTF-8 without it.');
  }
  if (!isUtf8(bytes)) throw cursor.malformed('The body is not valid UTF-8.');
  const value = cursor.peek() === ascii.openBrace ? yield* readTop(cursor, options) : yield* readValue(cursor, 0);
  if (!Number.isNaN(cursor.peek())) throw cursor.unexpected('the end of the body');
  return value;
}

function* readTop(
  cursor: Cursor,
  { tensors = [], maxRows = Number.POSITIVE_INFINITY, listed, orValues = false }: ReadOptions,
): Steps<Record<string, unknown>> {
  const result: Record<string, unknown> = {};
  for (const name of namesOf(cursor, result)) {
    if (tensors.includes(name) && !(orValues && !holdsNumbers(cursor))) {
      set(result, name, yield* readNumbers(new NumbersReader(cursor, { name, maxRows })));
    } else if (listed?.member === name && cursor.peek() === ascii.open) {
      set(result, name, yield* readListed(cursor, name, listed.tensor));
    } else set(result, name, yield* readValue(cursor, 1));
  }
  return result;
}

/** Whether nested arrays with a number at their beginning are next. */
function holdsNumbers(cursor: Cursor): boolean {
  if (cursor.peek() !== ascii.open) return false;
  const start = cursor.at;
  while (cursor.peek() === ascii.open) cursor.at++;
  const byte = cursor.peek();
  cursor.at = start;
  return byte === ascii.minus || (byte >= ascii.zero && byte <= ascii.nine);
}

function* readNumbers(numbers: NumbersReader): Steps<NdArray<'float32'>> {
  for (;;) {
    const read = numbers.read(stretch);
    if (read) return read;
    yield;
  }
}

/** A list of objects whose member `tensor` is read into float32. */
function* readListed(cursor: Cursor, list: string, tensor: string): Steps<unknown[]> {
  const result: unknown[] = [];
  for (const _ of entriesOf(cursor)) {
    if (cursor.peek() !== ascii.openBrace) {
      result.push(yield* readValue(cursor, 2));
      continue;
    }
    const entry: Record<string, unknown> = {};
    for (const name of namesOf(cursor, entry)) {
      const path = `${list}/${result.length}/${name}`;
      const options = { name: path, maxRows: Number.POSITIVE_INFINITY, flat: true };
      if (name === tensor) set(entry, name, yield* readNumbers(new NumbersReader(cursor, options)));
      else set(entry, name, yield* readValue(cursor, 3));
    }
    result.push(entry);
  }
  return result;
}

/** Reads an array up to each of its entries in turn; the caller reads the entry before it asks for the next one. */
function* entriesOf(cursor: Cursor): Generator<void> {
  cursor.expect(ascii.open);
  if (cursor.peek() === ascii.close) {
    cursor.at++;
    return;
  }
  for (;;) {
    yield;
    const next = cursor.peek();
    if (next !== ascii.comma && next !== ascii.close) throw cursor.unexpected('"," or "]"');
    cursor.at++;
    if (next === ascii.close) return;
  }
}

/** Reads an object up to each of its values in turn; the caller reads the value before it asks for the next name. */
function* namesOf(cursor: Cursor, known: object): Generator<string> {
  cursor.expect(ascii.openBrace);
  if (cursor.peek() === ascii.closeBrace) {
    cursor.at++;
    return;
  }
  for (let count = 1; ; count++) {
    if (cursor.peek() !== ascii.quote) throw cursor.unexpected('a name in quotes');
    const name = readString(cursor);
    if (Object.hasOwn(known, name))
      throw cursor.malformed(`The name ${JSON.stringify(name.slice(0, 100))} appears twice in an object.`);
    if (count > maxNames) throw cursor.malformed(`An object of the body has more than ${maxNames} names.`);
    cursor.expect(ascii.colon);
    yield name;
    const next = cursor.peek();
    if (next !== ascii.comma && next !== ascii.closeBrace) throw cursor.unexpected('"," or "}"');
    cursor.at++;
    if (next === ascii.closeBrace) return;
  }
}

/** `__proto__` is a name like any other: an assignment would set the prototype. */
function set(object: Record<string, unknown>, name: string, value: unknown): void {
  if (name !== '__proto__') object[name] = value;
  else Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true });
}

/** Any value but a tensor. A body of 1 MiB may have 100,000 of them, so others have their turn in between. */
function* readValue(cursor: Cursor, depth: number): Steps<unknown> {
  const byte = cursor.peek();
  if (depth > maxDepth) throw cursor.malformed(`The body is nested more than ${maxDepth} deep.`);
  if (byte === ascii.openBrace) {
    const result = {};
    for (const name of namesOf(cursor, result)) {
      set(result, name, isNested(cursor) ? yield* readValue(cursor, depth + 1) : readScalar(cursor));
      if (cursor.isDue()) yield;
    }
    return result;
  }
  if (byte === ascii.open) {
    const result: unknown[] = [];
    for (const _ of entriesOf(cursor)) {
      result.push(isNested(cursor) ? yield* readValue(cursor, depth + 1) : readScalar(cursor));
      if (cursor.isDue()) yield;
    }
    return result;
  }
  return readScalar(cursor);
}

function isNested(cursor: Cursor): boolean {
  const byte = cursor.peek();
  return byte === ascii.openBrace || byte === ascii.open;
}

function readScalar(cursor: Cursor): unknown {
  if (cursor.peek() === ascii.quote) return readString(cursor);
  if (cursor.skipWord('true')) return true;
  if (cursor.skipWord('false')) return false;
  if (cursor.skipWord('null')) return null;
  return Number(cursor.number());
}

function readString(cursor: Cursor): string {
  const { bytes } = cursor;
  const start = cursor.at;
  let end = start + 1;
  let plain = true;
  for (let byte = bytes[end]; byte !== ascii.quote; byte = bytes[end]) {
    if (byte === undefined || byte < ascii.space) {
      cursor.at = end;
      throw cursor.unexpected('the end of the text or an escaped character');
    }
    if (byte === ascii.backslash) {
      plain = false;
      end++;
    }
    end++;
  }
  cursor.at = end + 1;
  if (plain) return bytes.toString('utf8', start + 1, end);
  try {
    return JSON.parse(bytes.toString('utf8', start, end + 1)) as string;
  } catch {
    cursor.at = start;
    throw cursor.malformed(`The text at byte ${start} has an escape that JSON does not know.`);
  }
}
