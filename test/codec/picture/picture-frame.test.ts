// Pictures as frames of kind 5: every symbol comes back, a damaged tile is told and touches no other, nothing else ever escapes.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { HourglassError } from '../../../src/base/errors.ts';
import { countClass, countsOfClass } from '../../../src/codec/picture/contexts.ts';
import { bandOf, coefficientsOf, stepCount, stepUnits } from '../../../src/codec/picture/picture-codec.ts';
import { pictureCodecFromBytes, pictureCodecToBytes } from '../../../src/codec/picture/picture-codec-bytes.ts';
import { encodePicture, openPictureFrame } from '../../../src/codec/picture/picture-frame.ts';
import { parsePictureHeader, tilesOf } from '../../../src/codec/picture/picture-header.ts';
import { quantiseTile } from '../../../src/codec/picture/quantise.ts';
import { reconstruct } from '../../../src/codec/picture/reconstruct.ts';
import { encodeTile } from '../../../src/codec/picture/tile-coder.ts';
import { analyse } from '../../../src/codec/picture/transform.ts';
import { fittedProfile, picture, withoutNetwork } from './pictures.ts';

const maxPixels = 2 ** 24;
const gray = fittedProfile(1, [16, 32, 48]);
const colour = fittedProfile(3, [32]);
const alpha = fittedProfile(4, [32]);
const codeOf = (work: () => unknown): string => {
  try {
    work();
    return 'no error';
  } catch (error) {
    if (error instanceof HourglassError) return error.code;
    throw error;
  }
};

describe.each([
  ['gray', gray],
  ['colour', colour],
  ['with alpha', alpha],
] as const)('a frame of a picture, %s', (_, profile) => {
  const { codec } = profile;
  const raster = picture(9, 150, 70, codec.channels);

  it.each([0, 0.15])('gives back every symbol that was chosen with a trade of %s', (trade) => {
    for (const step of [8, 32, 60]) {
      const { frame } = encodePicture(profile, raster, { step, trade, tileLog: 3 });
      const open = openPictureFrame(profile, frame, maxPixels);
      expect(open.header).toMatchObject({ width: 150, height: 70, step });
      expect(open.header.tiles).toHaveLength(6);
      for (const tile of open.header.tiles) {
        const { symbols } = quantiseTile(codec, bandOf(codec, step), analyse(codec, raster, tile), tile, {
          step,
          trade,
        });
        expect(open.tile(tile.index)).toEqual(symbols);
      }
    }
  });

  it('comes close to the picture in small steps', async () => {
    const whole = picture(5, 60, 52, codec.channels);
    const { frame, squaredError } = encodePicture(profile, whole, { step: 4, trade: 0 });
    const { raster: found } = await reconstruct(profile, frame, { margin: 1, maxPixels, run: withoutNetwork(codec) });
    let squares = 0;
    for (const [i, value] of found.data.entries()) squares += (value - (whole.data[i] as number)) ** 2;
    const meanSquare = squares / whole.data.length;
    expect(meanSquare).toBeLessThan(0.5);
    // values are rounded to 8 bits besides
    expect(Math.abs(squaredError + 1 / 12 - meanSquare)).toBeLessThan(0.1);
  });

  it('is the same after the codec has been written and read', () => {
    const bytes = pictureCodecToBytes(codec);
    const read = pictureCodecFromBytes(bytes);
    expect(pictureCodecToBytes(read)).toEqual(bytes);
    const { frame } = encodePicture({ ...profile, codec: read }, raster, { step: 30 });
    expect(frame).toEqual(encodePicture(profile, raster, { step: 30 }).frame);
  });
});

