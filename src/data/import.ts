/**
 * From the spooled parts of an upload to stored rows. All of it is parsed and checked; the caller throws the folder away when
 * anything is wrong.
 *
 *   rows ──► parser ──► blocks of rows ──► hold-out ─┬─► train ─┐
 *   test rows ─► parser ─► blocks of rows ───────────┴─► test ──┴─► writer ─► StoredContent
 */

import { HourglassError } from '../base/errors.ts';
import { type Shape, sameShape, showShape, sizeOf } from '../base/ndarray.ts';
import { parsePart, readLabels } from './formats/detect.ts';
import { type AlignedLabels, alignLabels, type LabelColumn } from './formats/label-file.ts';
import { LabelTable } from './formats/labels.ts';
import { invalid, type ParseContext, type RowSource, type StoredPart } from './formats/source.ts';
import { encodingNamed } from './formats/text.ts';
import { HoldOut } from './hold-out.ts';
import { importDocuments } from './import-documents.ts';
import { importPairs } from './import-pairs.ts';
import { importRatings } from './import-ratings.ts';
import { importSeries } from './import-series.ts';
import type { StoredContent } from './manifest.ts';
import type { SourceFacts } from './source-facts.ts';
import { openSpooled, type SpooledPart } from './spool.ts';
import { DatasetWriter } from './writer.ts';

type Parts = Partial<Record<SpooledPart['role'], StoredPart>>;

/** warnings that an answer lists */
const maxWarnings = 20;

/** Writes the stored form into `folder` and syncs it. Throws what DatasetStore.create names. */
export async function importRows(
  folder: string,
  spooled: readonly SpooledPart[],
  { options, limits }: Pick<ParseContext, 'options' | 'limits'>,
): Promise<StoredContent> {
  const warnings = new Set<string>();
  const warn: ParseContext['warn'] = (part, text) => warnings.add(`${part.label}: ${text}`);
  const context: ParseContext = { options, limits, warn };
  if (options.encoding !== undefined) encodingNamed(options.encoding);
  const parts: Parts = {};
  for (const part of spooled) parts[part.role] = await openSpooled(part, limits);
  const rowsPart = parts.rows;
  if (!rowsPart) throw new HourglassError('invalid-request', 'The upload lacks rows.');
  if (options.kind === 'ratings') {
    if (parts.labels || parts['test-labels']) throw unused('labels', 'ratings have no classes');
    const content = await importRatings(
      folder,
      { rows: rowsPart, testRows: parts['test-rows'], items: parts.items },
      context,
    );
    return withWarnings(content, warnings);
  }
  if (options.kind === 'documents') {
    if (parts.items) throw unused('items', 'documents have none');
    const labels = parts.labels && (await readLabels(parts.labels, context));
    const testLabels = parts['test-labels'] && (await readLabels(parts['test-labels'], context));
    const content = await importDocuments(
      folder,
      { rows: rowsPart, testRows: parts['test-rows'], labels, testLabels },
      context,
    );
    return withWarnings(content, warnings);
  }
  if (options.kind === 'pairs') {
    if (parts.labels || parts['test-labels']) throw unused('labels', 'pairs have no classes');
    if (parts.items) throw unused('items', 'pairs have none');
    const content = await importPairs(folder, { rows: rowsPart, testRows: parts['test-rows'] }, context);
    return withWarnings(content, warnings);
  }
  if (options.kind === 'series') {
    if (parts.items) throw unused('items', 'series have none');
    const labels = parts.labels && (await readLabels(parts.labels, context));
    const testLabels = parts['test-labels'] && (await readLabels(parts['test-labels'], context));
    const content = await importSeries(
      folder,
      { rows: rowsPart, testRows: parts['test-rows'], labels, testLabels },
      context,
    );
    return withWarnings(content, warnings);
  }
  if (parts.items) throw unused('items', 'only ratings have items: say "kind": "ratings"');
  const source = await parsePart(rowsPart, context);
  const shape = finalShape(rowsPart, source.shape, context);
  if (channelsFirst(shape)) warn(rowsPart, channelsFirstWarning(shape));
  const labels = parts.labels && (await readLabels(parts.labels, context));
  const testLabels = parts['test-labels'] && (await readLabels(parts['test-labels'], context));

  const { scale = 'auto', testFraction = 0.1, seed = 0 } = options;
  const writer = await DatasetWriter.create({
    ...{ folder, shape, scale },
    ...{ kind: source.kind, maxBytes: limits.expandedBytes, sizes: source.sizes },
  });
  try {
    const placer = new RowPlacer(writer, new LabelTable(limits.classes), context);
    const testPart = parts['test-rows'];
    const header = await placer.place(source, () => new HoldOut(seed, testPart ? 0 : testFraction), labels);
    if (testPart) {
      const testSource = await parsePart(testPart, { ...context, training: { names: source.names } });
      checkAlike(testPart, testSource, source);
      await placer.place(testSource, () => new HoldOut(seed, 1), testLabels);
    }
    checkSplits(rowsPart, writer, testPart ? 0 : testFraction);
    const content = await finish(placer, rowsPart, !labels && source.labels === 'folders');
    const facts: SourceFacts = { ...source.facts, ...(header !== undefined && { labelsHeader: header }) };
    for (const text of writer.warnings()) warn(rowsPart, text);
    const { preprocessing } = source;
    return withWarnings({ ...content, ...(preprocessing && { preprocessing }), source: facts }, warnings);
  } finally {
    await writer.close();
  }
}

