import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
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
