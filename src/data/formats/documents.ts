/**
 * Documents one by one: the files of an archive, whose folder is the class; the rows of a table with a column of text; else the lines
 * of a text.
 */

import type { SourceFacts } from '../source-facts.ts';
import { type ArchiveFile, ArchiveNotes, shown } from './archive.ts';
import { readRecords, readTextHead } from './csv-records.ts';
import { openDocumentPart } from './detect.ts';
import { linesOf } from './lines.ts';
import { invalid, type ParseContext, type StoredPart } from './source.ts';
import { encodingNamed, type Text } from './text.ts';

export interface GivenDocument {
  readonly text: string;
  /** its path in the archive, its title in the table, or its number */
  readonly name: string;
  /** absent: the part has no classes */
  readonly label?: string;
}

export interface DocumentSource {
  readonly facts: SourceFacts;
  readonly labels?: 'column' | 'folders';
  readonly documents: AsyncIterable<GivenDocument>;
}

const delimiters = [',', ';', '\t', '|'] as const;
const textNames = /^(text|document|body|content|abstract|message|review|article|sentence|comment|description)s?$/i;
const titleNames = /^(title|name|id|document[ _-]?id|doc[ _-]?id|subject|headline|file)$/i;

/** Throws `invalid-dataset`, `unsupported-dataset`. */
export async function openDocuments(part: StoredPart, context: ParseContext): Promise<DocumentSource> {
  const opened = await openDocumentPart(part, context);
  if (opened.format !== 'csv') return archived(part, opened.format, opened.read, context);
  const table = await findTable(part, opened.text, context);
  return table ? tabled(part, opened.text, table, context) : lined(part, opened.text, context);
}

function archived(
  part: StoredPart,
  format: 'zip' | 'tar',
  read: (notes: ArchiveNotes) => AsyncIterable<ArchiveFile>,
  { options, warn }: ParseContext,
): DocumentSource {
  const encoding = options.encoding === undefined ? 'utf-8' : encodingNamed(options.encoding);
  const withFolders = options.classFolders !== false;
  async function* documents(): AsyncGenerator<GivenDocument> {
    const notes = new ArchiveNotes();
    for await (const { name, bytes } of read(notes)) {
      const text = decode(part, name, bytes, encoding);
      const folder = name.split('/').at(-2) ?? '';
      yield { text, name, ...(withFolders && { label: folder }) };
    }
    notes.tell(part, warn);
  }
  return { facts: { format }, ...(withFolders && { labels: 'folders' as const }), documents: documents() };
}

function decode(part: StoredPart, name: string, bytes: Uint8Array, encoding: string): string {
  try {
    const text = new TextDecoder(encoding, { fatal: true }).decode(bytes);
    if (!text.includes('\0')) return text;
  } catch {
    // said below
  }
  const advice = encoding === 'utf-8' ? 'Declare the encoding of all files, such as ?encoding=windows-1252.' : '';
  throw invalid(part, `the file ${shown(name)} is not text in ${encoding}. Leave out other files. ${advice}`.trim(), {
    field: name,
    expected: encoding,
  });
}

function lined(part: StoredPart, text: Text, { limits }: ParseContext): DocumentSource {
  async function* documents(): AsyncGenerator<GivenDocument> {
    let number = 0;
    for await (const line of linesOf(part, text, limits.imageBytes)) {
      number++;
      if (line.trim() !== '') yield { text: line, name: String(number) };
    }
  }
  return { facts: { format: 'csv', encoding: text.encoding }, documents: documents() };
}

interface Table {
  readonly delimiter: string;
  /** absent: it has no header line */
  readonly header?: readonly string[];
  readonly textAt: number;
  /** -1: none */
  readonly labelAt: number;
  readonly titleAt: number;
}

/** Undefined: its lines are documents. */
async function findTable(part: StoredPart, text: Text, { options }: ParseContext): Promise<Table | undefined> {
  const { textColumn, labelColumn, header: says } = options;
  const head = await readTextHead(text);
  const isAsked = textColumn !== undefined || labelColumn !== undefined || says === true;
  const found = (options.delimiter === undefined ? delimiters : [options.delimiter])
    .map((delimiter) => ({ delimiter, names: firstRecord(head, delimiter) }))
    .toSorted((a, b) => b.names.length - a.names.length)
    .find(({ names }) => isAsked || findText(names, textColumn) >= 0);
  if (!found) return undefined;
  const { delimiter, names } = found;
  const hasHeader = says ?? (typeof textColumn !== 'number' || names.some((name) => name === labelColumn));
  const header = hasHeader ? names : undefined;
  const place = (wanted: string | number | undefined, what: string, field: string): number => {
    if (wanted === undefined) return -1;
    const at = typeof wanted === 'number' ? wanted : (header?.indexOf(wanted) ?? -1);
    if (at >= 0 && at < names.length) return at;
    const there = header ? `: ${header.slice(0, 20).join(', ')}` : ' and no header line';
    throw invalid(
      part,
      `there is no ${what} column ${JSON.stringify(wanted)}. The file has ${names.length} columns${there}.`,
      { field, found: wanted },
    );
  };
  const textAt = textColumn === undefined ? findText(names, undefined) : place(textColumn, 'text', 'textColumn');
  if (textAt < 0) {
    throw invalid(part, `no column is called "text". Name the one that holds the documents: "textColumn".`, {
      field: 'textColumn',
      found: names.slice(0, 20),
    });
  }
  const labelAt = place(labelColumn, 'label', 'labelColumn');
  const titleAt = header?.findIndex((name, at) => at !== textAt && at !== labelAt && titleNames.test(name)) ?? -1;
  return { delimiter, ...(header && { header }), textAt, labelAt, titleAt };
}

const findText = (names: readonly string[], wanted: string | number | undefined): number =>
  wanted === undefined
    ? names.findIndex((name) => textNames.test(name))
    : typeof wanted === 'number'
      ? wanted
      : names.indexOf(wanted);

/** Names stand in no quotes but plain ones; a record that goes over several lines is no header. */
const firstRecord = (head: string, delimiter: string): string[] =>
  (/^[^\r\n]*/.exec(head)?.[0] ?? '').split(delimiter).map((name) => name.trim().replace(/^"(.*)"$/, '$1'));

function tabled(part: StoredPart, text: Text, table: Table, { limits }: ParseContext): DocumentSource {
  const { delimiter, header, textAt, labelAt, titleAt } = table;
  async function* documents(): AsyncGenerator<GivenDocument> {
    let row = header ? -1 : 0;
    for await (const record of readRecords(part, text, { delimiter })) {
      if (row++ < 0) continue;
      if (row > limits.rows) throw invalid(part, `it has more than the ${limits.rows} documents that are allowed.`);
      const [body, label] = [record[textAt], labelAt < 0 ? '' : record[labelAt]];
      if (body === undefined || label === undefined) {
        throw invalid(part, `document ${row} has ${record.length} columns; too few.`, { field: `row ${row}` });
      }
      const title = titleAt < 0 ? '' : (record[titleAt] ?? '').trim().slice(0, 200);
      yield { text: body, name: title || String(row), ...(labelAt >= 0 && { label }) };
    }
  }
  return {
    facts: {
      ...{ format: 'csv', encoding: text.encoding, delimiter, header: header !== undefined },
      ...(labelAt >= 0 && { labelColumn: header?.[labelAt] ?? labelAt }),
    },
    ...(labelAt >= 0 && { labels: 'column' as const }),
    documents: documents(),
  };
}
