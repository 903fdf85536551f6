/** `npm run generate:picture-vectors`: writes docs/picture-vectors.json, a small codec with pictures and their frames. */

import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { pictureCodecToBytes } from '../../../src/codec/picture/picture-codec-bytes.ts';
import { encodePicture } from '../../../src/codec/picture/picture-frame.ts';
import { fittedProfile, picture } from './pictures.ts';

const profile = fittedProfile(1, [32]);
const hex = (bytes: ArrayLike<number>): string => Buffer.from(Uint8Array.from(bytes)).toString('hex');
const pictures = [
  { seed: 21, width: 24, height: 16, step: 24, trade: 0, tileLog: 6 },
  { seed: 22, width: 41, height: 30, step: 32, trade: 0.15, tileLog: 1 },
  { seed: 23, width: 7, height: 50, step: 44, trade: 0.15, tileLog: 0 },
  { seed: 24, width: 40, height: 40, step: 0, trade: 0.15, tileLog: 6 },
].map(({ seed, width, height, ...options }) => {
  const raster = picture(seed, width, height, 1);
  const { frame } = encodePicture(profile, raster, options);
  return { width, height, channels: 1, pixels: hex(raster.data), ...options, frame: hex(frame) };
});
const file = path.resolve(import.meta.dirname, '../../../docs/picture-vectors.json');
const vectors = { codec: hex(pictureCodecToBytes(profile.codec)), decoder: hex(profile.hash), pictures };
writeFileSync(file, `${JSON.stringify(vectors, null, 2)}\n`);
