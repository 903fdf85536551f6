/** What several pages say of a version: its type, how it stands beside PCA, what a frame of it takes. */

import type { Manifest } from '../../sdk/index.ts';
import { aheadOfPca, signed } from '../metric-names.ts';

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

/** a frame of one row has its kind, decoder and checksum besides */
const framing = 5;

/** Bytes of a frame of one row, from the coarsest quality to the finest. */
export function frameBytes({ codec }: Manifest): string {
  const [coarse, fine] = [codec?.qualities[0], codec?.qualities.at(-1)];
  if (!coarse || !fine) return '–';
  const [least, most] = [coarse, fine].map(({ bytesPerRow }) => Math.ceil(bytesPerRow) + framing);
  return least === most ? String(least) : `${least} to ${most}`;
}
