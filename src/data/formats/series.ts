/**
 * Series one by one, of any length, with NaN where a value is missing:
 *
 *   npy     an array [series, steps] or [series, steps, channels]
 *   CSV     a series a line, of one channel; with `seriesColumn` a time step a line, a column for each channel
 *   JSONL   a series a line: [1.5, null, 2], [[1, 0], [2, 1]] for two channels, or {"values": …, "label": "a"}
 */

import { toNumber } from './cells.ts';
import { readRecords, readTextHead } from './csv-records.ts';
import { openSeriesPart } from './detect.ts';
import { type GivenSeries, isGap, notANumber, type SeriesSource } from './given-series.ts';
import { linesOf } from './lines.ts';
import { readStepTable } from './series-table.ts';
import { invalid, type ParseContext, type RowSource, type StoredPart } from './source.ts';
import type { Text } from './text.ts';

const delimiters = ['\t', ';', '|', ','] as const;

/** Throws `invalid-dataset`, `unsupported-dataset`, `non-finite`. */
export async function openSeries(part: StoredPart, context: ParseContext): Promise<SeriesSource> {
  const opened = await openSeriesPart(part, context);
  switch (opened.format) {
    case 'npy':
      return arrays(opened.rows);
    case 'jsonl':
      return {
        facts: { format: 'jsonl' },
        labels: await hasJsonLabels(part, opened.text, context),
        series: jsonLines(part, opened.text, context),
      };
    case 'csv':
      return context.options.seriesColumn === undefined
        ? wideTable(part, opened.text, context)
        : readStepTable(part, opened.text, context);
    default:
      return opened satisfies never;
  }
}

function arrays({ shape, facts, blocks }: RowSource): SeriesSource {
  const [steps = 1] = shape;
  const channels = shape.slice(1).reduce((product, side) => product * side, 1);
  const size = steps * channels;
  async function* series(): AsyncGenerator<GivenSeries> {
    for await (const { values } of blocks) {
      for (let at = 0; at < values.length; at += size) yield { values: values.subarray(at, at + size), channels };
    }
  }
  return { facts, labels: false, series: series() };
}

/** How many numbers a line may have: some twenty characters each. */
const charactersOfValue = 24;

async function hasJsonLabels(part: StoredPart, text: Text, context: ParseContext): Promise<boolean> {
  for await (const { label } of jsonLines(part, text, context)) return label !== undefined;
  return false;
}

async function* jsonLines(part: StoredPart, text: Text, { limits }: ParseContext): AsyncGenerator<GivenSeries> {
  let line = 0;
  for await (const written of linesOf(part, text, limits.rowSize * charactersOfValue)) {
    line++;
    if (written.trim() === '') continue;
    let found: unknown;
    try {
      found = JSON.parse(written);
    } catch {
      throw invalid(part, `line ${line} is not JSON. Write a series a line (JSON Lines).`, { field: `line ${line}` });
    }
    const whole: Record<string, unknown> = isObject(found) ? found : { values: found };
    const label = whole.label ?? whole.class;
    const given = whole.values ?? whole.series;
    if (!Array.isArray(given) || given.length === 0) {
      throw invalid(part, `line ${line} holds no series: an array of numbers, or an object with "values".`, {
        field: `line ${line}`,
      });
    }
    if (label !== undefined && typeof label !== 'string' && typeof label !== 'number') {
      throw invalid(part, `the label of line ${line} is neither text nor a number.`, { field: `line ${line}` });
    }
    const channels = Array.isArray(given[0]) ? given[0].length : 1;
    const values = new Float32Array(given.length * channels);
    for (const [step, one] of given.entries()) {
      const cells: unknown[] = Array.isArray(one) ? one : [one];
      if (cells.length !== channels || channels === 0) {
        const what = `step ${step} of line ${line} has ${cells.length} values, the first step has ${channels}.`;
        throw invalid(part, what, { field: `line ${line}`, expected: channels, found: cells.length });
      }
      for (const [channel, value] of cells.entries()) {
        if (value !== null && !(typeof value === 'number' && Number.isFinite(Math.fround(value)))) {
          const what = `step ${step} of line ${line} has ${JSON.stringify(value)?.slice(0, 40)}, which is no number. Write null where a value is missing.`;
          throw invalid(part, what, { field: `line ${line}` });
        }
        values[step * channels + channel] = value ?? Number.NaN;
      }
    }
    yield { values, channels, ...(label !== undefined && { label: String(label) }) };
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A line is a series of one channel; lines may be of any length, and cells at their end may be empty. */
async function wideTable(part: StoredPart, text: Text, { options }: ParseContext): Promise<SeriesSource> {
  const first = (await readTextHead(text)).split(/\r?\n/, 1)[0] ?? '';
  const delimiter = options.delimiter ?? delimiters.find((one) => first.includes(one)) ?? ',';
  const names = first.split(delimiter).map((name) => name.trim().replace(/^"(.*)"$/, '$1'));
  const { labelColumn, decimal } = options;
  const header = options.header ?? (typeof labelColumn === 'string' || names.every((name) => !isNumber(name, decimal)));
  const labelAt = typeof labelColumn === 'string' ? names.indexOf(labelColumn) : (labelColumn ?? -1);
  if (labelColumn !== undefined && (labelAt < 0 || labelAt >= names.length)) {
    throw invalid(
      part,
      `there is no label column ${JSON.stringify(labelColumn)}. Name one of the first line, or its number from 0.`,
      {
        field: 'labelColumn',
        found: labelColumn,
      },
    );
  }
  async function* series(): AsyncGenerator<GivenSeries> {
    let line = header ? -1 : 0;
    for await (const record of readRecords(part, text, { delimiter })) {
      if (line++ < 0) continue;
      const label = labelAt < 0 ? undefined : record[labelAt];
      const cells = labelAt < 0 ? record : record.filter((_, at) => at !== labelAt);
      while (cells.length > 0 && isGap(cells.at(-1) as string)) cells.pop();
      const values = Float32Array.from(cells, (cell) => (isGap(cell) ? Number.NaN : toNumber(cell, decimal)));
      const bad = values.findIndex((value, at) => !Number.isFinite(value) && !isGap(cells[at] as string));
      if (bad >= 0) throw notANumber(part, `step ${bad} of series ${line}`, cells[bad] as string);
      yield { values, channels: 1, ...(label !== undefined && { label }) };
    }
  }
  return {
    facts: {
      ...{ format: 'csv', encoding: text.encoding, delimiter, header },
      ...(labelColumn !== undefined && { labelColumn }),
    },
    labels: labelAt >= 0,
    series: series(),
  };
}

const isNumber = (cell: string, decimal?: string): boolean => isGap(cell) || !Number.isNaN(toNumber(cell, decimal));
