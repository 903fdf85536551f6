/** Series as a table of time steps: a column says which series a line belongs to, the others are its channels. */

import { toNumber } from './cells.ts';
import { readRecords, readTextHead } from './csv-records.ts';
import { type GivenSeries, isGap, notANumber, type SeriesSource } from './given-series.ts';
import { invalid, type ParseContext, type StoredPart } from './source.ts';
import type { Text } from './text.ts';

const delimiters = ['\t', ';', '|', ','] as const;

interface Growing {
  readonly label?: string;
  readonly steps: { readonly time: number; readonly values: readonly number[] }[];
}

/** Lines of a series need not be next to each other; with `timeColumn` they need not be in order. */
export async function readStepTable(
  part: StoredPart,
  text: Text,
  { options, limits }: ParseContext,
): Promise<SeriesSource> {
  const first = (await readTextHead(text)).split(/\r?\n/, 1)[0] ?? '';
  const delimiter = options.delimiter ?? delimiters.find((one) => first.includes(one)) ?? ',';
  const names = first.split(delimiter).map((name) => name.trim().replace(/^"(.*)"$/, '$1'));
  const { seriesColumn, timeColumn, labelColumn, decimal } = options;
  const header = options.header ?? [seriesColumn, timeColumn, labelColumn].some((name) => typeof name === 'string');
  const place = (field: string, wanted: string | number | undefined): number => {
    if (wanted === undefined) return -1;
    const at = typeof wanted === 'number' ? wanted : names.indexOf(wanted);
    if (at >= 0 && at < names.length) return at;
    throw invalid(
      part,
      `there is no column ${JSON.stringify(wanted)}. The file has ${names.length} columns: ${names.slice(0, 20).join(', ')}.`,
      {
        field,
        found: wanted,
      },
    );
  };
  const [seriesAt, timeAt, labelAt] = [
    place('seriesColumn', seriesColumn),
    place('timeColumn', timeColumn),
    place('labelColumn', labelColumn),
  ];
  const channelsAt = [...names.keys()].filter((at) => at !== seriesAt && at !== timeAt && at !== labelAt);
  if (channelsAt.length === 0) throw invalid(part, 'no column is left for values.', { field: 'seriesColumn' });
  async function* series(): AsyncGenerator<GivenSeries> {
    const found = new Map<string, Growing>();
    let line = header ? -1 : 0;
    let values = 0;
    for await (const record of readRecords(part, text, { delimiter })) {
      if (line++ < 0) continue;
      if (record.length !== names.length) {
        const what = `line ${line} has ${record.length} columns, the first has ${names.length}.`;
        throw invalid(part, what, { field: `line ${line}`, expected: names.length, found: record.length });
      }
      values += channelsAt.length;
      // Steps of a series may be anywhere in the file, so all are held at once.
      if (values > limits.expandedBytes / 64) {
        throw invalid(
          part,
          `it has more than the ${Math.floor(limits.expandedBytes / 64)} values that can be put in order. Send .npy or JSON Lines.`,
        );
      }
      const key = record[seriesAt] as string;
      const one = found.get(key) ?? { steps: [], ...(labelAt >= 0 && { label: record[labelAt] as string }) };
      found.set(key, one);
      const time = timeAt < 0 ? line : timeOf(record[timeAt] as string);
      if (Number.isNaN(time)) throw notANumber(part, `the time of line ${line}`, record[timeAt] as string);
      const cells = channelsAt.map((at) => {
        const cell = record[at] as string;
        const value = isGap(cell) ? Number.NaN : toNumber(cell, decimal);
        if (!isGap(cell) && !Number.isFinite(Math.fround(value))) throw notANumber(part, `line ${line}`, cell);
        return value;
      });
      one.steps.push({ time, values: cells });
    }
    for (const { label, steps } of found.values()) {
      const ordered = timeAt < 0 ? steps : steps.toSorted((a, b) => a.time - b.time);
      yield {
        values: Float32Array.from(ordered.flatMap((step) => step.values)),
        channels: channelsAt.length,
        ...(label !== undefined && { label }),
      };
    }
  }
  return {
    facts: {
      ...{ format: 'csv', encoding: text.encoding, delimiter, header },
      ...(labelColumn !== undefined && { labelColumn }),
    },
    labels: labelAt >= 0,
    ...(header && { names: channelsAt.map((at) => names[at] as string) }),
    series: series(),
  };
}

/** A number, or a date in ISO 8601. */
const timeOf = (cell: string): number => {
  const number = toNumber(cell);
  return Number.isNaN(number) ? Date.parse(cell) : number;
};
