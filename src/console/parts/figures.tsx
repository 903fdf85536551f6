/** Figures of versions, a column for each, under headings; what is beside the model, such as PCA, is never marked as best. */

import type { Manifest } from '../../sdk/index.ts';
import { number } from '../format.ts';
import { type Figure, grouped } from '../metric-names.ts';
import { Wide } from './small.tsx';

export interface FiguresProps {
  /** a column each */
  readonly metrics: readonly Manifest['metrics'][];
  /** figures of other test rows say nothing about which column is better */
  readonly isFair?: boolean;
  /** of the columns */
  readonly heads?: readonly preact.ComponentChildren[];
}

export function Figures({ metrics, heads, isFair = true }: FiguresProps) {
  const names = [...new Set(metrics.flatMap((one) => Object.keys(one)))];
  return (
    <Wide label="All figures">
      <table>
        {heads && (
          <thead>
            <tr>
              <th scope="col">Figure</th>
              {heads.map((head, i) => (
                <th key={i} scope="col" class="num">
                  {head}
                </th>
              ))}
            </tr>
          </thead>
        )}
        {grouped(names).map(([group, figures]) => (
          <tbody key={group}>
            <tr>
              <th scope="rowgroup" colSpan={metrics.length + 1} class="group-head">
                {group}
              </th>
            </tr>
            {figures.map((figure) => (
              <Line key={figure.name} figure={figure} metrics={metrics} isFair={isFair} />
            ))}
          </tbody>
        ))}
      </table>
    </Wide>
  );
}

interface LineProps extends Required<Pick<FiguresProps, 'metrics' | 'isFair'>> {
  readonly figure: Figure;
}

function Line({ figure, metrics, isFair }: LineProps) {
  const values = metrics.map((one) => one[figure.name]);
  const best = isFair ? bestOf(values, figure.better) : undefined;
  return (
    <tr class={figure.label.includes(' · ') ? 'beside' : undefined}>
      <th scope="row" title={figure.name}>
        {figure.label}
      </th>
      {values.map((value, i) => (
        <td key={i} class={best !== undefined && value === best ? 'num best' : 'num'}>
          {number(value)}
        </td>
      ))}
    </tr>
  );
}

/** Undefined where there is nothing to choose between. */
export function bestOf(values: readonly (number | undefined)[], better: Figure['better']): number | undefined {
  const known = values.filter((value) => value !== undefined);
  if (better === 'neither' || new Set(known).size < 2) return undefined;
  return better === 'less' ? Math.min(...known) : Math.max(...known);
}
