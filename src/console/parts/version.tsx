/** One version in full: where it came from, its figures, its files, how to call it. */

import type { Manifest } from '../../sdk/index.ts';
import { bytes, number, shapeText, time } from '../format.ts';
import { useLoaded } from '../load.ts';
import { href } from '../router.ts';
import { address, client } from '../server.ts';
import { Figures } from './figures.tsx';
import { Rates } from './rates.tsx';
import { Copied, Facts, Tabs } from './small.tsx';
import { ask, attempt } from './toasts.tsx';
import { Advantage, frameBytes, referenceOf, typeOf } from './versions.tsx';

export function Version({ of, reload, isOnly }: { of: Manifest; reload: () => void; isOnly: boolean }) {
  const { name, version, lineage, files, operations, metrics } = of;
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
            ['Row → code', `${shapeText(of.inputShape)} → ${shapeText(of.codeShape)}`],
            ['PSNR of test rows', `${number(metrics['test.denoised.psnr'] ?? metrics['test.psnr'])} dB`],
            ['Over PCA', <Advantage key="pca" of={of} />],
            ['Frame of one row', of.codec ? `${frameBytes(of)} bytes` : 'none'],
            ['Answers', operations.join(', ')],
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
          <Figures versions={[of]} />
        </details>
        <h3>Ask it</h3>
        <Tabs label="How to call the model" of={snippets(of)} />
      </section>
      <Rates versions={[of]} dataset={dataset.data} />
      <section class="card">
        <h2>Files</h2>
        <ul class="files">
          <li>
            <a href={`v1/models/${referenceOf(of)}/bundle`} download>
              bundle
            </a>
            <span class="quiet">what a device needs to encode</span>
          </li>
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

function snippets(of: Manifest) {
  const reference = referenceOf(of);
  const size = of.inputShape.reduce((product, side) => product * side, 1);
  return {
    curl: (
      <Copied
        text={`# a picture to its code, and to a frame of a few bytes\ncurl -s '${address}/v1/models/${reference}/encode?resize=true' -H 'content-type: image/png' --data-binary @picture.png\ncurl -s '${address}/v1/models/${reference}/encode?resize=true' -H 'content-type: image/png' -H 'accept: application/vnd.hourglass.frame' --data-binary @picture.png -o picture.hgf\ncurl -s ${address}/decode -H 'content-type: application/vnd.hourglass.frame' -H 'accept: image/png' --data-binary @picture.hgf -o decoded.png`}
      />
    ),
    TypeScript: (
      <Copied
        text={`import { HourglassClient, loadEncoder } from 'hourglass-sdk';\n\nconst client = new HourglassClient({ baseUrl: '${address}' });\n// on the device: ${size} numbers to a frame\nconst encoder = await loadEncoder(await client.models.bundle('${reference}'));\nconst { frame } = await encoder.encode(new Float32Array(${size}));\nconst { data } = await client.decodeFrame(frame);`}
      />
    ),
    Python: (
      <Copied
        text={`import numpy, requests\n\nrows = numpy.zeros((1, ${size}), 'float32')\nanswer = requests.post('${address}/v1/models/${reference}/encode', json={'inputs': rows.tolist()})\nprint(answer.json()['codes'])`}
      />
    ),
    'Command line': (
      <Copied
        text={`hourglass encode picture.png --model ${reference} -o picture.hgf\nhourglass decode picture.hgf -o decoded.png`}
      />
    ),
  };
}
