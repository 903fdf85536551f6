/** A call made from the page: its parameters and body as fields, the answer, and the same as curl. */

import { useId, useRef, useState } from 'preact/hooks';
import { type Api, type ApiCall, bodyOf, curlOf, parameterOf, type Request } from '../api.ts';
import { bytes } from '../format.ts';
import { address, call, messageOf, storedKey } from '../server.ts';
import { Copied } from './small.tsx';

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly size: number;
  readonly text: string | undefined;
  readonly picture: ImageBitmap | undefined;
  readonly milliseconds: number;
}

const json = 'application/json';
const longestText = 200_000;

export function TryIt({ of, api }: { of: ApiCall; api: Api }) {
  const { method, path, operation } = of;
  const parameters = (operation.parameters ?? []).filter(({ in: where }) => where === 'path' || where === 'query');
  const types = Object.keys(operation.requestBody?.content ?? {});
  const accepted = Object.keys(
    Object.entries(operation.responses).find(([status]) => status.startsWith('2'))?.[1].content ?? {},
  );
  const [values, setValues] = useState<Readonly<Record<string, string>>>(() =>
    Object.fromEntries(
      parameters.flatMap(({ name, in: where }) => (where === 'path' ? [[name, parameterOf(of, name, api)]] : [])),
    ),
  );
  const [type, setType] = useState(types.includes(json) ? json : types[0]);
  const [accept, setAccept] = useState(accepted[0]);
  const schema = type === json ? operation.requestBody?.content[json]?.schema : undefined;
  const [text, setText] = useState(() => (schema ? bodyOf(of, schema, api) : ''));
  const [file, setFile] = useState<File | undefined>(undefined);
  const [answer, setAnswer] = useState<Answer | undefined>(undefined);
  const [failure, setFailure] = useState('');
  const [isBusy, setBusy] = useState(false);
  const id = useId();

  const query = new URLSearchParams(
    parameters.flatMap(({ name, in: where }) => (where === 'query' && values[name] ? [[name, values[name]]] : [])),
  ).toString();
  const filled = path.replace(/\{(\w+)\}/g, (whole, name: string) =>
    values[name] ? encodeURIComponent(values[name]) : whole,
  );
  const body = type === undefined ? undefined : type === json ? text : file;
  const request: Request = {
    method,
    url: `${address}${filled}${query && `?${query}`}`,
    type: body === undefined ? undefined : type,
    accept: accepted.length > 1 ? accept : undefined,
    body,
  };
  const send = async (event: Event): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    setFailure('');
    try {
      setAnswer(await ask(request));
    } catch (error) {
      setFailure(messageOf(error));
    }
    setBusy(false);
  };
  return (
    <form class="try" onSubmit={send}>
      <h3>Try it</h3>
      {parameters.map(({ name, required, schema: of = {} }) => (
        <div key={name} class="field">
          <label for={`${id}-${name}`}>
            {name}
            {required && <span class="quiet"> (required)</span>}
          </label>
          <input
            id={`${id}-${name}`}
            required={required ?? false}
            placeholder={of.default === undefined ? '' : String(of.default)}
            autoComplete="off"
            spellcheck={false}
            value={values[name] ?? ''}
            onInput={(event) => setValues({ ...values, [name]: event.currentTarget.value })}
          />
        </div>
      ))}
      {types.length > 1 && <Choice label="Body as" of={types} value={type ?? ''} change={setType} />}
      {type === json && (
        <div class="field">
          <label for={`${id}-body`}>Body</label>
          <textarea
            id={`${id}-body`}
            rows={Math.min(16, Math.max(3, text.split('\n').length, Math.ceil(text.length / 60)))}
            spellcheck={false}
            value={text}
            onInput={(event) => setText(event.currentTarget.value)}
          />
        </div>
      )}
      {type !== undefined && type !== json && (
        <div class="field">
          <label for={`${id}-file`}>File</label>
          <input id={`${id}-file`} type="file" onChange={(event) => setFile(event.currentTarget.files?.[0])} />
        </div>
      )}
      {accepted.length > 1 && <Choice label="Answer as" of={accepted} value={accept ?? ''} change={setAccept} />}
      <button type="submit" class={method === 'DELETE' ? 'danger' : 'primary'} disabled={isBusy}>
        {method === 'GET' ? 'Ask' : 'Send'}
      </button>
      <Copied text={curlOf(request, storedKey() !== '')} />
      <div role="status">
        {failure !== '' && <p class="refused">{failure}</p>}
        {answer && <Shown of={answer} />}
      </div>
    </form>
  );
}

interface ChoiceProps {
  readonly label: string;
  readonly of: readonly string[];
  readonly value: string;
  readonly change: (value: string) => void;
}

function Choice({ label, of, value, change }: ChoiceProps) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <select id={id} value={value} onChange={(event) => change(event.currentTarget.value)}>
        {of.map((one) => (
          <option key={one} value={one}>
            {one}
          </option>
        ))}
      </select>
    </div>
  );
}

function Shown({ of: { status, type, size, text, picture, milliseconds } }: { of: Answer }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  if (picture && canvas.current) draw(canvas.current, picture);
  return (
    <>
      <p>
        <span class={status < 400 ? 'state succeeded' : 'state failed'}>{status}</span>{' '}
        <span class="quiet">
          {type || 'no body'}, {bytes(size)}, {milliseconds} ms
        </span>
      </p>
      {picture && (
        <canvas
          ref={(node) => {
            canvas.current = node;
            if (node) draw(node, picture);
          }}
          class="answered"
          role="img"
          aria-label="The picture that was answered"
        />
      )}
      {text !== undefined && text !== '' && <Copied text={text} />}
    </>
  );
}

function draw(canvas: HTMLCanvasElement, picture: ImageBitmap): void {
  Object.assign(canvas, { width: picture.width, height: picture.height });
  canvas.getContext('2d')?.drawImage(picture, 0, 0);
}

/** Sends a request; a stream of events is read for as long as it takes to see its beginning. */
async function ask({ method, url, type, accept, body }: Request): Promise<Answer> {
  const started = performance.now();
  const stop = new AbortController();
  const headers = { ...(type !== undefined && { 'content-type': type }), ...(accept !== undefined && { accept }) };
  const answer = (await call(url, {
    method,
    headers,
    signal: stop.signal,
    ...(body !== undefined && { body: body as unknown as Uint8Array }),
  })) as Response;
  const kind = answer.headers.get('content-type')?.split(';')[0] ?? '';
  const content = kind === 'text/event-stream' ? await beginningOf(answer, stop) : await answer.blob();
  const isText = /json|text|yaml|csv/.test(kind);
  const text = isText ? pretty(await content.text(), kind) : undefined;
  return {
    ...{ status: answer.status, type: kind, size: content.size, text },
    picture: kind.startsWith('image/') ? await createImageBitmap(content) : undefined,
    milliseconds: Math.round(performance.now() - started),
  };
}

const streamMs = 1500;

async function beginningOf(answer: Response, stop: AbortController): Promise<Blob> {
  const parts: BlobPart[] = [];
  setTimeout(() => stop.abort(), streamMs);
  const reader = answer.body?.getReader();
  try {
    for (let part = await reader?.read(); part?.value; part = await reader?.read()) parts.push(part.value);
  } catch {
    // cut off on purpose
  }
  return new Blob(parts);
}

function pretty(text: string, type: string): string {
  if (!type.includes('json')) return text.slice(0, longestText);
  try {
    return JSON.stringify(JSON.parse(text), null, 2).slice(0, longestText);
  } catch {
    return text.slice(0, longestText);
  }
}
