/**
 * API keys: `hg_`, 43 to 64 letters and digits (256 random bits), then 8 hexadecimal digits of a checksum, so that scanners of
 * source code recognise a key without asking anybody, and a mistyped one is refused without a look-up. In a shell:
 *
 *   key=hg_$(openssl rand -hex 32); echo "$key$(printf %s "$key" | sha256sum | cut -c1-8)"
 *
 * Only the SHA-256 of a key is kept. That is enough for 256 random bits: there is no dictionary to try.
 */

import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

const prefix = 'hg_';
const keyRule = /^hg_[0-9A-Za-z]{43,64}[0-9a-f]{8}$/;
const checksumDigits = 8;

/** For scanners and for our own log: finds keys inside of other text. */
export const keyPattern = 'hg_[0-9A-Za-z]{43,64}[0-9a-f]{8}';

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
/** letters that hold 256 bits: 62^43 > 2^256 */
const secretLetters = 43;

export function newKey(): string {
  let rest = BigInt(`0x${randomBytes(32).toString('hex')}`);
  let secret = '';
  for (let i = 0; i < secretLetters; i++, rest /= 62n) secret += alphabet.charAt(Number(rest % 62n));
  return prefix + secret + checksumOf(prefix + secret);
}

/** Whether a text has the form of a key and its checksum is right; says nothing about whether it opens anything. */
export function isKey(text: string): boolean {
  return keyRule.test(text) && checksumOf(text.slice(0, -checksumDigits)) === text.slice(-checksumDigits);
}

/** Whether a text was meant as a key of this service. */
export const looksLikeKey = (text: string): boolean => text.startsWith(prefix);

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest();

const checksumOf = (text: string): string => sha256(text).toString('hex').slice(0, checksumDigits);

/** What is kept of a key. */
export const digestOf = (key: string): string => sha256(key).toString('hex');

/** Takes the same time wherever two digests differ. */
export const isSameDigest = (a: string, b: string): boolean =>
  a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
