import { crc32, deflateSync } from 'node:zlib';
import fc from 'fast-check';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { HourglassError } from '../../src/base/errors.ts';
import { decodeImage, imageToRow, inspectImage, pictureShape, rowToPng } from '../../src/data/image.ts';
import { toPixels } from '../../src/picture/gray-scale.ts';
import { refusal } from './importing.ts';
import { picture } from './pictures.ts';

const maxPixels = 2 ** 24;
const gray = (height: number, width: number) => ({ shape: { height, width, channels: 1 }, maxPixels });

describe('decodeImage', () => {
  it('gives the pixels of PNG and lossless WebP exactly, of JPEG nearly', async () => {
    const color = [250, 100, 7];
    const shape = { height: 3, width: 4, channels: 3 };
    for (const format of ['png', 'webp', 'jpeg'] as const) {
      const row = await decodeImage(await picture({ channels: 3, color, format }), { shape, maxPixels });
      expect(row).toHaveLength(36);
      for (const [i, value] of row.entries()) {
        expect(Math.abs(value - color[i % 3]!)).toBeLessThanOrEqual(format === 'jpeg' ? 2 : 0);
      }
    }
  });

  it('refuses a PNG with a wrong checksum in any chunk, or without its end', async () => {
    const png = Buffer.from(await picture({ format: 'png' }));
    const starts: number[] = [];
    for (let at = 8; at < png.length; at += 12 + png.readUInt32BE(at)) starts.push(at);
    const types = starts.map((at) => png.toString('latin1', at + 4, at + 8));
    expect(types).toEqual(expect.arrayContaining(['IHDR', 'IDAT', 'IEND']));
    for (const [i, at] of starts.entries()) {
      const damaged = Buffer.from(png);
      const last = at + 11 + png.readUInt32BE(at);
      damaged[last] = (png[last] as number) ^ 1;
      const error = await refusal(decodeImage(damaged, gray(3, 4)), 'image-unreadable');
      if (types[i] === 'IEND') expect(error.message).toMatch(/chunk IEND is wrong/);
    }
    const cut = await refusal(decodeImage(png.subarray(0, -12), gray(3, 4)), 'image-unreadable');
    expect(cut.message).toMatch(/IEND/);
    const followed = Buffer.concat([png, Buffer.from('a comment of some tool')]);
    expect(await decodeImage(followed, gray(3, 4))).toEqual(await decodeImage(png, gray(3, 4)));
  });

  it('keeps the order of rows and columns', async () => {
    const pixels = Uint8Array.of(0, 50, 100, 150, 200, 250);
    const file = await sharp(pixels, { raw: { width: 3, height: 2, channels: 1 } })
      .png()
      .toBuffer();
    expect([...(await decodeImage(file, gray(2, 3)))]).toEqual([...pixels]);
    expect((await imageToRow(file, gray(2, 3)))[5]).toBe(Math.fround(250 / 255));
  });

  it('makes gray, color and alpha as wanted', async () => {
    const red = await picture({ channels: 3, color: [255, 0, 0] });
    const [luminance] = await decodeImage(red, gray(3, 4));
    expect(luminance).toBeGreaterThan(40);
    expect(luminance).toBeLessThan(140);
    const wanted = (channels: number) => ({ shape: { height: 3, width: 4, channels }, maxPixels });
    expect([...(await decodeImage(await picture({ color: 9 }), wanted(3))).slice(0, 3)]).toEqual([9, 9, 9]);
    const faint = await picture({ channels: 4, color: [200, 200, 200, 51] });
    expect([...(await decodeImage(faint, wanted(4))).slice(0, 4)]).toEqual([200, 200, 200, 51]);
    expect([...(await decodeImage(faint, gray(3, 4))).slice(0, 1)]).toEqual([40]);
    expect([...(await decodeImage(red, wanted(4))).slice(0, 4)]).toEqual([255, 0, 0, 255]);
  });

  it('refuses another size unless resizing was asked for', async () => {
    const file = await picture({ width: 8, height: 8 });
    const error = await refusal(decodeImage(file, gray(3, 4)), 'shape-mismatch');
    expect(error.facts).toEqual({ expected: [3, 4], found: [8, 8] });
    const row = await decodeImage(file, { ...gray(3, 4), resize: true });
    expect([...row]).toEqual(Array<number>(12).fill(100));
  });

  it('turns pictures as their EXIF says', async () => {
    const pixels = Uint8Array.of(0, 0, 0, 255, 255, 255);
    const flat = sharp(pixels, { raw: { width: 6, height: 1, channels: 1 } });
    const file = await flat.withMetadata({ orientation: 6 }).png().toBuffer();
    expect(await inspectImage(file, maxPixels)).toMatchObject({ height: 6, width: 1 });
    expect([...(await decodeImage(file, gray(6, 1)))]).toEqual([...pixels]);
  });

  it('reads CMYK and 16-bit pictures as 8-bit ones', async () => {
    const raw = { width: 4, height: 3, channels: 3 as const };
    const rgb = sharp(new Uint8Array(36).fill(128), { raw });
    const cmyk = await rgb.clone().toColourspace('cmyk').jpeg({ quality: 100 }).toBuffer();
    for (const value of await decodeImage(cmyk, gray(3, 4))) expect(Math.abs(value - 128)).toBeLessThan(25);
    const deep = await sharp(new Uint16Array(12).fill(65_535), { raw: { width: 4, height: 3, channels: 1 } })
      .toColourspace('grey16')
      .png()
      .toBuffer();
    expect((await sharp(deep).metadata()).depth).toBe('ushort');
    expect([...(await decodeImage(deep, gray(3, 4)))]).toEqual(Array<number>(12).fill(255));
  });
});

