/** Tables: a list of columns, each with its head and its cell. On a phone each row is a block, its cells beside their heads. */

import type { ComponentChildren } from 'preact';
import { Wide } from './small.tsx';

export interface Column<Row> {
  readonly head: ComponentChildren;
  /** numbers stand on the right */
  readonly isNumber?: boolean;
  /** names the row: a heading for screen readers */
  readonly isName?: boolean;
  readonly cell: (row: Row, index: number) => ComponentChildren;
  readonly className?: (row: Row) => string;
}

export interface TableProps<Row> {
  readonly label: string;
  readonly rows: readonly Row[];
  readonly columns: readonly Column<Row>[];
  readonly keyOf: (row: Row) => string;
  readonly isCurrent?: (row: Row) => boolean;
  /** columns are compared with each other, so that a row stays a row on a phone as well */
  readonly isMatrix?: boolean;
  readonly onHover?: (row: Row | undefined) => void;
}

export function Table<Row>({ label, rows, columns, keyOf, isCurrent, isMatrix = false, onHover }: TableProps<Row>) {
  return (
    <Wide label={label}>
      <table class={isMatrix ? undefined : 'stacked'}>
        <thead>
          <tr>
            {columns.map(({ head, isNumber }, i) => (
              <th key={i} scope="col" class={isNumber ? 'num' : undefined}>
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, index) => (
            <tr
              key={keyOf(row)}
              aria-current={isCurrent?.(row) ? 'true' : undefined}
              onMouseEnter={onHover && (() => onHover(row))}
              onMouseLeave={onHover && (() => onHover(undefined))}
            >
              {columns.map(({ head, cell, isNumber, isName, className }, i) => {
                const classes = [isNumber && 'num', className?.(row)].filter(Boolean).join(' ') || undefined;
                return isName ? (
                  <th key={i} scope="row" class={classes}>
                    {cell(row, index)}
                  </th>
                ) : (
                  <td key={i} class={classes} data-head={typeof head === 'string' ? head : undefined}>
                    {cell(row, index)}
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </Wide>
  );
}

/** A heading that only screen readers say. */
export const Hidden = ({ children }: { children: ComponentChildren }) => <span class="hidden">{children}</span>;
