// docs/frame-vectors.json against the codec, and against the Python in examples/python, which was written from docs/frame.md.
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { decodeFrame } from '../../src/codec/frame.ts';
import { profileFromBytes } from '../../src/codec/profile-bytes.ts';
import { checkedIn, type FrameVectors, vectorsFile, vectorsText } from './frame-vectors.ts';

const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'));

describe('docs/frame-vectors.json', () => {
  it('is what the codec makes', () => {
    expect(checkedIn() === vectorsText(), 'stale, run: npm run generate:frame-vectors').toBe(true);
  });

  it('is decoded to its symbols', () => {
    const { codecs } = JSON.parse(checkedIn()) as FrameVectors;
    expect(codecs.map(({ frames }) => frames.length)).toEqual([15, 15]);
    for (const { codec, decoder, frames } of codecs) {
      const profile = { hash: bytes(decoder), ...profileFromBytes(bytes(codec)) };
      for (const { frame, symbols, quality } of frames) {
        const decoded = decodeFrame(profile, bytes(frame));
        expect([...decoded.symbols]).toEqual(symbols.flat());
        expect(decoded.header.quality).toBe(quality);
      }
    }
  });
});

const hasPython = spawnSync('python3', ['--version']).status === 0;
if (!hasPython) console.warn('NOT RUN: there is no python3 for examples/python/hourglass_frame.py');

describe.skipIf(!hasPython)('examples/python/hourglass_frame.py', () => {
  const folder = path.resolve(import.meta.dirname, '../../examples/python');
  const run = (code: string) =>
    spawnSync('python3', ['-c', code, vectorsFile], {
      cwd: folder,
      encoding: 'utf8',
      env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1' },
    });

  it('decodes and encodes every vector of the kinds that it has, to the same bytes', () => {
    const { stdout, stderr, status } = run(`
import json, sys
from hourglass_frame import Codec, KINDS
done = 0
for vectors in json.load(open(sys.argv[1]))["codecs"]:
    codec = Codec(bytes.fromhex(vectors["codec"]), bytes.fromhex(vectors["decoder"]))
    for v in vectors["frames"]:
        if v["kind"] not in KINDS: continue
        frame = bytes.fromhex(v["frame"])
        assert codec.decode(frame) == (v["quality"], v["symbols"]), v
        assert codec.encode(v["symbols"], v["quality"], v["kind"]) == frame, v
        if "codes" in v: assert codec.quantise(v["quality"], v["codes"]) == v["symbols"], v
        done += 1
print(done)`);
    expect({ stdout: stdout.trim(), stderr, status }).toEqual({ stdout: '24', stderr: '', status: 0 });
  });

  it('refuses damaged frames and those of another decoder', () => {
    const { stdout, stderr } = run(`
import json, sys
from hourglass_frame import Codec
vectors = json.load(open(sys.argv[1]))["codecs"][0]
codec = Codec(bytes.fromhex(vectors["codec"]), bytes.fromhex(vectors["decoder"]))
frame = bytes.fromhex(vectors["frames"][1]["frame"])
refused = 0
for i in range(1, len(frame)):
    damaged = frame[:i] + bytes([frame[i] ^ 1]) + frame[i + 1:]
    try: codec.decode(damaged)
    except ValueError: refused += 1
print(refused == len(frame) - 1)`);
    expect({ stdout: stdout.trim(), stderr }).toEqual({ stdout: 'True', stderr: '' });
  });
});