/** A PNG of one bit a pixel with this packed content. */
function bilevelPng(width: number, height: number, packed: Uint8Array): Uint8Array {
  const chunk = (type: string, data: Uint8Array) => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const frame = Buffer.alloc(8);
    frame.writeUInt32BE(data.length, 0);
    frame.writeUInt32BE(crc32(body), 4);
    return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header[8] = 1;
  const signature = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');
  return Buffer.concat([signature, chunk('IHDR', header), chunk('IDAT', packed), chunk('IEND', new Uint8Array(0))]);
}

describe('hostile pictures', () => {
  it('refuses too many pixels from the header alone', async () => {
    const side = 16_000;
    const blank = bilevelPng(side, side, deflateSync(new Uint8Array(side * (side / 8 + 1))));
    expect(blank.length).toBeLessThan(40_000);
    const before = process.memoryUsage().rss;
    const work = () => decodeImage(blank, { ...gray(28, 28), resize: true });
    expect((await refusal(work(), 'image-too-large')).facts).toEqual({ expected: maxPixels, found: side * side });
    for (let i = 0; i < 20; i++) await refusal(work(), 'image-too-large');
    await refusal(
      decodeImage(bilevelPng(50_000, 50_000, deflateSync(new Uint8Array(9))), gray(28, 28)),
      'image-too-large',
    );
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * 2 ** 20);
    await refusal(decodeImage(bilevelPng(40, 40, deflateSync(new Uint8Array(9))), gray(40, 40)), 'image-unreadable');
  });

  it('refuses a side of more than 65,535 pixels, in which a single line would block others', async () => {
    const [long, longest] = [65_536, 65_535];
    const options = { ...gray(1, 1), resize: true, maxPixels: long };
    for (const [width, height] of [
      [long, 1],
      [1, long],
    ] as const) {
      const blank = bilevelPng(width, height, deflateSync(new Uint8Array((Math.ceil(width / 8) + 1) * height)));
      const { facts } = await refusal(decodeImage(blank, options), 'image-too-large');
      expect(facts).toEqual({ expected: longest, found: long });
    }
    const taken = bilevelPng(longest, 1, deflateSync(new Uint8Array(longest / 8 + 2)));
    expect(await decodeImage(taken, options)).toHaveLength(1);
  });

  it('takes the smallest picture', async () => {
    expect([...(await decodeImage(await picture({ width: 1, height: 1, color: 3 }), gray(1, 1)))]).toEqual([3]);
  });

  it('starts no decoder for anything but PNG, JPEG and WebP', async () => {
    const svg = Buffer.from(
      '<svg xmlns="http://www.w3.org/2000/svg" width="4" height="3"><rect width="4" height="3"/></svg>',
    );
    const others = [
      svg,
      await picture({ format: 'gif' }),
      await picture({ format: 'tiff' }),
      new Uint8Array(0),
      Buffer.from('RIFF'),
    ];
    for (const bytes of others) await refusal(decodeImage(bytes, gray(3, 4)), 'image-unreadable');
  });

  it('refuses pictures that are cut at any place', async () => {
    for (const format of ['png', 'jpeg', 'webp'] as const) {
      const whole = await sharp(
        new Uint8Array(3072).map((_, i) => (i * 37) % 256),
        { raw: { width: 32, height: 32, channels: 3 } },
      )
        .toFormat(format)
        .toBuffer();
      for (let i = 1; i <= 8; i++) {
        await refusal(
          decodeImage(whole.subarray(0, Math.floor((whole.length * i) / 9)), gray(32, 32)),
          'image-unreadable',
        );
      }
    }
  });

  it('fuzz: changed pictures decode or are refused, never a crash', async () => {
    const files = await Promise.all((['png', 'jpeg', 'webp'] as const).map((format) => picture({ format })));
    const change = fc.tuple(fc.nat(1000), fc.nat(255));
    await fc.assert(
      fc.asyncProperty(fc.nat(2), fc.array(change, { minLength: 1, maxLength: 4 }), async (which, changes) => {
        const bytes = Buffer.from(files[which]!);
        for (const [at, value] of changes) bytes[at % bytes.length] = value;
        const result = await decodeImage(bytes, { ...gray(3, 4), maxPixels: 2 ** 20 }).catch(
          (thrown: unknown) => thrown,
        );
        if (!(result instanceof HourglassError)) expect(result).toHaveLength(12);
      }),
      { numRuns: 200 },
    );
  });
});

describe('rowToPng', () => {
  it('is read back as it was, cut to the range', async () => {
    const row = Float32Array.of(0, 0.5, 1, -3, 7, 0.2);
    const back = await decodeImage(await rowToPng(row, [2, 3, 1]), gray(2, 3));
    expect([...back]).toEqual([0, 128, 255, 0, 255, 51]);
    expect((await sharp(await rowToPng(row, [2, 3])).metadata()).space).toBe('b-w');
    expect((await sharp(await rowToPng(row, [1, 2, 3])).metadata()).channels).toBe(3);
    expect([...toPixels(Float32Array.of(-1, 0, 1), [-1, 1])]).toEqual([0, 128, 255]);
    expect([...toPixels(Float32Array.of(5, 5), [5, 5])]).toEqual([0, 0]);
  });

  it('refuses rows that are not pictures', async () => {
    for (const shape of [[6], [2, 3, 2], [1, 2, 3, 1], []]) {
      await refusal(rowToPng(new Float32Array(6), shape), 'shape-mismatch');
    }
    expect(() => pictureShape([784])).toThrow('[784]');
  });
});
