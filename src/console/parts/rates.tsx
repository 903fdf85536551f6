/** Bytes against quality: frames of versions, PCA with as many numbers, and files of the same test pictures. */

import { useMemo } from 'preact/hooks';
import type { DatasetInfo, Manifest } from '../../sdk/index.ts';
import { useLoaded } from '../load.ts';
import { meanPngBytes, type RatePoint, ratesOf } from '../picture-formats.ts';
import { rowsOf } from '../server.ts';
import { Chart, type Curve } from './chart.tsx';
import { isPicture, pixels, toBytes } from './pictures.tsx';

/** a frame of one row has its kind, decoder and checksum besides */
const framing = 5;
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
      <Chart
        curves={curves}
        isLogX
        xLabel="bytes of one row"
        yLabel="PSNR, dB"
        height={320}
        label={`PSNR against bytes of one row: ${curves.map(({ label }) => label).join(', ')}`}
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
): readonly Curve[] {
  const own = versions.flatMap(({ name, version, codec }, i): Curve[] =>
    codec
      ? [
          {
            label: `${name}@${version}`,
            colour: i,
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
    ([label, points], i): Curve => ({
      label,
      colour: 5 + i,
      isDashed: true,
      points: points.map(({ bytes, psnr }) => [bytes, psnr]),
    }),
  );
  return [...own, { label: 'PCA, float32', colour: 4, isMarks: true, points: pca }, ...files].filter(
    ({ points }) => points.length > 0,
  );
}
