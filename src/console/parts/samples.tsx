/** What a model in training makes of the same rows, epoch after epoch; for a code of two numbers its latent map as well. */

import { useMemo, useState } from 'preact/hooks';
import type { JobSamples } from '../../sdk/index.ts';
import { LatentMap } from './latent-map.tsx';
import { fromBase64, Sheet } from './pictures.tsx';

export function Samples({ of, rows }: { of: JobSamples; rows: NonNullable<JobSamples['rows']> }) {
  const [chosen, setChosen] = useState<number | undefined>(undefined);
  const last = of.samples.length - 1;
  const at = Math.min(chosen ?? last, last);
  const sample = of.samples[at];
  const inputs = useMemo(() => fromBase64(rows.inputs), [rows.inputs]);
  const outputs = useMemo(() => fromBase64(sample?.outputs ?? ''), [sample]);
  const generated = useMemo(
    () => (sample?.generated === undefined ? undefined : fromBase64(sample.generated)),
    [sample],
  );
  if (!sample) return null;
  const { shape, rows: count } = rows;
  const name = `${sample.phase}, epoch ${sample.epoch}`;
  return (
    <section class="card">
      <h2>The same held-out rows, epoch after epoch</h2>
      <div class="slider">
        <input
          type="range"
          min={0}
          max={last}
          value={at}
          aria-label="Epoch of the sample"
          aria-valuetext={name}
          onInput={(event) => {
            const value = event.currentTarget.valueAsNumber;
            setChosen(value === last ? undefined : value);
          }}
        />
        <output>
          {name}
          {chosen === undefined && ' (newest)'}
        </output>
      </div>
      <figure>
        <Sheet bytes={inputs} shape={shape} rows={count} label={`${count} held-out rows`} />
        <figcaption>held-out rows</figcaption>
      </figure>
      <figure>
        <Sheet bytes={outputs} shape={shape} rows={count} label={`Reconstructions after ${name}`} />
        <figcaption>reconstructed after {name}</figcaption>
      </figure>
      {generated && (
        <figure>
          <Sheet bytes={generated} shape={shape} rows={count} label={`Rows generated after ${name}`} />
          <figcaption>generated from random codes, the same each time</figcaption>
        </figure>
      )}
      {sample.codes && (
        <figure>
          <LatentMap
            points={sample.codes}
            labels={rows.labels}
            label={`Codes of ${sample.codes.length} held-out rows after ${name}`}
          />
          <figcaption>codes of {sample.codes.length} held-out rows, coloured by class</figcaption>
        </figure>
      )}
    </section>
  );
}
