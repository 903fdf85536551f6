import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { HourglassError } from '../../src/base/errors.ts';
import { type TarEntry, tar, type ZipEntry, zip } from './archives.ts';
import { idx } from './arrays.ts';
import { importParts, noHoldOut, refusal } from './importing.ts';
import { picture } from './pictures.ts';

let dark: Uint8Array;
let light: Uint8Array;
beforeAll(async () => {
  dark = await picture({ color: 10 });
  light = await picture({ color: 200 });
});

const constant = (value: number) => Array<number>(12).fill(Math.fround(value / 255));

describe('archives of pictures', () => {
  it('reads zip, tar and tar.gz; folders are classes', async () => {
    const files = [
      { name: 'set/light/1.png', data: light },
      { name: 'set/dark/2.png', data: dark },
      { name: 'set/light/3.png', data: light },
    ];
    const folder = { name: 'set/', store: true };
    const clutter = [
      { name: '__MACOSX/set/._1.png', data: dark },
      { name: 'set/.DS_Store', data: dark },
    ];
    const archives = [
      zip([folder, ...files, ...clutter]),
      zip(files.map((file) => ({ ...file, store: true }))),
      tar([{ name: 'set/', type: '5' }, ...files, ...clutter]),
      gzipSync(tar(files)),
    ];
    for (const archive of archives) {
      const { manifest, values, labels } = await importParts(archive, noHoldOut);
      expect(manifest).toMatchObject({ shape: [3, 4, 1], dtype: 'uint8', divisor: 255, classNames: ['dark', 'light'] });
      expect([...values.train]).toEqual([...constant(200), ...constant(10), ...constant(200)]);
      expect(labels.train).toEqual([1, 0, 1]);
    }
  });

  it('has no classes with one folder or when told so, and no mixture', async () => {
    const one = [
      { name: 'all/1.png', data: light },
      { name: 'all/2.png', data: dark },
    ];
    expect((await importParts(zip(one), noHoldOut)).manifest.classNames).toBeUndefined();
    const two = [...one, { name: 'other/3.png', data: dark }];
    const told = await importParts(zip(two), { ...noHoldOut, classFolders: false });
    expect(told.manifest.classNames).toBeUndefined();
    await refusal(importParts(zip([...one, { name: '3.png', data: dark }]), noHoldOut), 'invalid-dataset');
    const unlabelled = idx(8, [1, 3, 4], new Uint8Array(12));
    await refusal(importParts({ rows: zip(two), 'test-rows': unlabelled }), 'invalid-dataset');
  });

  it('wants all pictures alike, and names the one that is not', async () => {
    const wide = await picture({ width: 5 });
    const color = await picture({ channels: 3, color: [10, 20, 30] });
    const mixed = (other: Uint8Array) =>
      zip([
        { name: 'a.png', data: light },
        { name: 'b.png', data: other },
      ]);
    expect((await refusal(importParts(mixed(wide), noHoldOut), 'shape-mismatch')).facts.field).toBe('b.png');
    expect((await refusal(importParts(mixed(color), noHoldOut), 'shape-mismatch')).facts.field).toBe('b.png');
    const resized = await importParts(mixed(wide), { ...noHoldOut, resize: { height: 2, width: 2 } });
    expect(resized.manifest).toMatchObject({ shape: [2, 2, 1], splits: { train: { rows: 2 } } });
    const colored = await importParts(mixed(color), { ...noHoldOut, grayscale: false });
    expect(colored.manifest.shape).toEqual([3, 4, 3]);
    expect([...colored.values.train.slice(36, 39)]).toEqual([10, 20, 30].map((value) => Math.fround(value / 255)));
    expect((await importParts(mixed(color), { ...noHoldOut, grayscale: true })).manifest.shape).toEqual([3, 4, 1]);
  });

  it('refuses files that are not pictures, or broken, by name', async () => {
    const withFile = (data: Uint8Array) =>
      zip([
        { name: 'a.png', data: light },
        { name: 'x/b.txt', data },
      ]);
    expect((await refusal(importParts(withFile(Buffer.from('hello'))), 'invalid-dataset')).message).toContain(
      'x/b.txt',
    );
    const cut = light.subarray(0, light.length - 20);
    expect((await refusal(importParts(withFile(cut)), 'image-unreadable')).facts.field).toBe('x/b.txt');
    await refusal(importParts(zip([])), 'invalid-dataset');
    await refusal(importParts(tar([{ name: 'only/', type: '5' }])), 'invalid-dataset');
    await refusal(importParts(withFile(light), noHoldOut, { imagePixels: 11 }), 'image-too-large');
    await refusal(importParts(withFile(light), noHoldOut, { imageBytes: 50 }), 'invalid-dataset');
  });

  it('refuses damaged archives', async () => {
    const good = zip([{ name: 'a.png', data: light }]);
    await refusal(importParts(good.subarray(0, good.length - 5)), 'invalid-dataset');
    const whole = tar([
      { name: 'a.png', data: light },
      { name: 'b.png', data: light },
    ]);
    await refusal(importParts(whole.subarray(0, 512 + 40)), 'invalid-dataset');
    const broken = Buffer.from(whole);
    broken.fill(0x41, 1024, 1200);
    await refusal(importParts(broken), 'invalid-dataset');
  });
});

