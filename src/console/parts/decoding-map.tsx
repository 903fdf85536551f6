/** The latent map of a published model: the row under the pointer, what a place decodes to, and what lies between two places. */

import { useState } from 'preact/hooks';
import { client } from '../server.ts';
import { LatentMap } from './latent-map.tsx';
import { Sheet, toBytes } from './pictures.tsx';

export interface DecodingMapProps {
  readonly reference: string;
  readonly codes: readonly (readonly number[])[];
  readonly labels: readonly number[] | undefined;
  readonly data: Float32Array;
  readonly shape: readonly number[];
  readonly range: readonly [number, number];
  readonly classNames: readonly string[] | undefined;
}

const steps = 8;

export function DecodingMap({ reference, codes, labels, data, shape, range, classNames }: DecodingMapProps) {
  const [hovered, setHovered] = useState<number | undefined>(undefined);
  const [decoded, setDecoded] = useState<{ readonly data: Float32Array; readonly rows: number } | undefined>(undefined);
  const size = shape.reduce((product, side) => product * side, 1);
  const decode = async (places: readonly (readonly [number, number])[]): Promise<void> => {
    const answer = await client
      .decode(reference, { data: Float32Array.from(places.flat()), rows: places.length })
      .catch(() => undefined);
    if (answer) setDecoded(answer);
  };
  const between = (from: readonly [number, number], to: readonly [number, number]) =>
    Array.from({ length: steps }, (_, i) => {
      const t = i / (steps - 1);
      return [from[0] + t * (to[0] - from[0]), from[1] + t * (to[1] - from[1])] as const;
    });
  return (
    <div>
      <h3>{reference}</h3>
      <LatentMap
        points={codes}
        labels={labels}
        classNames={classNames}
        label={`Codes of ${codes.length} test rows by ${reference}`}
        onHover={setHovered}
        onChoose={(code) => void decode([code])}
        onDrag={(from, to) => void decode(between(from, to))}
      />
      <div class="pair">
        {hovered !== undefined && (
          <figure>
            <Sheet
              bytes={toBytes(data.slice(hovered * size, (hovered + 1) * size), range)}
              shape={shape}
              rows={1}
              label="The row under the pointer"
            />
            <figcaption>row {hovered + 1}</figcaption>
          </figure>
        )}
        {decoded && (
          <figure>
            <Sheet
              bytes={toBytes(decoded.data, range)}
              shape={shape}
              rows={decoded.rows}
              label="What the place decodes to"
            />
            <figcaption>decoded</figcaption>
          </figure>
        )}
      </div>
    </div>
  );
}
