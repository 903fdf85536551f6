/** What several pages say of a version: its type, how it stands beside PCA, what a frame of it takes. */

import { framing } from '../../figures/verdict.ts';
import type { Manifest } from '../../sdk/index.ts';
import { shapeText } from '../format.ts';
import { aheadOfPca, headlineOf, signed } from '../metric-names.ts';

export const referenceOf = ({ name, version }: Pick<Manifest, 'name' | 'version'>): string => `${name}@${version}`;

export function typeOf({ lineage }: Manifest): string {
  const { model } = (lineage.spec ?? {}) as { model?: { type?: string } };
  return model?.type ?? '–';
}

/** dB above PCA with as many numbers as the code. */
export function Advantage({ of }: { of: Manifest }) {
  const ahead = aheadOfPca(of);
  if (ahead === undefined) return <>–</>;
  return <span class={ahead > 0.05 ? 'best' : ahead < -0.05 ? 'wrong' : undefined}>{signed(ahead)}</span>;
}

/** What the figure is compared with: decibels above PCA where there are some, else the same figure of something simpler. */
export function besideOf(of: Manifest) {
  const ahead = aheadOfPca(of);
  if (ahead !== undefined)
    return (
      <>
        <Advantage of={of} /> <span class="quiet">over PCA</span>
      </>
    );
  const beside = headlineOf(of)?.beside;
  return beside === undefined ? null : <span class="quiet">{beside}</span>;
}

/** What goes in and what a code of it is; undefined for models of pictures of any size, which have no rows. */
export function rowToCode({ inputShape, codeShape, picture, restorer }: Manifest): string | undefined {
  if (picture || restorer) return undefined;
  return `${shapeText(inputShape)} → ${shapeText(codeShape)}`;
}

/** Bytes of a frame of one row, from the coarsest quality to the finest. */
export function frameBytes({ codec }: Manifest): string {
  const [coarse, fine] = [codec?.qualities[0], codec?.qualities.at(-1)];
  if (!coarse || !fine) return '–';
  const [least, most] = [coarse, fine].map(({ bytesPerRow }) => Math.ceil(bytesPerRow) + framing);
  return least === most ? String(least) : `${least} to ${most}`;
}
