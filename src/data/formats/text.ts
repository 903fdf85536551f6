/**
 * The text of a part as UTF-8. A byte order mark decides, then the declared encoding; without either the bytes must be UTF-8.
 * Bytes that are not valid in the encoding are refused with their line and place, never replaced.
 */

import { isUtf8 } from 'node:buffer';
import { HourglassError } from '../../base/errors.ts';
import { invalid, type StoredPart, unsupported } from './source.ts';

export interface Text {
  /** as the WHATWG names it, such as `utf-8` or `windows-1252` */
  readonly encoding: string;
  /** valid UTF-8 without a byte order mark; can be called again */
  stream(): AsyncIterable<Uint8Array>;
}

const marks: readonly [encoding: string, bytes: readonly number[]][] = [
  ['utf-32le', [0xff, 0xfe, 0x00, 0x00]],
  ['utf-32be', [0x00, 0x00, 0xfe, 0xff]],
  ['utf-8', [0xef, 0xbb, 0xbf]],
  ['utf-16le', [0xff, 0xfe]],
  ['utf-16be', [0xfe, 0xff]],
];

/** The encoding that a byte order mark at the beginning names. */
export const markedEncoding = (head: Uint8Array): string | undefined =>
  marks.find(([, mark]) => mark.every((byte, i) => head[i] === byte))?.[0];

/** Throws `invalid-request` for a declared encoding that is not known, `unsupported-dataset` for UTF-32. */
export function openText(part: StoredPart, head: Uint8Array, declared: string | undefined): Text {
  const marked = markedEncoding(head);
  if (marked?.startsWith('utf-32')) throw unsupported(part, 'it is UTF-32 text. Save it as UTF-8.');
  const encoding = marked ?? (declared === undefined ? 'utf-8' : encodingNamed(declared));
  const skip = marked === undefined ? 0 : (marks.find(([name]) => name === marked)?.[1].length ?? 0);
  const bytes = () => without(part.stream(), skip);
  switch (encoding) {
    case 'utf-8':
      return { encoding, stream: () => checkedUtf8(part, bytes(), skip, declared !== undefined) };
    case 'windows-1252':
      return { encoding, stream: () => fromWindows1252(bytes()) };
    default:
      return { encoding, stream: () => transcoded(part, bytes(), encoding) };
  }
}

/** Names that Python, R and Java use for encodings that the WHATWG calls otherwise. */
const otherNames: Readonly<Record<string, string>> = {
  'utf-8-sig': 'utf-8',
  'utf-16': 'utf-16le',
  'latin-1': 'latin1',
  'mac-roman': 'macintosh',
  cp932: 'shift_jis',
  cp936: 'gbk',
  cp949: 'euc-kr',
  cp950: 'big5',
};

/** Throws `invalid-request` for an encoding that is not known. */
export function encodingNamed(declared: string): string {
  const name = declared.trim().toLowerCase().replaceAll('_', '-');
  const codePage = /^(?:x-)?(?:cp|windows|win)-?(125\d|874)$/.exec(name)?.[1];
  try {
    return new TextDecoder(codePage ? `windows-${codePage}` : (otherNames[name] ?? name)).encoding;
  } catch {
    throw new HourglassError(
      'invalid-request',
      `The encoding ${JSON.stringify(declared.slice(0, 40))} is not known. Name one such as utf-8, utf-16le, windows-1252, iso-8859-2, shift-jis or gbk.`,
      { field: 'encoding', found: declared.slice(0, 40) },
    );
  }
}

async function* without(chunks: AsyncIterable<Uint8Array>, count: number): AsyncGenerator<Uint8Array> {
  let left = count;
  for await (const chunk of chunks) {
    const skipped = Math.min(left, chunk.length);
    left -= skipped;
    if (chunk.length > skipped) yield skipped === 0 ? chunk : chunk.subarray(skipped);
  }
}

