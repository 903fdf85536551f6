// Lapping: undone it gives the pixels back, and a codec takes it where it makes pictures cheaper.
import { describe, expect, it } from 'vitest';
import { RandomStream } from '../../../src/base/random.ts';
import { isLapped, lap, lappings, noLapping } from '../../../src/codec/picture/lapping.ts';
import { pictureCodecFromBytes, pictureCodecToBytes } from '../../../src/codec/picture/picture-codec-bytes.ts';
import { undoLapping, unlapping } from '../../../src/codec/picture/synthesis.ts';
import { edgesAcross, edgesDown, type Raster } from '../../../src/codec/picture/transform.ts';
import { picturesInMemory } from '../../../src/data/pictures.ts';
import { fitCodec } from '../../../src/train/picture/fit-codec.ts';
import { fittedProfile, picture } from './pictures.ts';

const area = { top: 0, left: 0, height: 24, width: 40 };
const values = (): Int32Array =>
  Int32Array.from(new RandomStream(4, 'values').uniform(new Float32Array(24 * 40), -4000, 4000));

function lapped(lapping: Int16Array): Int32Array {
  const out = values();
  for (const edges of [...edgesAcross(area), ...edgesDown(area)]) lap(out, lapping, edges);
  return out;
}

describe('lapping', () => {
  it('mixes the pixels of both sides of an edge, and is undone', () => {
    const lapping = lappings().at(-1) as Int16Array;
    const mixed = lapped(lapping);
    const original = values();
    const changed = original.map((value, i) => Number(value !== mixed[i]));
    // the outer four pixels have no edge beside them
    expect(changed.some((one, i) => one === 1 && (i % 40 < 4 || i % 40 >= 36) && (i < 160 || i >= 800))).toBe(false);
    expect(changed.reduce((sum, one) => sum + one, 0)).toBeGreaterThan(850);
    const back = Float32Array.from(mixed);
    undoLapping(back, area, 1, unlapping(lapping));
    for (const [i, value] of back.entries()) expect(Math.abs(value - (original[i] as number))).toBeLessThan(3);
  });

  it('changes nothing where there is none', () => {
    expect(lapped(noLapping())).toEqual(values());
  });

  it('that cannot be undone makes a codec unreadable', () => {
    const { codec } = fittedProfile(1, [32]);
    const bytes = pictureCodecToBytes({ ...codec, lapping: new Int16Array(16) });
    expect(() => pictureCodecFromBytes(bytes)).toThrow(expect.objectContaining({ code: 'model-corrupt' }));
  });
});

/** Squares of one colour each, whose edges are those of blocks: mixing them makes dear what was free. */
function squares(seed: number): Raster {
  const random = new RandomStream(seed, 'squares').uniform(new Float32Array(48 * 64), 0, 255);
  const data = new Uint8Array(48 * 64);
  for (let i = 0; i < data.length; i++) data[i] = random[(i >> 9) * 8 + ((i & 63) >> 3)] as number;
  return { width: 64, height: 48, channels: 1, data };
}

describe('a codec', () => {
  it.each([
    ['is lapped for pictures that go on across blocks', (seed: number) => picture(seed, 64, 48, 1), true],
    ['is not for squares of one colour', squares, false],
  ])('%s', async (_, made, expected) => {
    const rasters = [1, 2, 3].map(made);
    expect(isLapped((await fitCodec(picturesInMemory(rasters, 1))).lapping)).toBe(expected);
  });
});
