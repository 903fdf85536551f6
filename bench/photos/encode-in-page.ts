/** What bench:picture-speed runs in a browser: seconds of encoding a picture as it is, and repeated over 12 megapixels. */

import { pictureCodecFromBytes } from '../../src/codec/picture/picture-codec-bytes.ts';
import { encodePicture } from '../../src/codec/picture/picture-frame.ts';
import type { Raster } from '../../src/codec/picture/transform.ts';

export interface Asked {
  /** base64 */
  readonly codec: string;
  readonly hash: readonly number[];
  readonly step: number;
  readonly width: number;
  readonly height: number;
  /** RGB, base64 */
  readonly data: string;
}

export interface Timed {
  readonly large: readonly number[];
  readonly small: readonly number[];
}

const bytesOf = (text: string): Uint8Array => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

export function encodeInPage({ codec, hash, step, width, height, data }: Asked): Timed {
  const profile = { hash: Uint8Array.from(hash), codec: pictureCodecFromBytes(bytesOf(codec)) };
  const piece = { width, height, channels: 3, data: bytesOf(data) };
  const large = { width: 4000, height: 3000, channels: 3, data: new Uint8Array(3 * 4000 * 3000) };
  for (let y = 0; y < large.height; y++) {
    for (let x = 0; x < large.width; x++) {
      const from = 3 * ((y % height) * width + (x % width));
      large.data.set(piece.data.subarray(from, from + 3), 3 * (y * large.width + x));
    }
  }
  const time = (raster: Raster): number => {
    const began = performance.now();
    encodePicture(profile, raster, { step });
    return (performance.now() - began) / 1000;
  };
  return { small: Array.from({ length: 5 }, () => time(piece)), large: Array.from({ length: 3 }, () => time(large)) };
}
