/** One model: its versions and where they came from, aliases moved by hand, what to download, how to call it. */

import { useState } from 'preact/hooks';
import type { Manifest, ModelView } from '../../sdk/index.ts';
import { ago, bytes, number, shapeText, time } from '../format.ts';
import { useLoaded } from '../load.ts';
import { Shown } from '../parts/notices.tsx';
import { Copied, Facts, Tabs, Wide } from '../parts/small.tsx';
import { ask, attempt } from '../parts/toasts.tsx';
import { go, href, place } from '../router.ts';
import { address, client } from '../server.ts';

export function ModelPage({ name }: { name: string }) {
  const model = useLoaded((signal) => client.models.get(name, { signal }), [name], 10_000);
  return <Shown of={model}>{(view) => <Model of={view} reload={model.reload} />}</Shown>;
}

function Model({ of, reload }: { of: ModelView; reload: () => void }) {
  const { name, versions } = of;
  const [chosen, setChosen] = useState<readonly string[]>([]);
  const newest = versions.at(-1);
  const wanted = Number(place.value.query.get('version'));
  const shown = versions.find(({ version }) => version === wanted) ?? newest;
  const remove = async (): Promise<void> => {
    const text = 'All its versions and aliases go. Devices that still send frames of it will not be understood.';
    if (!(await ask(`Delete the model ${name}?`, text, 'Delete the model'))) return;
    if (await attempt(() => client.models.delete(name, { force: true }), `${name} is deleted.`)) go(['models']);
  };
  if (!shown) return <p>This model has no versions.</p>;
  const toggle = (reference: string): void =>
    setChosen(
      chosen.includes(reference) ? chosen.filter((one) => one !== reference) : [...chosen, reference].slice(-4),
    );
  return (
    <>
      <div class="head">
        <div>
          <p class="crumbs">
            <a href={href(['models'])}>Models</a>
          </p>
          <h1>{name}</h1>
        </div>
        <span class="buttons">
          {shown.codec && (
            <a class="button" href={`demo?model=${name}@${shown.version}`}>
              Open in the demo
            </a>
          )}
          <button type="button" onClick={remove}>
            Delete
          </button>
        </span>
      </div>
      <Aliases of={of} reload={reload} />
      <section class="card">
        <h2>Versions</h2>
        {versions.length > 1 && (
          <p>
            <a
              class={chosen.length > 1 ? 'button primary' : 'button'}
              href={href(['compare'], {
                versions: (chosen.length > 0
                  ? chosen
                  : versions.slice(-2).map(({ version }) => `${name}@${version}`)
                ).join(','),
              })}
            >
              Compare {chosen.length > 0 ? `${chosen.length} chosen` : 'the newest two'}
            </a>
          </p>
        )}
        <Wide label="Versions">
          <table>
            <thead>
              <tr>
                <th scope="col">
                  <span class="hidden">Choose</span>
                </th>
                <th scope="col">Version</th>
                <th scope="col">Type</th>
                <th scope="col">Code</th>
                <th scope="col" class="num">
                  PSNR dB
                </th>
                <th scope="col" class="num">
                  PCA dB
                </th>
                <th scope="col">Published</th>
                <th scope="col">Job</th>
              </tr>
            </thead>
            <tbody>
              {[...versions].reverse().map((manifest) => {
                const reference = `${name}@${manifest.version}`;
                return (
                  <tr key={reference} aria-current={manifest === shown ? 'true' : undefined}>
                    <td>
                      <input
                        type="checkbox"
                        aria-label={`Choose ${reference}`}
                        checked={chosen.includes(reference)}
                        onChange={() => toggle(reference)}
                      />
                    </td>
                    <th scope="row">
                      <a href={href(['models', name], { version: manifest.version })}>@{manifest.version}</a>
                    </th>
                    <td>{typeOf(manifest)}</td>
                    <td>{shapeText(manifest.codeShape)}</td>
                    <td class="num">{number(manifest.metrics['test.psnr'])}</td>
                    <td class="num">{number(manifest.metrics['test.pca.psnr'])}</td>
                    <td>{ago(manifest.createdAt)}</td>
                    <td>
                      <a href={href(['jobs', manifest.lineage.jobId])}>{manifest.lineage.jobId.slice(-8)}</a>
                    </td>
                  </tr>
                );
              })}
            </tbody>
          </table>
        </Wide>
      </section>
      <Version of={shown} reload={reload} isOnly={versions.length === 1} />
    </>
  );
}

export function typeOf({ lineage }: Manifest): string {
  const { model } = (lineage.spec ?? {}) as { model?: { type?: string } };
  return model?.type ?? '–';
}