const withWarnings = (content: StoredContent, warnings: ReadonlySet<string>): StoredContent => ({
  ...content,
  ...(warnings.size > 0 && { warnings: [...warnings].slice(0, maxWarnings) }),
});

const unused = (part: string, why: string): HourglassError =>
  new HourglassError('invalid-request', `The upload has a part "${part}", but ${why}.`, { field: part });

async function finish(
  { writer, table }: RowPlacer,
  rowsPart: StoredPart,
  fromFolders: boolean,
): Promise<StoredContent> {
  if (table.classes === 0 || (fromFolders && table.classes < 2)) return writer.finish();
  const labelled = (['train', 'test'] as const).every((split) => table.count(split) === writer.rows(split));
  if (table.has('') || !labelled) {
    throw invalid(rowsPart, `some rows have a class, others have none. ${labelAdvice(fromFolders)}`);
  }
  const { labels, names } = table.finish();
  return writer.finish(labels, names);
}

const channelsFirst = ([first = 0, , last = 0, ...more]: Shape): boolean =>
  more.length === 0 && [1, 3, 4].includes(first) && last > 4;

const channelsFirstWarning = (shape: Shape): string =>
  `Rows of shape ${showShape(shape)} seem to have their channels first. Pictures are [height, width, channels], in NumPy x.transpose(0, 2, 3, 1).`;

const labelAdvice = (fromFolders: boolean): string =>
  fromFolders ? 'Put every picture into a folder, or say "classFolders": false.' : 'Give every row its label.';

function checkSplits(part: StoredPart, writer: DatasetWriter, testFraction: number): void {
  const [train, test] = [writer.rows('train'), writer.rows('test')];
  if (train === 0) throw invalid(part, 'no row is left for training. Lower "testFraction", or upload more rows.');
  if (testFraction === 0 || test > 0) return;
  const what = `${train} rows are too few to hold out ${testFraction} of them for testing.`;
  throw invalid(part, `${what} Upload more rows or a file of test rows, or change "testFraction".`);
}

function finalShape(part: StoredPart, found: Shape, { options }: ParseContext): Shape {
  if (!options.shape || sameShape(options.shape, found)) return found;
  if (sizeOf(options.shape) === sizeOf(found)) return options.shape;
  throw new HourglassError(
    'shape-mismatch',
    `${part.label}: its rows have shape ${showShape(found)}, ${sizeOf(found)} values, which do not fill ${showShape(options.shape)}.`,
    { field: 'shape', expected: options.shape, found },
  );
}

function checkAlike(part: StoredPart, test: RowSource, train: RowSource): void {
  const isAlike = train.sizes ? test.shape[2] === train.shape[2] : sameShape(test.shape, train.shape);
  if (!isAlike) {
    throw new HourglassError(
      'shape-mismatch',
      `${part.label}: its rows have shape ${showShape(test.shape)}, those for training ${showShape(train.shape)}.`,
      { field: 'test-rows', expected: train.shape, found: test.shape },
    );
  }
  if (test.kind !== train.kind) {
    const what = `it holds ${test.kind} values, the rows for training are ${train.kind}. Save both in the same type.`;
    throw invalid(part, what, { field: 'test-rows', expected: train.kind, found: test.kind });
  }
}

/** Sends each row to its split, with its label. */
class RowPlacer {
  readonly writer: DatasetWriter;
  readonly table: LabelTable;
  readonly #context: ParseContext;

  constructor(writer: DatasetWriter, table: LabelTable, context: ParseContext) {
    this.writer = writer;
    this.table = table;
    this.#context = context;
  }

  /**
   * `holdOut` makes choosers that choose alike. `separate` are labels from a part of their own; the answer is
   * whether that had a header, undefined where it cannot have one.
   */
  async place(
    source: RowSource,
    holdOut: () => HoldOut,
    separate: LabelColumn | undefined,
  ): Promise<boolean | undefined> {
    const rows = await this.#placeRows(source, holdOut(), separate === undefined);
    if (!separate) return undefined;
    const { options, warn } = this.#context;
    const aligned = alignLabels(separate, rows, options, warn);
    this.#placeLabels(aligned, rows, holdOut());
    return aligned.header;
  }

  async #placeRows(source: RowSource, holdOut: HoldOut, withLabels: boolean): Promise<number> {
    const { rowSize } = this.writer;
    let row = 0;
    for await (const { values, labels, size } of source.blocks) {
      if (size) {
        const split = holdOut.split(row);
        const [label] = (withLabels && labels) || [];
        if (label !== undefined) this.table.add(split, label);
        await this.writer.append(split, values, size);
        row++;
        continue;
      }
      const count = values.length / rowSize;
      for (let start = 0, end = 0; start < count; start = end) {
        const split = holdOut.split(row + start);
        while (end < count && holdOut.split(row + end) === split) {
          const label = withLabels ? labels?.[end] : undefined;
          if (label !== undefined) this.table.add(split, label);
          end++;
        }
        await this.writer.append(split, values.subarray(start * rowSize, end * rowSize));
      }
      row += count;
    }
    return row;
  }

  #placeLabels({ at }: AlignedLabels, rows: number, holdOut: HoldOut): void {
    for (let row = 0; row < rows; row++) this.table.add(holdOut.split(row), at(row));
  }
}
