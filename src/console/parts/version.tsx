/** One version in full: where it came from, its figures, its files, how to call it. */

import type { Manifest } from '../../sdk/index.ts';
import { bytes, number, time } from '../format.ts';
import { useLoaded } from '../load.ts';
import { headlineOf } from '../metric-names.ts';
import { href } from '../router.ts';
import { client } from '../server.ts';
import { Figures } from './figures.tsx';
import { VersionReport } from './report.tsx';
import { Facts, Tabs } from './small.tsx';
import { snippetsOf } from './snippets.tsx';
import { ask, attempt } from './toasts.tsx';
import { besideOf, frameBytes, referenceOf, rowToCode, typeOf } from './versions.tsx';

export function Version({ of, reload, isOnly }: { of: Manifest; reload: () => void; isOnly: boolean }) {
  const { name, version, lineage, files } = of;
  const [rows, headline, beside] = [rowToCode(of), headlineOf(of), besideOf(of)];
  const file = (path: string): string => `v1/models/${name}/versions/${version}/files/${path}`;
  const spec = lineage.spec as { training?: { epochs?: number } };
  const dataset = useLoaded(
    (signal) => client.datasets.get(lineage.dataset.name, { signal }).catch(() => undefined),
    [lineage.dataset.name],
  );
  const remove = async (): Promise<void> => {
    const text = 'Its number is not given again. Devices that still send frames of it will not be understood.';
    if (!(await ask(`Delete version ${version} of ${name}?`, text, 'Delete the version'))) return;
    if (
      await attempt(() => client.models.deleteVersion(name, version, { force: true }), `${referenceOf(of)} is deleted.`)
    )
      reload();
  };
  return (
    <>
      <section class="card">
        <div class="head">
          <h2>{referenceOf(of)}</h2>
          <span class="buttons">
            {files.some(({ path }) => path === 'report.html') && (
              <a class="button" href={file('report.html')}>
                Report
              </a>
            )}
            {!isOnly && (
              <button type="button" onClick={remove}>
                Delete the version
              </button>
            )}
          </span>
        </div>
        <Facts
          of={[
            ['Type', typeOf(of)],
            ...(rows === undefined ? [] : [['Row → code', rows] as const]),
            ...(headline ? [['On test rows', headline.own] as const] : []),
            ...(beside ? [['Beside', beside] as const] : []),
            ...(of.codec ? [['Frame of one row', `${frameBytes(of)} bytes`] as const] : []),
            ['Answers', answersOf(of)],
            [
              'Data set',
              <a key="set" href={href(['datasets', lineage.dataset.name])}>
                {lineage.dataset.name}
              </a>,
            ],
            [
              'Trained by',
              <a key="job" href={href(['jobs', lineage.jobId])}>
                job {lineage.jobId.slice(-8)}
              </a>,
            ],
            ['Epochs', number(spec?.training?.epochs)],
            ['Seed', String(lineage.seed)],
            ['Engine', lineage.engine],
            ['Release', lineage.hourglass],
            ['Published', time(of.createdAt)],
          ]}
        />
        <details class="more">
          <summary>All figures</summary>
          <Figures metrics={[of.metrics]} />
        </details>
        <h3>Ask it</h3>
        <Tabs label="How to call the model" of={snippetsOf(of)} />
      </section>
      <VersionReport of={of} classNames={dataset.data?.classNames ?? []} />
      <section class="card">
        <h2>Files</h2>
        <ul class="files">
          {files.some(({ path }) => path === 'bundle.tar') && (
            <li>
              <a href={`v1/models/${referenceOf(of)}/bundle`} download>
                bundle
              </a>
              <span class="quiet">what a device needs to encode</span>
            </li>
          )}
          {files.map(({ path, bytes: size }) => (
            <li key={path}>
              <a href={file(path)}>{path}</a>
              <span class="quiet">{bytes(size)}</span>
            </li>
          ))}
        </ul>
      </section>
    </>
  );
}

function answersOf({ operations, picture, restorer }: Manifest) {
  if (restorer) return `denoise, with pictures of any size${restorer.hasMask ? ' and holes' : ''}`;
  if (!picture) return operations.join(', ');
  return (
    <>
      encode and decode, with pictures of any size: <a href="photos">try it</a>
    </>
  );
}
