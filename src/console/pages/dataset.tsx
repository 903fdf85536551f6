/** One data set: what is in it, row by row or column by column, and which models were trained on it. */

import type { DatasetInfo } from '../../sdk/index.ts';
import { ago, number, rowsName, rowText } from '../format.ts';
import { useLoaded } from '../load.ts';
import { Shown, Warnings } from '../parts/notices.tsx';
import { Preview } from '../parts/preview.tsx';
import { Facts } from '../parts/small.tsx';
import { ask, attempt } from '../parts/toasts.tsx';
import { go, href } from '../router.ts';
import { client } from '../server.ts';

export function DatasetPage({ name }: { name: string }) {
  const info = useLoaded((signal) => client.datasets.get(name, { signal }), [name]);
  return <Shown of={info}>{(dataset) => <Dataset of={dataset} />}</Shown>;
}

function Dataset({ of }: { of: DatasetInfo }) {
  const { name, range, scaling, rows, classes, classNames = [], builtIn, createdAt, hash, warnings } = of;
  const noun = rowsName(of);
  const models = useLoaded((signal) => client.models.list({ signal }), [name]);
  const users = (models.data ?? []).flatMap(({ versions }) =>
    versions.filter(({ lineage }) => lineage.dataset.name === name),
  );
  const remove = async (): Promise<void> => {
    const text = 'Its rows go. Models that were trained on it stay, but cannot be trained again the same way.';
    if (!(await ask(`Delete the data set ${name}?`, text, 'Delete the data set'))) return;
    if (await attempt(() => client.datasets.delete(name), `${name} is deleted.`)) go(['datasets']);
  };
  return (
    <>
      <div class="head">
        <div>
          <p class="crumbs">
            <a href={href(['datasets'])}>Data sets</a>
          </p>
          <h1>{name}</h1>
        </div>
        <span class="buttons">
          <a class="button primary" href={href(['new'], { dataset: name })}>
            Train on it
          </a>
          {!builtIn && (
            <button type="button" onClick={remove}>
              Delete
            </button>
          )}
        </span>
      </div>
      <Warnings of={warnings} />
      <section class="card">
        <Facts
          of={[
            ['One row', rowText(of)],
            [`Training ${noun}`, number(rows.train)],
            [`Test ${noun}`, number(rows.test)],
            ...(of.ratings ? [['Ratings', number(of.ratings.train + of.ratings.test)] as const] : []),
            ['Values', `${number(range[0])} to ${number(range[1])}`],
            ['Scaling', scaling.divisor === 1 ? 'as uploaded' : `divided by ${scaling.divisor}`],
            ['Classes', classes === undefined ? 'not labelled' : number(classes)],
            ['Format', of.format ?? (builtIn ? 'built in' : '–')],
            ['Uploaded', builtIn ? 'built in' : ago(createdAt)],
            ['SHA-256', <code key="hash">{hash.slice(0, 16)}</code>],
          ]}
        />
      </section>
      <Preview of={of} classNames={classNames} />
      <section class="card">
        <h2>Models trained on it</h2>
        {users.length === 0 && <p class="quiet">None yet.</p>}
        <ul class="plain-list">
          {users.map(({ name: model, version, createdAt: made }) => (
            <li key={`${model}@${version}`}>
              <a href={href(['models', model])}>
                {model}@{version}
              </a>{' '}
              <span class="quiet">{ago(made)}</span>
            </li>
          ))}
        </ul>
      </section>
    </>
  );
}