function Aliases({ of, reload }: { of: ModelView; reload: () => void }) {
  const { name, aliases, versions } = of;
  const newest = versions.at(-1)?.version ?? 1;
  const [alias, setAlias] = useState('');
  const [version, setVersion] = useState(newest);
  const move = async (which: string, to: number): Promise<void> => {
    if (await attempt(() => client.models.setAlias(name, which, to), `${name}:${which} is version ${to} now.`))
      reload();
  };
  const add = async (event: Event): Promise<void> => {
    event.preventDefault();
    await move(alias, version);
    setAlias('');
  };
  const picker = (value: number, label: string, change: (to: number) => void) => (
    <select aria-label={label} value={value} onChange={(event) => change(Number(event.currentTarget.value))}>
      {versions.map((manifest) => (
        <option key={manifest.version} value={manifest.version}>
          version {manifest.version}
        </option>
      ))}
    </select>
  );
  return (
    <section class="card">
      <h2>Aliases</h2>
      <p class="quiet">
        Clients that ask for <code>{name}:stable</code> get the version that the alias points to.
      </p>
      <ul class="plain-list">
        {Object.entries(aliases).map(([which, to]) => (
          <li key={which}>
            <b>{which}</b> {picker(to, `Version of ${which}`, (next) => void move(which, next))}{' '}
            <button
              type="button"
              aria-label={`Remove ${which}`}
              onClick={async () => {
                if (
                  !(await ask(
                    `Remove the alias ${which}?`,
                    `Calls of ${name}:${which} will be refused.`,
                    'Remove the alias',
                  ))
                )
                  return;
                if (await attempt(() => client.models.deleteAlias(name, which), `${which} is removed.`)) reload();
              }}
            >
              Remove
            </button>
          </li>
        ))}
      </ul>
      <form class="inline" onSubmit={add}>
        <input
          aria-label="New alias"
          required
          placeholder="stable"
          pattern="[a-z][a-z0-9._\-]{0,62}"
          value={alias}
          onInput={(event) => setAlias(event.currentTarget.value)}
        />
        {picker(version, 'Version of the new alias', setVersion)}
        <button type="submit">Add</button>
      </form>
    </section>
  );
}

function Version({ of, reload, isOnly }: { of: Manifest; reload: () => void; isOnly: boolean }) {
  const { name, version, lineage, files, operations, codec, metrics } = of;
  const file = (path: string): string => `v1/models/${name}/versions/${version}/files/${path}`;
  const spec = lineage.spec as { training?: { epochs?: number } };
  const remove = async (): Promise<void> => {
    const text = 'Its number is not given again. Devices that still send frames of it will not be understood.';
    if (!(await ask(`Delete version ${version} of ${name}?`, text, 'Delete the version'))) return;
    if (
      await attempt(() => client.models.deleteVersion(name, version, { force: true }), `${name}@${version} is deleted.`)
    )
      reload();
  };
  return (
    <section class="card">
      <div class="head">
        <h2>
          {name}@{version}
        </h2>
        <span class="buttons">
          <a class="button" href={file('report.html')}>
            Report
          </a>
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
          [
            'Frames',
            codec
              ? `${number(codec.qualities[0]?.bytesPerRow)} to ${number(codec.qualities.at(-1)?.bytesPerRow)} bytes`
              : 'none',
          ],
        ]}
      />
      <h3>Metrics</h3>
      <Facts of={Object.entries(metrics).map(([metric, value]) => [metric, number(value)])} />
      <h3>Files</h3>
      <ul class="plain-list">
        <li>
          <a href={`v1/models/${name}@${version}/bundle`} download>
            bundle
          </a>{' '}
          <span class="quiet">what a device needs to encode</span>
        </li>
        {files.map(({ path, bytes: size }) => (
          <li key={path}>
            <a href={file(path)}>{path}</a> <span class="quiet">{bytes(size)}</span>
          </li>
        ))}
      </ul>
      <h3>Ask it</h3>
      <Tabs label="How to call the model" of={snippets(of)} />
    </section>
  );
}

function snippets({ name, version, inputShape }: Manifest) {
  const reference = `${name}@${version}`;
  const size = inputShape.reduce((product, side) => product * side, 1);
  return {
    curl: (
      <Copied
        text={`# a picture to its code, and to a frame of a few bytes\ncurl -s '${address}/v1/models/${reference}/encode?resize=true' -H 'content-type: image/png' --data-binary @picture.png\ncurl -s '${address}/v1/models/${reference}/encode?resize=true' -H 'content-type: image/png' -H 'accept: application/vnd.hourglass.frame' --data-binary @picture.png -o picture.hgf\ncurl -s ${address}/decode -H 'content-type: application/vnd.hourglass.frame' -H 'accept: image/png' --data-binary @picture.hgf -o decoded.png`}
      />
    ),
    TypeScript: (
      <Copied
        text={`import { HourglassClient, loadEncoder } from 'hourglass-sdk';\n\nconst client = new HourglassClient({ baseUrl: '${address}' });\n// on the device: ${size} numbers to a frame\nconst encoder = await loadEncoder(await client.models.bundle('${reference}'));\nconst { frame } = await encoder.encode({ data: new Float32Array(${size}), rows: 1 });\nconst { data } = await client.decodeFrame(frame);`}
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
