/** Series as the readers of every format give them. */

import type { SourceFacts } from '../source-facts.ts';
import type { RowValues } from '../writer.ts';
import { isMissing, isNaNCell } from './cells.ts';
import { invalid, type StoredPart } from './source.ts';

export interface GivenSeries {
  /** [steps, channels]; NaN where a value is missing */
  readonly values: RowValues;
  readonly channels: number;
  /** absent: the part has no classes */
  readonly label?: string;
}

export interface SeriesSource {
  readonly facts: SourceFacts;
  /** whether each series comes with its class */
  readonly labels: boolean;
  /** what the channels are called; known once a series was read */
  readonly names?: readonly string[];
  readonly series: AsyncIterable<GivenSeries>;
}

export const isGap = (cell: string): boolean => isMissing(cell) || isNaNCell(cell);

export const notANumber = (part: StoredPart, where: string, cell: string) =>
  invalid(part, `${where} is ${JSON.stringify(cell.slice(0, 40))}, which is not a finite number.`, {
    field: where,
    found: cell.slice(0, 40),
  });
