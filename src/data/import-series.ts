/**
 * From series of any length to stored rows of the longest: [steps, channels], NaN after the end of a shorter one and where a value
 * is missing. Parts are read twice: for the longest series, then for the rows.
 *
 *   series ─► windows, where asked for ─► hold-out ─► rows
 */

import { HourglassError } from '../base/errors.ts';
import type { SeriesFacts } from '../jobspec/series-facts.ts';
import type { SplitName } from './dataset.ts';
import type { SeriesSource } from './formats/given-series.ts';
import { alignLabels, type LabelColumn } from './formats/label-file.ts';
import { LabelTable } from './formats/labels.ts';
import { openSeries } from './formats/series.ts';
import { invalid, type ParseContext, type StoredPart } from './formats/source.ts';
import { HoldOut } from './hold-out.ts';
import type { StoredContent } from './manifest.ts';
import type { SourceFacts } from './source-facts.ts';
import type { UploadOptions } from './upload.ts';
import { DatasetWriter, type RowValues } from './writer.ts';

export interface SeriesParts {
  readonly rows: StoredPart;
  readonly testRows?: StoredPart | undefined;
  readonly labels?: LabelColumn | undefined;
  readonly testLabels?: LabelColumn | undefined;
}

/** One row to be: all of a series, or a window of it. */
interface Piece {
  readonly split: SplitName;
  /** of the series in its part */
  readonly number: number;
  readonly channels: number;
  readonly values: RowValues;
  readonly label: string | undefined;
}

interface Extent {
  readonly shortest: number;
  readonly longest: number;
  /** 0 where no series was read yet */
  readonly channels: number;
}

/** Throws `invalid-dataset`, `shape-mismatch`, and what the readers throw. */
export async function importSeries(
  folder: string,
  { rows, testRows, labels, testLabels }: SeriesParts,
  context: ParseContext,
): Promise<StoredContent> {
  const { options, limits, warn } = context;
  const fraction = testRows ? 0 : (options.testFraction ?? 0.1);
  const extent = await extentOf(testRows, 1, context, await extentOf(rows, fraction, context));
  const { longest, channels } = extent;
  const shape = [longest, channels];
  if (longest * channels > limits.rowSize) {
    throw invalid(
      rows,
      `the longest series has ${longest * channels} values; at most ${limits.rowSize} are allowed. Cut it: "window".`,
    );
  }
  const writer = await DatasetWriter.create({
    ...{ folder, shape, kind: 'float', scale: 'none', maxBytes: limits.expandedBytes },
  });
  try {
    const moments = new Moments(channels);
    const table = new LabelTable(limits.classes);
    const add = async (part: StoredPart, share: number, separate: LabelColumn | undefined): Promise<SourceFacts> => {
      const source = await openSeries(part, context);
      const splits: { readonly split: SplitName; readonly number: number }[] = [];
      let count = 0;
      for await (const { split, number, values, label } of piecesOf(part, source, share, context)) {
        const row = new Float32Array(longest * channels).fill(Number.NaN);
        row.set(values);
        moments.add(split, values);
        await writer.append(split, row);
        count = number + 1;
        if (separate) splits.push({ split, number });
        else if (label !== undefined) table.add(split, label);
      }
      if (!separate) return source.facts;
      const aligned = alignLabels(separate, count, options, warn);
      for (const { split, number } of splits) table.add(split, aligned.at(number));
      return { ...source.facts, ...(aligned.header !== undefined && { labelsHeader: aligned.header }) };
    };
    const facts = await add(rows, fraction, labels);
    if (testRows) await add(testRows, 1, testLabels);
    if (writer.rows('train') < 2) {
      throw invalid(
        rows,
        `${writer.rows('train')} series are left for training; at least 2 are needed. Lower "testFraction", or cut long ones: "window".`,
      );
    }
    const found = moments.facts();
    if (found.train === 0) throw invalid(rows, 'no value of the series for training was observed.');
    const classes = classesOf(rows, table, writer);
    const names = (await openSeries(rows, context)).names;
    const series: SeriesFacts = {
      ...{ shortest: extent.shortest, longest },
      ...found,
      ...(names && { channels: [...names] }),
    };
    return { ...(await writer.finish(classes?.labels, classes?.names)), series, source: facts };
  } finally {
    await writer.close();
  }
}

