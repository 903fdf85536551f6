/** What is compared of several versions: their answers to the same test rows. */

import type { DatasetInfo, Manifest } from '../sdk/index.ts';
import { client, rowsOf } from './server.ts';

export interface Compared {
  readonly manifest: Manifest;
  /** x̂ of the same rows; undefined where the model was trained on rows of another shape, or the call failed */
  readonly outputs: Float32Array | undefined;
  readonly generated: Float32Array | undefined;
  readonly scores: readonly number[] | undefined;
  readonly codes: readonly (readonly number[])[] | undefined;
}

export interface Comparison {
  readonly dataset: DatasetInfo | undefined;
  /** test rows, or training rows where there are none */
  readonly rows: { readonly data: Float32Array; readonly rows: number } | undefined;
  readonly labels: readonly number[] | undefined;
  readonly versions: readonly Compared[];
}

export const shownRows = 8;
const mappedRows = 400;
const scoredRows = 200;

export async function compare(references: readonly string[], signal: AbortSignal): Promise<Comparison> {
  const manifests = await Promise.all(
    references.map((reference) => {
      const [name = '', version = '1'] = reference.split('@');
      return client.models.version(name, Number(version), { signal });
    }),
  );
  const name = manifests[0]?.lineage.dataset.name;
  const dataset = name === undefined ? undefined : await client.datasets.get(name, { signal }).catch(() => undefined);
  if (!dataset) return { dataset, rows: undefined, labels: undefined, versions: manifests.map(alone) };
  // pictures of any size, documents, ratings and pairs are not compared value by value
  if (dataset.sizes || dataset.documents || dataset.ratings || dataset.pairs)
    return { dataset, rows: undefined, labels: undefined, versions: manifests.map(alone) };
  const split = dataset.rows.test > 0 ? 'test' : 'train';
  const size = dataset.shape.reduce((product, side) => product * side, 1);
  const isMapped = manifests.some(isMap);
  const most = Math.max(1, Math.floor(1_000_000 / size));
  const all = await rowsOf(dataset.name, split, 0, Math.min(most, isMapped ? mappedRows : scoredRows));
  const labels = isMapped
    ? (await client.datasets.rows(dataset.name, { split, limit: all.rows, signal }).catch(() => undefined))?.labels
    : undefined;
  const shown = { data: all.data.slice(0, shownRows * size), rows: Math.min(shownRows, all.rows) };
  const versions = await Promise.all(
    manifests.map(async (manifest): Promise<Compared> => {
      if (manifest.inputShape.join() !== dataset.shape.join()) return alone(manifest);
      const reference = `${manifest.name}@${manifest.version}`;
      const options = { signal };
      const scored = { data: all.data.slice(0, scoredRows * size), rows: Math.min(scoredRows, all.rows) };
      const [outputs, generated, scores, codes] = await Promise.all([
        client.reconstruct(reference, shown, options).catch(() => undefined),
        manifest.operations.includes('generate')
          ? client.generate(reference, shownRows, { seed: 1, signal }).catch(() => undefined)
          : undefined,
        manifest.operations.includes('outliers')
          ? client.outliers(reference, scored, options).catch(() => undefined)
          : undefined,
        isMap(manifest) ? client.encode(reference, all, options).catch(() => undefined) : undefined,
      ]);
      return {
        manifest,
        outputs: outputs?.data,
        generated: generated?.data,
        scores: scores?.map(({ score }) => score),
        codes:
          codes && Array.from({ length: codes.rows }, (_, i) => [codes.data[2 * i] ?? 0, codes.data[2 * i + 1] ?? 0]),
      };
    }),
  );
  return { dataset, rows: { ...shown, data: all.data }, labels, versions };
}

const isMap = ({ codeShape }: Manifest): boolean => codeShape.reduce((product, side) => product * side, 1) === 2;
const alone = (manifest: Manifest): Compared => ({
  ...{ manifest, outputs: undefined, generated: undefined, scores: undefined, codes: undefined },
});
