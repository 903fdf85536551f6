/** Aliases of a model, moved by hand, and who moved them when. */

import { useState } from 'preact/hooks';
import type { ModelView } from '../../sdk/index.ts';
import { ago } from '../format.ts';
import { client } from '../server.ts';
import { ask, attempt } from './toasts.tsx';

export function Aliases({ of, reload }: { of: ModelView; reload: () => void }) {
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
  const remove = async (which: string): Promise<void> => {
    const text = `Calls of ${name}:${which} will be refused.`;
    if (!(await ask(`Remove the alias ${which}?`, text, 'Remove the alias'))) return;
    if (await attempt(() => client.models.deleteAlias(name, which), `${which} is removed.`)) reload();
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
          <li key={which} class="inline">
            <b>{which}</b> {picker(to, `Version of ${which}`, (next) => void move(which, next))}{' '}
            <button type="button" aria-label={`Remove ${which}`} onClick={() => void remove(which)}>
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
      <History of={of.aliasChanges ?? []} />
    </section>
  );
}

const shown = 5;

function History({ of }: { of: NonNullable<ModelView['aliasChanges']> }) {
  const [isWhole, setWhole] = useState(false);
  if (of.length === 0) return null;
  const newestFirst = [...of].reverse();
  return (
    <>
      <h3>Changes</h3>
      <ul class="plain-list history">
        {newestFirst.slice(0, isWhole ? undefined : shown).map(({ alias, version, at, by }, i) => (
          <li key={i}>
            <b>{alias}</b> {version === undefined ? 'removed' : `→ version ${version}`}{' '}
            <span class="quiet">
              <time dateTime={at} title={new Date(at).toLocaleString()}>
                {ago(at)}
              </time>
              {by !== 'anybody' && ` by ${by}`}
            </span>
          </li>
        ))}
      </ul>
      {of.length > shown && !isWhole && (
        <button type="button" class="plain" onClick={() => setWhole(true)}>
          Show all {of.length}
        </button>
      )}
    </>
  );
}