/** Lengths of the pieces of a part, and of those before. */
async function extentOf(
  part: StoredPart | undefined,
  fraction: number,
  context: ParseContext,
  before?: Extent,
): Promise<Extent> {
  let found = before ?? { shortest: Number.POSITIVE_INFINITY, longest: 0, channels: 0 };
  if (!part) return found;
  for await (const { values, channels } of piecesOf(part, await openSeries(part, context), fraction, context)) {
    if (found.channels > 0 && channels !== found.channels) {
      throw new HourglassError(
        'shape-mismatch',
        `${part.label}: a series has ${channels} channels, others have ${found.channels}. Give every series the same channels.`,
        { expected: found.channels, found: channels },
      );
    }
    const steps = values.length / channels;
    found = { channels, shortest: Math.min(found.shortest, steps), longest: Math.max(found.longest, steps) };
  }
  if (found.channels === 0) throw invalid(part, 'it holds no series.');
  return found;
}

/** Of each series the rows that it becomes. `fraction` from 0 (none for testing) to 1 (all). */
async function* piecesOf(
  part: StoredPart,
  { series }: SeriesSource,
  fraction: number,
  { options, limits }: ParseContext,
): AsyncGenerator<Piece> {
  const { window, seed = 0 } = options;
  const holdOut = new HoldOut(seed, fraction);
  let number = 0;
  for await (const { values, channels, label } of series) {
    if (number >= limits.rows) throw invalid(part, `it has more than the ${limits.rows} series that are allowed.`);
    if (values.length === 0) throw invalid(part, `series ${number} has no value.`, { field: `series ${number}` });
    const piece = (split: SplitName, from: number, to: number): Piece => ({
      ...{ split, number, channels, label },
      values: values.subarray(from * channels, to * channels),
    });
    const steps = values.length / channels;
    if (!window) yield piece(holdOut.split(number), 0, steps);
    else {
      // Windows overlap, so the end is held out, not windows by chance.
      const end = Math.round(steps * (1 - fraction));
      for (const [from, to] of windowsOf(0, end, window)) yield piece('train', from, to);
      for (const [from, to] of windowsOf(end, steps, window)) yield piece('test', from, to);
    }
    number++;
  }
}

/** What is shorter than a window is one of its own. */
function windowsOf(
  start: number,
  end: number,
  { steps, stride = Math.max(1, Math.floor(steps / 4)) }: NonNullable<UploadOptions['window']>,
): (readonly [from: number, to: number])[] {
  if (end <= start) return [];
  if (end - start <= steps) return [[start, end]];
  const windows: [number, number][] = [];
  for (let from = start; from + steps <= end; from += stride) windows.push([from, from + steps]);
  return windows;
}

/** Means and deviations of the channels, and what was observed. */
class Moments {
  readonly #sums: Float64Array;
  readonly #squares: Float64Array;
  readonly #counts: Float64Array;
  readonly #observed = { train: 0, test: 0 };
  #missing = 0;

  constructor(channels: number) {
    [this.#sums, this.#squares, this.#counts] = [1, 2, 3].map(() => new Float64Array(channels)) as [
      Float64Array,
      Float64Array,
      Float64Array,
    ];
  }

  add(split: SplitName, values: RowValues): void {
    const channels = this.#sums.length;
    for (const [i, value] of values.entries()) {
      if (Number.isNaN(value)) {
        this.#missing++;
        continue;
      }
      this.#observed[split]++;
      if (split === 'test') continue;
      const channel = i % channels;
      this.#sums[channel] = (this.#sums[channel] as number) + value;
      this.#squares[channel] = (this.#squares[channel] as number) + value * value;
      this.#counts[channel] = (this.#counts[channel] as number) + 1;
    }
  }

  facts(): Pick<SeriesFacts, 'train' | 'test' | 'missing' | 'means' | 'deviations'> {
    const counts = Array.from(this.#counts, (count) => Math.max(1, count));
    const means = counts.map((count, i) => (this.#sums[i] as number) / count);
    const deviations = counts.map((count, i) =>
      Math.sqrt(Math.max(0, (this.#squares[i] as number) / count - (means[i] as number) ** 2)),
    );
    return { ...this.#observed, missing: this.#missing, means, deviations };
  }
}

function classesOf(part: StoredPart, table: LabelTable, writer: DatasetWriter) {
  if (table.classes === 0) return undefined;
  const all = (['train', 'test'] as const).every((split) => table.count(split) === writer.rows(split));
  if (table.has('') || !all)
    throw invalid(part, 'some series have a class, others have none. Give every series its class.');
  return table.finish();
}
