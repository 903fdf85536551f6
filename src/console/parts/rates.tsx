/** Bytes against quality: frames of versions, PCA with as many numbers, and files of the same test pictures. */

import { useMemo } from 'preact/hooks';
import { type PlotCurve, ratePlot } from '../../figures/plot.ts';
import { fileColours, rateAxes } from '../../figures/rows.ts';
import { framing } from '../../figures/verdict.ts';
import type { DatasetInfo, Manifest } from '../../sdk/index.ts';
import { useLoaded } from '../load.ts';
import { meanPngBytes, type RatePoint, ratesOf } from '../picture-formats.ts';
import { rowsOf } from '../server.ts';
import { Drawn } from './drawn.tsx';
import { isPicture, pixels, toBytes } from './pictures.tsx';

const sampled = 16;

export interface RatesProps {
  readonly versions: readonly Manifest[];
  /** what the versions were trained on; undefined when it has gone */
  readonly dataset: DatasetInfo | undefined;
}

export function Rates({ versions, dataset }: RatesProps) {
  const withCodec = versions.some(({ codec }) => codec);
  const formats = useLoaded(async (): Promise<Formats> => {
    if (!withCodec || !dataset || !isPicture(dataset.shape)) return { curves: {}, png: undefined };
    const { name, shape, range, rows } = dataset;
    const values = await rowsOf(name, rows.test > 0 ? 'test' : 'train', 0, sampled);
    const size = shape.reduce((product, side) => product * side, 1);
    const bytes = toBytes(values.data, range);
    const pictures = Array.from({ length: values.rows }, (_, row) => pixels(bytes, row * size, shape));
    const [WebP, JPEG, png] = [
      await ratesOf(pictures, 'image/webp'),
      await ratesOf(pictures, 'image/jpeg'),
      await meanPngBytes(pictures, shape[2] === 1),
    ];
    return { curves: { WebP, JPEG }, png };
  }, [dataset?.name, dataset?.hash, withCodec]);
  const curves = useMemo(() => curvesOf(versions, formats.data?.curves ?? {}), [versions, formats.data]);
  if (!withCodec) return null;
  return (
    <section class="card">
      <h2>Bytes and quality</h2>
      <Drawn
        of={ratePlot(curves, {
          ...rateAxes,
          label: `PSNR against bytes of one row: ${curves.map(({ name }) => name).join(', ')}`,
        })}
      />
      <p class="quiet">
        Frames of one row with their {framing} bytes of framing, on held-out rows as measured at publication. PCA keeps
        as many numbers as the code, as float32.
        {formats.data?.curves.WebP && ` WebP and JPEG: means of ${sampled} test pictures, written by this browser.`}
        {formats.data?.png !== undefined && ` A lossless PNG of them takes ${Math.round(formats.data.png)} bytes.`}
        {formats.isLoading && ' WebP, JPEG and PNG are being measured …'}
      </p>
    </section>
  );
}

interface Formats {
  readonly curves: Readonly<Record<string, readonly RatePoint[]>>;
  /** mean bytes of a lossless file */
  readonly png: number | undefined;
}

function curvesOf(
  versions: readonly Manifest[],
  formats: Readonly<Record<string, readonly RatePoint[]>>,
): readonly PlotCurve[] {
  const own = versions.flatMap(({ name, version, codec }, i): PlotCurve[] =>
    codec
      ? [
          {
            name: `${name}@${version}`,
            colour: i + 1,
            points: codec.qualities.map(({ bytesPerRow, psnr }) => [bytesPerRow + framing, psnr]),
          },
        ]
      : [],
  );
  const pca = versions.flatMap(({ codeShape, metrics }): [number, number][] => {
    const psnr = metrics['test.pca.psnrOfMean'];
    return psnr === undefined ? [] : [[4 * codeShape.reduce((product, side) => product * side, 1), psnr]];
  });
  const files = Object.entries(formats).map(
    ([name, points]): PlotCurve => ({
      ...{ name, colour: fileColours[name as 'WebP' | 'JPEG'], isDashed: true },
      points: points.map(({ bytes, psnr }) => [bytes, psnr]),
    }),
  );
  const marks: PlotCurve = { name: 'PCA, float32', colour: fileColours.pca, isMarks: true, points: pca };
  return [...own, marks, ...files].filter(({ points }) => points.length > 0);
}
