/**
 * What of the web platform the SDK needs and some JavaScript engines lack (React Native's among them): text, base64, hashes and random
 * keys, from the platform where it is there, else in a few lines.
 */

/** Throws RangeError when the bytes are not UTF-8. */
export function decodeText(bytes: Uint8Array): string {
  if (typeof TextDecoder === 'function') {
    try {
      return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    } catch {
      throw new RangeError('the text is not UTF-8');
    }
  }
  let text = '';
  for (let at = 0; at < bytes.length; ) {
    const first = bytes[at++] as number;
    const more = first < 0x80 ? 0 : first < 0xc2 ? -1 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : first < 0xf5 ? 3 : -1;
    if (more < 0 || at + more > bytes.length) throw new RangeError('the text is not UTF-8');
    let point = more === 0 ? first : first & (0x3f >> more);
    for (let i = 0; i < more; i++) {
      const byte = bytes[at++] as number;
      if ((byte & 0xc0) !== 0x80) throw new RangeError('the text is not UTF-8');
      point = (point << 6) | (byte & 0x3f);
    }
    text += String.fromCodePoint(point);
  }
  return text;
}

/** Of A–Z, a–z, 0–9, + and /, by computation: a table of them takes more of a bundle than this. */
const digitOf = (letter: number): number =>
  letter > 96 ? letter - 71 : letter > 64 ? letter - 65 : letter > 47 ? letter + 4 : letter > 43 ? 63 : 62;

/** The bytes of base64 text. */
export function decodeBase64(text: string): Uint8Array {
  const digits = text.replace(/=+$/, '');
  const bytes = new Uint8Array(Math.floor((digits.length * 3) / 4));
  let [bits, held, at] = [0, 0, 0];
  for (const digit of digits) {
    bits = (bits << 6) | digitOf(digit.charCodeAt(0));
    held += 6;
    if (held < 8) continue;
    held -= 8;
    bytes[at++] = bits >> held;
    bits &= (1 << held) - 1;
  }
  return bytes;
}

/** SHA-256, undefined where there is no subtle crypto (pages without https, bare engines). */
export async function sha256(bytes: Uint8Array): Promise<Uint8Array | undefined> {
  const hash = await globalThis.crypto?.subtle?.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>);
  return hash && new Uint8Array(hash);
}

/** 32 hexadecimal digits that nobody else draws. They identify a request and protect nothing. */
export function randomKey(): string {
  const draw = (): number => Math.floor(Math.random() * 256);
  const bytes = globalThis.crypto?.getRandomValues?.(new Uint8Array(16)) ?? Uint8Array.from({ length: 16 }, draw);
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** `signal.throwIfAborted()`, which not every engine has. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw signal.reason ?? new Error('The call was aborted.');
}

/** Rejects with the signal's reason as soon as it is aborted. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal?.reason ?? new Error('The call was aborted.'));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, ms);
    signal?.addEventListener('abort', stop, { once: true });
  });
}
