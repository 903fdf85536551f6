/** Media types: what a body is, and which of the possible answers a client would rather have (RFC 9110, section 12.5.1). */

import { HourglassError } from '../../base/errors.ts';

export const json = 'application/json';
export const octets = 'application/octet-stream';
export const png = 'image/png';
export const pictures = [png, 'image/jpeg', 'image/webp'] as const;
export const multipart = 'multipart/form-data';
/** docs/frame.md */
export const frame = 'application/vnd.hourglass.frame';
export const eventStream = 'text/event-stream';

/** Type and subtype in lower case; parameters other than a charset of UTF-8 do not matter. */
export function mediaType(header: string): string {
  return (header.split(';', 1)[0] ?? '').trim().toLowerCase();
}

interface Range {
  readonly type: string;
  readonly quality: number;
}

function rangesOf(accept: string): Range[] {
  return accept.split(',').map((item) => {
    const [type = '', ...parameters] = item.split(';').map((part) => part.trim().toLowerCase());
    const weight = parameters.find((parameter) => parameter.startsWith('q='));
    const quality = weight === undefined ? 1 : Number(weight.slice(2));
    return { type, quality: Number.isFinite(quality) ? quality : 0 };
  });
}

/** The most specific range decides about a type. */
function qualityOf(type: string, ranges: readonly Range[]): number {
  for (const wanted of [type, `${type.split('/', 1)[0]}/*`, '*/*']) {
    const range = ranges.find((candidate) => candidate.type === wanted);
    if (range) return range.quality;
  }
  return 0;
}

/** One of `offered` (the first of equals), or throws `not-acceptable`. Without a header the first. */
export function negotiate<T extends string>(accept: string | undefined, offered: readonly [T, ...T[]]): T {
  if (accept === undefined || accept.trim() === '') return offered[0];
  const ranges = rangesOf(accept);
  let best: T | undefined;
  let bestQuality = 0;
  for (const type of offered) {
    const quality = qualityOf(type, ranges);
    if (quality > bestQuality) [best, bestQuality] = [type, quality];
  }
  if (best !== undefined) return best;
  throw new HourglassError(
    'not-acceptable',
    `This call answers with ${offered.join(' or ')}. Ask for one of them in Accept.`,
    {
      field: 'Accept',
      expected: offered,
      found: accept.slice(0, 200),
    },
  );
}