describe('encoding', () => {
  const raster = picture(7, 200, 100, 3);

  it.each([gray, colour, alpha])('analyses a part of a picture to the integers of the whole', ({ codec }) => {
    const odd = picture(13, 131, 77, codec.channels);
    const whole = analyse(codec, odd, { row: 0, column: 0, height: 10, width: 17 });
    const size = coefficientsOf(codec);
    for (const area of [
      { row: 1, column: 2, height: 9, width: 15 },
      { row: 0, column: 0, height: 1, width: 1 },
      { row: 4, column: 5, height: 2, width: 3 },
    ]) {
      const part = analyse(codec, odd, area);
      for (let y = 0; y < area.height; y++) {
        const from = ((area.row + y) * 17 + area.column) * size;
        expect(part.subarray(y * area.width * size, (y + 1) * area.width * size)).toEqual(
          whole.subarray(from, from + area.width * size),
        );
      }
    }
  });

  it('takes fewer bytes in larger steps', () => {
    const sizes = [16, 24, 32, 40, 48, 56].map((step) => encodePicture(colour, raster, { step }).frame.length);
    expect(sizes).toEqual(sizes.toSorted((a, b) => b - a));
  });

  it('lowers the sum of error and priced bits by looking for cheap symbols', () => {
    const step = 32;
    const cost = (trade: number): number => {
      const { frame, squaredError } = encodePicture(colour, raster, { step, trade });
      const squares = (squaredError * 200 * 104 * 3) / (stepUnits(step) / 16) ** 2;
      return squares + 0.15 * 8 * frame.length;
    };
    expect(cost(0.15)).toBeLessThan(0.99 * cost(0));
  });

  it.each([
    [1, 1],
    [1, 700],
    [9, 8],
  ])('takes a picture of %i × %i pixels', (width, height) => {
    const small = picture(3, width, height, 3);
    const open = openPictureFrame(colour, encodePicture(colour, small, { step: 30 }).frame, maxPixels);
    expect(open.header).toMatchObject({ width, height });
    expect(open.header.tiles.every(({ index }) => open.tile(index) !== undefined)).toBe(true);
  });

  it('ignores further channels of the data', () => {
    const wide = new Uint8Array(200 * 100 * 4).fill(255);
    for (let i = 0; i < 200 * 100; i++) wide.set(raster.data.subarray(3 * i, 3 * i + 3), 4 * i);
    const { frame } = encodePicture(colour, { ...raster, channels: 4, data: wide }, { step: 30 });
    expect(frame).toEqual(encodePicture(colour, raster, { step: 30 }).frame);
  });
});

describe('the search for cheap symbols', () => {
  it.each([gray, colour])('notes the tables that a reader will find', ({ codec }) => {
    const raster = picture(7, 200, 100, codec.channels);
    const area = { row: 0, column: 0, width: 25, height: 13 };
    for (const step of [16, 32, 48]) {
      const band = bandOf(codec, step);
      const { contexts, ...tile } = quantiseTile(codec, band, analyse(codec, raster, area), area, { step });
      expect(contexts).toBeDefined();
      expect(encodeTile(codec, band, { ...tile, ...(contexts && { contexts }) })).toEqual(
        encodeTile(codec, band, tile),
      );
    }
  });
});

