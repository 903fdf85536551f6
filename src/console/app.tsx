/** The frame of all pages: navigation, the page that the address names, whether the server answers, the key that it may want. */

import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Info } from '../sdk/index.ts';
import { useLoaded } from './load.ts';
import { ApiPage } from './pages/api.tsx';
import { ComparePage } from './pages/compare.tsx';
import { DatasetPage } from './pages/dataset.tsx';
import { DatasetsPage } from './pages/datasets.tsx';
import { JobPage } from './pages/job.tsx';
import { JobsPage } from './pages/jobs.tsx';
import { KeysPage } from './pages/keys.tsx';
import { ModelPage } from './pages/model.tsx';
import { ModelsPage } from './pages/models.tsx';
import { NewJobPage } from './pages/new-job.tsx';
import { SweepPage } from './pages/sweep.tsx';
import { SweepsPage } from './pages/sweeps.tsx';
import { SystemPage } from './pages/system.tsx';
import { Empty } from './parts/notices.tsx';
import { Toasts } from './parts/toasts.tsx';
import { href, place } from './router.ts';
import { client, isOnline, needsKey, storedKey, useKey } from './server.ts';

const titles: Readonly<Record<string, string>> = {
  jobs: 'Jobs',
  datasets: 'Data sets',
  models: 'Models',
  system: 'System',
};

/** Pages that belong to one of those in the navigation. */
const parents: Readonly<Record<string, string>> = { new: 'jobs', sweeps: 'jobs', compare: 'models' };
const others: Readonly<Record<string, string>> = {
  new: 'New job',
  sweeps: 'Sweeps',
  compare: 'Compare',
  api: 'API',
  keys: 'API keys',
};

export function App() {
  const info = useLoaded((signal) => client.info({ signal }), []);
  const [section = 'jobs', detail] = place.value.path;
  const main = useRef<HTMLElement>(null);
  const address = place.value.path.join('/');
  useEffect(() => {
    document.title = [detail, titles[section] ?? others[section], 'Hourglass'].filter(Boolean).join(' · ');
  }, [address]);
  return (
    <>
      <button type="button" class="skip" onClick={() => main.current?.focus()}>
        Skip to the content
      </button>
      <Header section={section} info={info.data} />
      {!isOnline.value && (
        <p class="banner" role="status">
          The server does not answer. What is shown is from before; this page goes on as soon as it is back.
        </p>
      )}
      <main id="main" ref={main} tabIndex={-1}>
        <Page />
      </main>
      <footer>
        <span>Hourglass {info.data?.version}</span> <a href={href(['api'])}>API</a>{' '}
        <a href="openapi.yaml">openapi.yaml</a>
        {storedKey() !== '' && (
          <button type="button" class="plain" onClick={() => useKey('')}>
            Forget the key
          </button>
        )}
      </footer>
      {needsKey.value && <KeyBox />}
      <Toasts />
    </>
  );
}

function Header({ section, info }: { section: string; info: Info | undefined }) {
  const link = (name: string, text: ComponentChildren) => (
    <a href={href([name])} aria-current={(parents[section] ?? section) === name ? 'page' : undefined}>
      {text}
    </a>
  );
  return (
    <header class="top">
      <a class="logo" href={href(['jobs'])}>
        <img src="console/icon.svg" alt="" width="26" height="26" /> Hourglass
      </a>
      <nav aria-label="Pages">
        {Object.entries(titles).map(([name, title]) => link(name, title))}
        {info?.access.includes('keys') && info.caller?.scopes.includes('admin') && link('keys', 'Keys')}
        {info?.pages.includes('demo') && <a href="demo">Demo</a>}
        {info?.pages.includes('demo') && <a href="photos">Photographs</a>}
        {link('api', 'API')}
      </nav>
    </header>
  );
}

function Page() {
  const [section = 'jobs', detail] = place.value.path;
  switch (section) {
    case 'jobs':
      return detail === undefined ? <JobsPage /> : <JobPage key={detail} id={detail} />;
    case 'new':
      return <NewJobPage />;
    case 'sweeps':
      return detail === undefined ? <SweepsPage /> : <SweepPage key={detail} id={detail} />;
    case 'datasets':
      return detail === undefined ? <DatasetsPage /> : <DatasetPage key={detail} name={detail} />;
    case 'models':
      return detail === undefined ? <ModelsPage /> : <ModelPage key={detail} name={detail} />;
    case 'compare':
      return <ComparePage />;
    case 'api':
      return <ApiPage />;
    case 'keys':
      return <KeysPage />;
    case 'system':
      return <SystemPage />;
    default:
      return (
        <Empty title="There is no such page">
          <p>
            <a href={href(['jobs'])}>To the jobs</a>
          </p>
        </Empty>
      );
  }
}

/** Asked for when the server refuses a call without a key, or with one that it does not know. */
function KeyBox() {
  const box = useRef<HTMLDialogElement>(null);
  const [key, setKey] = useState('');
  useEffect(() => box.current?.showModal(), []);
  const send = (event: Event): void => {
    event.preventDefault();
    useKey(key.trim());
  };
  return (
    <dialog ref={box} aria-labelledby="key-title" onCancel={() => (needsKey.value = false)}>
      <form method="dialog" onSubmit={send}>
        <h2 id="key-title">This server wants a key</h2>
        <p>
          {storedKey() === '' ? 'Calls without a key are refused.' : 'The key of this session was refused.'} It is kept
          until this tab is closed.
        </p>
        <label>
          API key
          <input
            type="password"
            autoComplete="off"
            required
            value={key}
            onInput={(event) => setKey(event.currentTarget.value)}
          />
        </label>
        <div class="buttons">
          <button type="submit" class="primary">
            Sign in
          </button>
        </div>
      </form>
    </dialog>
  );
}