describe('what tools leave in archives', () => {
  const clutter = [
    'cat/.ipynb_checkpoints/1-checkpoint.png',
    '.thumbnails/1.png',
    'cat/@eaDir/1.png/SYNOPHOTO_THUMB_M.jpg',
    '.git/objects/aa/bb',
    '#recycle/1.png',
    '$RECYCLE.BIN/1.png',
    '__MACOSX/cat/._1.png',
    'cat/._1.png',
    'cat/.DS_Store',
    'cat/Thumbs.db',
    'dog/Desktop.ini',
    'dog/__pycache__/x.pyc',
    'dog/~$list.xlsx',
    'dog/1.png~',
  ];

  it.each([
    ['zip', zip],
    ['tar', tar],
  ])('is no class and no row in a %s', async (_, pack) => {
    const files = [
      { name: './cat/1.png', data: light },
      { name: './cat/2.png', data: light },
      { name: './dog/1.png', data: dark },
    ];
    const left = clutter.map((name) => ({ name, data: Buffer.from('not a picture') }));
    const { manifest, labels } = await importParts(pack([...left, ...files]), noHoldOut);
    expect(manifest).toMatchObject({ classNames: ['cat', 'dog'], splits: { train: { rows: 3 } } });
    expect(labels.train).toEqual([0, 0, 1]);
    expect(manifest.warnings).toEqual([expect.stringMatching(/6 pictures were left out.*1-checkpoint\.png/)]);
  });

  it('does not give classes to a flat archive', async () => {
    const flat = [
      { name: '1.png', data: light },
      { name: './2.png', data: dark },
      { name: '.ipynb_checkpoints/1-checkpoint.png', data: light },
    ];
    for (const archive of [zip(flat), tar(flat)]) {
      const { manifest } = await importParts(archive, noHoldOut);
      expect(manifest.classNames).toBeUndefined();
      expect(manifest.splits.train.rows).toBe(2);
    }
  });

  it('may be larger than a picture', async () => {
    const files = [
      { name: 'a.png', data: light },
      { name: '.git/objects/pack', data: new Uint8Array(9000) },
    ];
    for (const archive of [zip(files), tar(files)]) {
      expect((await importParts(archive, noHoldOut, { imageBytes: 2000 })).manifest.splits.train.rows).toBe(1);
    }
  });
});