describe('damage', () => {
  const raster = picture(11, 200, 130, 1);
  const { frame } = encodePicture(gray, raster, { step: 24, tileLog: 3 });
  const whole = openPictureFrame(gray, frame, maxPixels);
  const tiles = whole.header.tiles.map(({ index }) => whole.tile(index));

  it('of one tile leaves all others as they are', () => {
    const { from, bytes } = whole.header.tiles[4] as (typeof whole.header.tiles)[number];
    const damaged = frame.slice();
    damaged[from + (bytes >> 1)] = (damaged[from + (bytes >> 1)] as number) ^ 16;
    const open = openPictureFrame(gray, damaged, maxPixels);
    const found = open.header.tiles.map(({ index }) => open.tile(index));
    expect(found).toEqual(tiles.map((tile, i) => (i === 4 ? undefined : tile)));
  });

  it('of the end loses the last tiles alone', () => {
    const cut = frame.subarray(0, (whole.header.tiles[7] as { from: number }).from + 3);
    const open = openPictureFrame(gray, cut, maxPixels);
    expect(open.tile(6)).toEqual(tiles[6]);
    expect(open.header.tiles.filter(({ index }) => open.tile(index) === undefined).map(({ index }) => index)).toEqual(
      tiles.map((_, i) => i).slice(7),
    );
  });

  it('of the head is refused, as is the frame of another model', () => {
    for (let at = 1; at < whole.header.length; at++) {
      const damaged = frame.slice();
      damaged[at] = (damaged[at] as number) ^ 1;
      expect(['frame-checksum', 'invalid-frame'], `byte ${at}`).toContain(
        codeOf(() => openPictureFrame(gray, damaged, maxPixels)),
      );
    }
    const other = { ...gray, hash: gray.hash.map((byte, i) => (i > 8 ? byte ^ 1 : byte)) };
    expect(codeOf(() => openPictureFrame(other, frame, maxPixels))).toBe('frame-checksum');
  });

  it('of any kind is refused or told, whatever bytes come', () => {
    let state = 12345;
    const next = (below: number): number => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return state % below;
    };
    const outcomes = new Map<string, number>();
    for (let i = 0; i < 3000; i++) {
      let bytes = frame.slice(0, next(8) === 0 ? next(frame.length + 1) : frame.length);
      for (let n = next(4) + 1; n > 0 && bytes.length > 0; n--) bytes[next(Math.min(bytes.length, 60))] = next(256);
      if (next(20) === 0) bytes = Uint8Array.from([0x50, ...bytes]);
      const outcome = codeOf(() => {
        const open = openPictureFrame(gray, bytes, maxPixels);
        for (const { index } of open.header.tiles) open.tile(index);
      });
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }
    expect([...outcomes.keys()].toSorted()).toEqual(
      ['frame-checksum', 'image-too-large', 'invalid-frame', 'no error', 'unsupported-frame-version'].filter((code) =>
        outcomes.has(code),
      ),
    );
    expect(outcomes.get('frame-checksum')).toBeGreaterThan(500);
  });

  it('that claims a large picture in few bytes costs no memory', () => {
    const claim = Uint8Array.from([0x50, 0, 0, 0, 0, 0xff, 0xff, 3, 0xff, 0xff, 3, 24, 8, 0, 0, ...new Uint8Array(40)]);
    expect(codeOf(() => parsePictureHeader(claim, 2 ** 33))).toBe('invalid-frame');
    expect(codeOf(() => parsePictureHeader(claim, maxPixels))).toBe('image-too-large');
  });
});

describe('the parts', () => {
  it('cover the picture with tiles, each block once', () => {
    for (const [width, height, log] of [
      [100, 60, 2],
      [8, 8, 0],
      [513, 512, 6],
    ] as const) {
      const tiles = tilesOf({ width, height }, log);
      const blocks = tiles.reduce((sum, tile) => sum + tile.width * tile.height, 0);
      expect(blocks).toBe(Math.ceil(width / 8) * Math.ceil(height / 8));
    }
  });

  it('tell every count by its class and bits', () => {
    for (let count = 0; count <= 256; count++) {
      const [number, bits, rest] = countClass(count);
      expect(countsOfClass(number)).toEqual([count - rest, bits]);
    }
  });

  it('have steps that double every eighth', () => {
    for (let step = 8; step < stepCount; step++) {
      expect(Math.abs(stepUnits(step) - 2 * stepUnits(step - 8))).toBeLessThanOrEqual(1);
      expect(stepUnits(step)).toBe(Math.round(16 * 2 ** (step / 8)));
    }
  });
});

describe('docs/picture-vectors.json', () => {
  const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'));
  const file = path.resolve(import.meta.dirname, '../../../docs/picture-vectors.json');
  const { codec, decoder, pictures } = JSON.parse(readFileSync(file, 'utf8'));

  it('is what the codec makes of its pictures, byte for byte', () => {
    const profile = { hash: hex(decoder), codec: pictureCodecFromBytes(hex(codec)) };
    expect(pictures).toHaveLength(4);
    for (const { width, height, channels, pixels, step, trade, tileLog, frame } of pictures) {
      const raster = { width, height, channels, data: hex(pixels) };
      expect(Buffer.from(encodePicture(profile, raster, { step, trade, tileLog }).frame).toString('hex')).toBe(frame);
    }
  });
});
