/** API keys: who may do what, made, renewed and revoked by whoever has the scope `admin`. A key itself is shown once. */

import { useId, useState } from 'preact/hooks';
import type { KeyList, KeyRequest, KeyView, NewKey } from '../../sdk/index.ts';
import { ago, time } from '../format.ts';
import { useLoaded } from '../load.ts';
import { Shown } from '../parts/notices.tsx';
import { Copied } from '../parts/small.tsx';
import { Table } from '../parts/table.tsx';
import { ask, attempt } from '../parts/toasts.tsx';
import { getJson, messageOf, sendJson } from '../server.ts';

const scopes = {
  infer: 'ask models',
  read: 'see jobs, data sets and models',
  train: 'train, upload and delete data sets',
  publish: 'move aliases, delete models',
  admin: 'make and revoke keys, read the audit log',
} as const;
const lifetimes = { '': 'never', '30': 'in 30 days', '90': 'in 90 days', '365': 'in a year' } as const;
const daySeconds = 24 * 3600;

export function KeysPage() {
  const list = useLoaded(() => getJson<KeyList>('v1/keys'), []);
  const [made, setMade] = useState<NewKey | undefined>(undefined);
  const show = (key: NewKey): void => {
    setMade(key);
    list.reload();
  };
  return (
    <>
      <div class="head">
        <h1>API keys</h1>
      </div>
      {made && (
        <section class="card" aria-label="The new key" role="status">
          <h2>The key of {made.name}</h2>
          <p>It is shown this once. Keep it where you keep secrets.</p>
          <Copied text={made.key} />
        </section>
      )}
      <NewKeyForm done={show} />
      <section class="card">
        <Shown of={list}>{({ keys }) => <Keys of={keys} renewed={show} reload={list.reload} />}</Shown>
      </section>
    </>
  );
}

function Keys(props: { of: readonly KeyView[]; renewed: (key: NewKey) => void; reload: () => void }) {
  const { of, renewed, reload } = props;
  const rotate = async ({ id, name }: KeyView): Promise<void> => {
    const text = 'A new key with the same scopes is made. The old one stays valid for an hour.';
    if (!(await ask(`Rotate the key of ${name}?`, text, 'Rotate the key'))) return;
    await attempt(
      async () => renewed(await sendJson<NewKey>('POST', `v1/keys/${encodeURIComponent(id)}/rotate`)),
      `${name} has a new key.`,
    );
  };
  const revoke = async ({ id, name }: KeyView): Promise<void> => {
    const text = 'Whoever uses it is refused from now on, within seconds on every gateway.';
    if (!(await ask(`Revoke the key of ${name}?`, text, 'Revoke the key'))) return;
    const path = `v1/keys/${encodeURIComponent(id)}`;
    if (await attempt(() => sendJson('DELETE', path), `The key of ${name} is revoked.`)) reload();
  };
  if (of.length === 0) return <p>No key yet but the operator's own, which is not listed.</p>;
  return (
    <Table
      label="API keys"
      rows={of}
      keyOf={({ id }) => id}
      columns={[
        {
          head: 'Name',
          isName: true,
          cell: ({ name, id }) => (
            <>
              {name} <small class="quiet">{id}</small>
            </>
          ),
        },
        { head: 'Tenant', cell: ({ tenant }) => tenant },
        { head: 'Scopes', cell: (key) => key.scopes.join(', ') },
        { head: 'Made', cell: ({ createdAt }) => ago(createdAt) },
        { head: 'Last used', cell: ({ lastUsedAt }) => ago(lastUsedAt) },
        { head: 'Expires', cell: ({ expiresAt }) => (expiresAt === undefined ? 'never' : time(expiresAt)) },
        {
          head: 'Actions',
          cell: (key) => (
            <span class="buttons">
              <button type="button" aria-label={`Rotate ${key.name}`} onClick={() => void rotate(key)}>
                Rotate
              </button>
              <button type="button" aria-label={`Revoke ${key.name}`} onClick={() => void revoke(key)}>
                Revoke
              </button>
            </span>
          ),
        },
      ]}
    />
  );
}

function NewKeyForm({ done }: { done: (key: NewKey) => void }) {
  const [name, setName] = useState('');
  const [tenant, setTenant] = useState('');
  const [days, setDays] = useState('90');
  const [chosen, setChosen] = useState<readonly string[]>(['infer']);
  const [complaint, setComplaint] = useState('');
  const id = useId();
  const send = async (event: Event): Promise<void> => {
    event.preventDefault();
    const request = {
      name,
      scopes: chosen,
      ...(tenant !== '' && { tenant }),
      ...(days !== '' && { expiresInSeconds: Number(days) * daySeconds }),
    } as KeyRequest;
    try {
      done(await sendJson<NewKey>('POST', 'v1/keys', request));
      setName('');
      setComplaint('');
    } catch (error) {
      setComplaint(messageOf(error));
    }
  };
  return (
    <form class="card" onSubmit={send} aria-label="A new key">
      <h2>New key</h2>
      <p class="quiet">One for each app and service, with no more than it needs.</p>
      <div class="fields">
        <div class="field">
          <label for={`${id}-name`}>Name</label>
          <input
            id={`${id}-name`}
            required
            maxLength={100}
            value={name}
            onInput={(event) => setName(event.currentTarget.value)}
          />
        </div>
        <div class="field">
          <label for={`${id}-tenant`}>Tenant</label>
          <input
            id={`${id}-tenant`}
            pattern="[a-z0-9](?:[a-z0-9\-]{0,37}[a-z0-9])?"
            value={tenant}
            onInput={(event) => setTenant(event.currentTarget.value)}
          />
          <small class="help">empty: your own; another only for admins of the tenant default</small>
        </div>
        <div class="field">
          <label for={`${id}-days`}>Expires</label>
          <select id={`${id}-days`} value={days} onChange={(event) => setDays(event.currentTarget.value)}>
            {Object.entries(lifetimes).map(([value, text]) => (
              <option key={value} value={value}>
                {text}
              </option>
            ))}
          </select>
        </div>
      </div>
      <fieldset>
        <legend>It may</legend>
        {Object.entries(scopes).map(([scope, text]) => (
          <label key={scope} class="inline">
            <input
              type="checkbox"
              checked={chosen.includes(scope)}
              onChange={() =>
                setChosen(chosen.includes(scope) ? chosen.filter((other) => other !== scope) : [...chosen, scope])
              }
            />{' '}
            <span>
              <b>{scope}</b>: {text}
            </span>
          </label>
        ))}
      </fieldset>
      {complaint !== '' && (
        <p class="refused" role="alert">
          {complaint}
        </p>
      )}
      <button type="submit" class="primary" disabled={chosen.length === 0}>
        Make the key
      </button>
    </form>
  );
}