describe('names of entries', () => {
  it('may be divided by backslashes, as PowerShell 5 and .NET 4 write them', async () => {
    const files = [
      { name: 'set\\', store: true },
      { name: 'set\\cat\\1.png', data: light },
      { name: 'set\\cat\\.hidden\\1.png', data: dark },
      { name: 'set\\dog\\1.png', data: dark },
    ];
    const { manifest } = await importParts(zip(files), noHoldOut);
    expect(manifest).toMatchObject({ classNames: ['cat', 'dog'], splits: { train: { rows: 2 } } });
  });

  it('keep their characters: UTF-8 with and without its mark, cp437, and what is declared', async () => {
    const inBytes = (name: string, encoding: 'utf8' | 'latin1') =>
      zip(
        ['Bär', 'Bör'].map((folder, i) => ({
          name: Buffer.from(`${folder}/${name}${i}.png`, encoding),
          data: i === 0 ? light : dark,
          unmarked: true,
        })),
      );
    expect((await importParts(inBytes('x', 'utf8'), noHoldOut)).manifest).toMatchObject({ classNames: ['Bär', 'Bör'] });
    const declared = await importParts(inBytes('x', 'latin1'), { ...noHoldOut, encoding: 'windows-1252' });
    expect(declared.manifest.classNames).toEqual(['Bär', 'Bör']);
    expect(declared.manifest.warnings).toBeUndefined();
    const guessed = await importParts(inBytes('x', 'latin1'), noHoldOut);
    expect(guessed.manifest.classNames).toEqual(['B÷r', 'BΣr']);
    expect(guessed.manifest.warnings).toEqual([expect.stringContaining('?encoding=')]);
    const packed = tar([
      { name: Buffer.from('Bär/1.png', 'latin1'), data: light },
      { name: Buffer.from('Bör/1.png', 'utf8'), data: dark },
    ]);
    expect((await importParts(packed, noHoldOut)).manifest.classNames).toEqual(['Bär', 'Bör']);
  });

  it('tells of folders that become one class', async () => {
    const files = ['train/cat', 'train/dog', 'test/cat', 'test/dog'].map((folder) => ({
      name: `${folder}/1.png`,
      data: folder.endsWith('cat') ? light : dark,
    }));
    const { manifest } = await importParts(zip(files), noHoldOut);
    expect(manifest.classNames).toEqual(['cat', 'dog']);
    expect(manifest.warnings).toEqual([
      expect.stringContaining('"train/cat" and "test/cat"'),
      expect.stringContaining('"train/dog" and "test/dog"'),
    ]);
  });
});

describe('transparent pictures', () => {
  /** A stroke of one colour on transparent ground, 3 high and 4 wide. */
  const stroke = async (color: number): Promise<Uint8Array> => {
    const pixels = Uint8Array.from({ length: 48 }, (_, i) => (i % 4 < 3 ? color : i % 16 < 4 ? 255 : 0));
    return sharp(pixels, { raw: { width: 4, height: 3, channels: 4 } })
      .png()
      .toBuffer();
  };
  const packed = async (...colors: number[]) =>
    zip(await Promise.all(colors.map(async (color, i) => ({ name: `${i}.png`, data: await stroke(color) }))));

  it('are laid on what their visible parts stand out from, and the answer says so', async () => {
    const darkInk = await importParts(await packed(0, 0), noHoldOut);
    expect(darkInk.manifest).toMatchObject({ range: [0, 1], preprocessing: { transparency: 'auto' } });
    expect([...darkInk.values.train.slice(0, 9)]).toEqual([0, 0, 0, 1, 1, 1, 1, 1, 1]);
    expect(darkInk.manifest.warnings).toEqual([expect.stringMatching(/2 on white.*"background"/)]);
    const lightInk = await importParts(await packed(255, 255), noHoldOut);
    expect([...lightInk.values.train.slice(0, 4)]).toEqual([1, 1, 1, 0]);
    expect(lightInk.manifest.warnings).toEqual([expect.stringContaining('2 on black')]);
    const mixed = await importParts(await packed(0, 255, 0), noHoldOut);
    expect(mixed.manifest.warnings).toEqual([expect.stringContaining('1 on black, 2 on white')]);
  });

  it('have the background that is asked for, in the set and in its models', async () => {
    const asked = await importParts(await packed(0, 255), { ...noHoldOut, background: '#336699', grayscale: false });
    expect(asked.manifest.preprocessing).toMatchObject({ transparency: '#336699' });
    expect(asked.manifest.warnings).toBeUndefined();
    expect([...asked.values.train.slice(9, 12)]).toEqual([0x33, 0x66, 0x99].map((value) => Math.fround(value / 255)));
    const black = await importParts(await packed(0), { ...noHoldOut, background: 'black' });
    expect(black.manifest).toMatchObject({ range: [0, 0], preprocessing: { transparency: 'black' } });
  });

  it('are not said to be there when all pixels are opaque', async () => {
    const opaque = await picture({ channels: 4, color: [0, 0, 0, 255] });
    const { manifest } = await importParts(zip([{ name: 'a.png', data: opaque }]), noHoldOut);
    expect(manifest.source).toEqual({ format: 'zip' });
    expect(manifest.warnings).toBeUndefined();
  });
});

