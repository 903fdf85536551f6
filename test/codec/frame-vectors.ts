// Test vectors of the frame format for implementations in other languages: docs/frame-vectors.json.
//   npm run generate:frame-vectors
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { fitClusters } from '../../src/codec/clusters.ts';
import { encodeFrame } from '../../src/codec/frame.ts';
import type { FrameKind } from '../../src/codec/frame-header.ts';
import { type Profile, quantise } from '../../src/codec/profile.ts';
import { profileFromBytes, profileToBytes } from '../../src/codec/profile-bytes.ts';
import { testCodes, testProfile } from './profiles.ts';

export const vectorsFile = path.resolve(import.meta.dirname, '../../docs/frame-vectors.json');

export interface FrameVectors {
  readonly about: string;
  readonly codecs: readonly CodecVectors[];
}

interface CodecVectors {
  readonly name: string;
  /** codec.bin in hexadecimal */
  readonly codec: string;
  /** SHA-256 of decoder and tables, in hexadecimal */
  readonly decoder: string;
  readonly frames: readonly FrameVector[];
}

interface FrameVector {
  readonly kind: FrameKind;
  readonly quality: number;
  /** rows of the encoder's numbers, where the symbols are the nearest ones */
  readonly codes?: readonly (readonly number[])[];
  readonly symbols: readonly (readonly number[])[];
  /** in hexadecimal */
  readonly frame: string;
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const rowsOf = (values: ArrayLike<number>, width: number): number[][] =>
  Array.from({ length: values.length / width }, (_, row) => Array.from(values).slice(row * width, (row + 1) * width));

/** The same tables, and at the finest quality those of four kinds of rows. */
function withClusters(profile: Profile): Profile {
  const qualities = profile.qualities.map((quality, index) => {
    if (index !== profile.qualities.length - 1) return quality;
    const symbols = quantise(quality, testCodes(400, 16, 3));
    return { ...quality, clusters: fitClusters({ quality, symbols, count: 4 }).clusters };
  });
  return { ...profile, qualities };
}

function vectorsOf(name: string, written: Profile): CodecVectors {
  const codec = profileToBytes(written);
  const profile: Profile = { hash: written.hash, ...profileFromBytes(codec) };
  const width = profile.order.length;
  const frames = profile.qualities.flatMap((quality, index): FrameVector[] => {
    const vector = (kind: FrameKind, symbols: Int32Array, codes?: Float32Array): FrameVector => ({
      kind,
      quality: index,
      ...(codes && { codes: rowsOf(codes, width) }),
      symbols: rowsOf(symbols, width),
      frame: hex(encodeFrame(profile, symbols, { kind, quality: index })),
    });
    const codes = testCodes(3, width, 11 + index);
    const symbols = quantise(quality, codes);
    // escapes on both sides, as far as symbols go; the last unit is constant
    const far = Int32Array.from({ length: width }, (_, j) => (j === width - 1 ? 0 : [32767, -32767, 500, -41][j % 4]!));
    return [
      vector('compact', symbols.slice(0, width), codes.slice(0, width)),
      vector('batch', symbols, codes),
      vector('standard', symbols, codes),
      vector('progressive', symbols, codes),
      vector('compact', far),
    ];
  });
  return { name, codec: hex(codec), decoder: hex(profile.hash), frames };
}

export const frameVectors = (): FrameVectors => ({
  about:
    'docs/frame.md: a codec.bin (hexadecimal) with frames of its symbols. Read codec.bin, decode each frame to its symbols, encode the symbols to the same bytes. Where codes are given, the symbols are the nearest ones. Progressive frames have five parts, of which the first are the shortest.',
  codecs: [
    vectorsOf('plain (version 1)', testProfile()),
    vectorsOf('clusters (version 2)', withClusters(testProfile(16, 'clusters'))),
  ],
});

export const vectorsText = (): string =>
  `${JSON.stringify(frameVectors(), null, 1).replace(/\[\s+([-\d.e,\s]+?)\s+\]/g, (_, numbers: string) => `[${numbers.replace(/\s+/g, ' ')}]`)}\n`;
export const checkedIn = (): string => readFileSync(vectorsFile, 'utf8');

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) writeFileSync(vectorsFile, vectorsText());