/** Passes valid UTF-8 through, cut between characters. */
async function* checkedUtf8(
  part: StoredPart,
  chunks: AsyncIterable<Uint8Array>,
  start: number,
  isDeclared: boolean,
): AsyncGenerator<Uint8Array> {
  let rest: Uint8Array = new Uint8Array(0);
  let offset = start;
  const refuse = async (bytes: Uint8Array): Promise<never> => {
    const at = firstInvalid(bytes);
    throw await notUtf8(part, offset + at, bytes[at] ?? 0, isDeclared);
  };
  for await (const chunk of chunks) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const end = bytes.length - unfinished(bytes);
    const whole = bytes.subarray(0, end);
    if (!isUtf8(whole)) await refuse(whole);
    if (end > 0) yield whole;
    offset += end;
    rest = bytes.subarray(end);
  }
  if (rest.length > 0) await refuse(rest);
}

/** Bytes at the end that may be the beginning of a character. */
function unfinished(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back]!;
    if (byte < 0x80) return 0;
    if (byte < 0xc0) continue;
    return byte >= 0xc2 && byte < 0xf5 && back < lengthOf(byte) ? back : 0;
  }
  return 0;
}

const lengthOf = (lead: number): number => (lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4);

/** Where the first character begins that is not valid; only called when there is one. */
function firstInvalid(bytes: Uint8Array): number {
  for (let at = 0; at < bytes.length; ) {
    const length = lengthOf(bytes[at]!);
    if (!isUtf8(bytes.subarray(at, at + length))) return at;
    at += length;
  }
  return bytes.length - 1;
}

async function notUtf8(part: StoredPart, offset: number, byte: number, isDeclared: boolean): Promise<HourglassError> {
  let line = 1;
  let lineStart = 0;
  let at = 0;
  for await (const chunk of part.stream()) {
    const end = Math.min(chunk.length, offset - at);
    for (let i = 0; i < end; i++) {
      if (chunk[i] !== 0x0a) continue;
      line++;
      lineStart = at + i + 1;
    }
    at += chunk.length;
    if (at >= offset) break;
  }
  const hex = `0x${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  const advice = isDeclared
    ? 'Declare the encoding that it really has.'
    : 'Save it as UTF-8, or declare its encoding, such as ?encoding=windows-1252 (Excel and Windows).';
  return invalid(part, `line ${line} is not UTF-8: byte ${offset - lineStart + 1} of it is ${hex}. ${advice}`, {
    field: 'encoding',
    expected: 'utf-8',
    found: { line, byte: offset - lineStart + 1, value: hex },
  });
}

/** 0x80 to 0x9f of windows-1252. Written out because TextDecoder reads them as latin1 in Node 20 (nodejs/node#56542). */
const c1 = '€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ';

async function* fromWindows1252(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) yield Buffer.from(decodeWindows1252(chunk));
}

export const decodeWindows1252 = (bytes: Uint8Array): string =>
  Buffer.from(bytes)
    .toString('latin1')
    .replace(/[\x80-\x9f]/g, (character) => c1[character.charCodeAt(0) - 0x80]!);

async function* transcoded(
  part: StoredPart,
  chunks: AsyncIterable<Uint8Array>,
  encoding: string,
): AsyncGenerator<Uint8Array> {
  const decoder = new TextDecoder(encoding, { fatal: true, ignoreBOM: true });
  const decode = (bytes?: Uint8Array): Uint8Array => {
    try {
      return Buffer.from(bytes ? decoder.decode(bytes, { stream: true }) : decoder.decode());
    } catch {
      throw invalid(
        part,
        `it is not valid ${encoding}. Declare the encoding that it really has, or save it as UTF-8.`,
        {
          field: 'encoding',
          found: encoding,
        },
      );
    }
  };
  for await (const chunk of chunks) {
    const text = decode(chunk);
    if (text.length > 0) yield text;
  }
  const last = decode();
  if (last.length > 0) yield last;
}