describe('unsafe archives', () => {
  const names = [
    '../a.png',
    'x/../../a.png',
    '/etc/a.png',
    '\\a.png',
    'C:\\a.png',
    'c:/a.png',
    'x\\..\\a.png',
    'a\0.png',
    `${'x'.repeat(1025)}.png`,
  ];

  it('refuses names that lead out', async () => {
    for (const name of names) {
      const error = await refusal(importParts(zip([{ name, data: light }])), 'unsafe-archive');
      expect(error.message.length).toBeLessThan(300);
    }
    for (const name of names.filter((name) => name.length < 100 && !name.includes('\0'))) {
      await refusal(importParts(tar([{ name, data: light }])), 'unsafe-archive');
    }
    const long = tar([
      { name: '././@LongLink', type: 'L', data: Buffer.from(`${'y/'.repeat(60)}../../a.png\0`) },
      { name: 'y', data: light },
    ]);
    await refusal(importParts(long), 'unsafe-archive');
    const record = ' path=../../a.png\n';
    const pax = `${record.length + 2}${record}`;
    await refusal(
      importParts(
        tar([
          { name: 'p', type: 'x', data: Buffer.from(pax) },
          { name: 'y', data: light },
        ]),
      ),
      'unsafe-archive',
    );
  });

  it('refuses links, devices and pipes', async () => {
    for (const mode of [0o120777, 0o060644, 0o020644, 0o010644, 0o140644]) {
      await refusal(importParts(zip([{ name: 'a.png', data: Buffer.from('/etc/passwd'), mode }])), 'unsafe-archive');
    }
    for (const type of ['1', '2', '3', '4', '6']) {
      await refusal(importParts(tar([{ name: 'a.png', type, link: '/etc/passwd' }])), 'unsafe-archive');
    }
  });

  it('refuses too many entries', async () => {
    const many = Array.from({ length: 100_000 }, (_, i) => ({ name: `${i}`, store: true }));
    await refusal(importParts(zip(many)), 'unsafe-archive');
    const limits = { archiveEntries: 99 };
    await refusal(importParts(zip(many.slice(0, 100)), {}, limits), 'unsafe-archive');
    await refusal(
      importParts(tar(Array.from({ length: 100 }, () => ({ name: 'a.png', data: light }))), {}, limits),
      'unsafe-archive',
    );
  });

  it('refuses overlapping entries', async () => {
    const quine: ZipEntry[] = [
      { name: 'a.png', data: light },
      { name: 'b.png', data: light, offset: 0 },
    ];
    await refusal(importParts(zip(quine)), 'unsafe-archive');
  });

  it('refuses bombs before inflating them, and lies about sizes while doing so', async () => {
    const zeros = new Uint8Array(16 * 2 ** 20);
    const entries = Array.from({ length: 6 }, (_, i) => ({ name: `${i}.png`, data: zeros }));
    await refusal(importParts(zip(entries)), 'unsafe-archive');
    const padded = entries.map(({ name }) => ({ name, data: Buffer.concat([light, zeros]) }));
    expect((await refusal(importParts(gzipSync(tar(padded))), 'unsafe-archive')).message).toContain('100 times');
    await refusal(importParts(zip([{ name: 'a.png', data: zeros, size: 10 }])), 'invalid-dataset');
    await refusal(importParts(tar([{ name: 'a.png', size: 8_589_934_591 }])), 'invalid-dataset');
    await refusal(importParts(tar([{ name: 'long', type: 'L', size: 8_589_934_591 }])), 'invalid-dataset');
  });

  it('refuses what it cannot unpack', async () => {
    await refusal(importParts(zip([{ name: 'a.png', data: light, flags: 1 }])), 'unsupported-dataset');
    await refusal(importParts(zip([{ name: 'a.png', data: light, method: 14 }])), 'unsupported-dataset');
  });

  it('fuzz: changed archives are imported or refused, never a crash', async () => {
    const files: TarEntry[] = [
      { name: 'd/a.png', data: light },
      { name: 'e/b.png', data: dark },
    ];
    const archives = [zip(files), tar(files)];
    const change = fc.tuple(fc.nat(10_000), fc.nat(255));
    await fc.assert(
      fc.asyncProperty(
        fc.nat(1),
        fc.array(change, { minLength: 1, maxLength: 5 }),
        fc.nat(60),
        async (which, changes, cut) => {
          const bytes = Buffer.from(archives[which]!);
          for (const [at, value] of changes) bytes[at % bytes.length] = value;
          const thrown = await importParts(cut < 40 ? bytes : bytes.subarray(0, bytes.length - cut), noHoldOut).then(
            () => undefined,
            (reason: unknown) => reason,
          );
          if (thrown !== undefined) expect(thrown).toBeInstanceOf(HourglassError);
        },
      ),
      { numRuns: 200 },
    );
  });
});
