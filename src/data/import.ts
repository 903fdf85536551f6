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
import { LabelTable } from './formats/labels.ts';
import { invalid, type ParseContext, type RowSource, type StoredPart } from './formats/source.ts';
import { HoldOut } from './hold-out.ts';
import type { StoredContent } from './manifest.ts';
import { openSpooled, type SpooledPart } from './spool.ts';
import { DatasetWriter } from './writer.ts';

type Parts = Partial<Record<SpooledPart['role'], StoredPart>>;

/** Writes the stored form into `folder` and syncs it. Throws what DatasetStore.create names. */
export async function importRows(
  folder: string,
  spooled: readonly SpooledPart[],
  context: ParseContext,
): Promise<StoredContent> {
  const parts: Parts = {};
  for (const part of spooled) parts[part.role] = await openSpooled(part, context.limits);
  const rowsPart = parts.rows;
  if (!rowsPart) throw new HourglassError('invalid-request', 'The upload lacks rows.');
  const source = await parsePart(rowsPart, context);
  const shape = finalShape(rowsPart, source.shape, context);
  const testSource = parts['test-rows'] && (await parsePart(parts['test-rows'], context));
  if (parts['test-rows'] && testSource) checkAlike(parts['test-rows'], testSource, source);

  const { scale = 'auto', testFraction = 0.1, seed = 0 } = context.options;
  const maxBytes = context.limits.expandedBytes;
  const writer = await DatasetWriter.create({ folder, shape, kind: source.kind, scale, maxBytes });
  const labels = parts.labels && new SeparateLabels(parts.labels, context);
  const testLabels = parts['test-labels'] && new SeparateLabels(parts['test-labels'], context);
  try {
    const table = new LabelTable(context.limits.classes);
    const placer = new RowPlacer(writer, table);
    await placer.place(source, testSource ? HoldOut.none : new HoldOut(seed, testFraction), labels);
    if (testSource) await placer.place(testSource, HoldOut.all, testLabels);
    checkSplits(rowsPart, writer, testSource ? 0 : testFraction);
    const fromFolders = !labels && source.labels === 'folders';
    const { preprocessing } = source;
    const pictures = preprocessing && { preprocessing };
    if (table.classes === 0 || (fromFolders && table.classes < 2)) return { ...(await writer.finish()), ...pictures };
    const labelled = (['train', 'test'] as const).every((split) => table.count(split) === writer.rows(split));
    if (table.has('') || !labelled) {
      throw invalid(rowsPart, `some rows have a class, others have none. ${labelAdvice(fromFolders)}`);
    }
    const { labels: numbers, names } = table.finish();
    return { ...(await writer.finish(numbers, names)), ...pictures };
  } finally {
    await Promise.all([writer.close(), labels?.close(), testLabels?.close()]);
  }
}

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
  if (!sameShape(test.shape, train.shape)) {
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
  readonly #writer: DatasetWriter;
  readonly #table: LabelTable;

  constructor(writer: DatasetWriter, table: LabelTable) {
    this.#writer = writer;
    this.#table = table;
  }

  /** `separate` are labels from a part of their own, one per row. */
  async place(source: RowSource, holdOut: HoldOut, separate: SeparateLabels | undefined): Promise<void> {
    const { rowSize } = this.#writer;
    let row = 0;
    for await (const { values, labels } of source.blocks) {
      const count = values.length / rowSize;
      for (let start = 0, end = 0; start < count; start = end) {
        const split = holdOut.split(row + start);
        while (end < count && holdOut.split(row + end) === split) {
          const label = separate ? await separate.next(row + end) : labels?.[end];
          if (label !== undefined) this.#table.add(split, label);
          end++;
        }
        await this.#writer.append(split, values.subarray(start * rowSize, end * rowSize));
      }
      row += count;
    }
    await separate?.end(row);
  }
}

/** Labels from a part of their own: one for each row, no more and no fewer. */
class SeparateLabels {
  readonly #part: StoredPart;
  readonly #labels: AsyncGenerator<string>;

  constructor(part: StoredPart, context: ParseContext) {
    this.#part = part;
    this.#labels = readLabels(part, context);
  }

  async next(row: number): Promise<string> {
    const { done, value } = await this.#labels.next();
    if (done) throw invalid(this.#part, `it ends after ${row} labels, but there are more rows.`);
    return value;
  }

  async end(rows: number): Promise<void> {
    if (!(await this.#labels.next()).done) throw invalid(this.#part, `it has more labels than the ${rows} rows.`);
  }

  async close(): Promise<void> {
    await this.#labels.return(undefined);
  }
}
