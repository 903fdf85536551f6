/** The one way to the server: the SDK's client with the key of this session, and whether the server answers at all. */

import { signal } from '@preact/signals';
import { type Fetch, HourglassClient, type HttpRequest, ProblemError } from '../sdk/index.ts';

const keyName = 'hourglass-key';

/** of the server, without the page's own name */
export const address = new URL('.', location.href.split('#')[0]).href.replace(/\/$/, '');

/** false while nothing answers */
export const isOnline = signal(true);
/** true when the server wants a key that it was not given */
export const needsKey = signal(false);
/** grows with each new key, so that pages load anew */
export const keyCount = signal(0);

export const storedKey = (): string => sessionStorage.getItem(keyName) ?? '';

/** Kept until the browser's tab is closed. */
export function useKey(key: string): void {
  if (key === '') sessionStorage.removeItem(keyName);
  else sessionStorage.setItem(keyName, key);
  needsKey.value = false;
  keyCount.value++;
}

export const keyHeaders = (): Record<string, string> => {
  const key = storedKey();
  return key === '' ? {} : { authorization: `Bearer ${key}` };
};

let isAsking = false;
const askEveryMs = 1500;

/** Asks until the server is back. */
function watchForReturn(): void {
  isOnline.value = false;
  if (isAsking) return;
  isAsking = true;
  setTimeout(async () => {
    isAsking = false;
    const answer = await fetch(`${address}/livez`, { cache: 'no-store' }).catch(() => undefined);
    if (answer?.ok) isOnline.value = true;
    else watchForReturn();
  }, askEveryMs);
}

export const call: Fetch = async (url, request) => {
  const { headers, ...rest } = request as HttpRequest & RequestInit;
  let answer: Response;
  try {
    answer = await fetch(url, { ...rest, headers: { ...headers, ...keyHeaders() } });
  } catch (error) {
    if (!rest.signal?.aborted) watchForReturn();
    throw error;
  }
  isOnline.value = true;
  if (answer.status === 401) needsKey.value = true;
  return answer;
};

export const client = new HourglassClient({ baseUrl: address, fetch: call, retries: 1 });

/** A GET for JSON of what the client has no call for. */
export async function getJson<T>(path: string): Promise<T> {
  const answer = await call(`${address}/${path}`, { method: 'GET', headers: { accept: 'application/json' } });
  if (!answer.ok)
    throw new ProblemError('invalid-request', `${path} was answered with ${answer.status}.`, answer.status);
  return (await answer.json()) as T;
}

/** A call of what the client has none for; undefined where the answer has no body. Throws ProblemError with the server's words. */
export async function sendJson<T>(method: 'POST' | 'DELETE', path: string, body?: object): Promise<T> {
  const headers: Record<string, string> = body === undefined ? {} : { 'content-type': 'application/json' };
  const sent = body === undefined ? {} : { body: JSON.stringify(body) };
  const answer = await call(`${address}/${path}`, { method, headers, ...sent });
  const text = await answer.text();
  const found = text === '' ? undefined : (JSON.parse(text) as { readonly code?: string; readonly detail?: string });
  if (!answer.ok) {
    const said = found?.detail ?? `${path} was answered with ${answer.status}.`;
    throw new ProblemError((found?.code ?? 'invalid-request') as ProblemError['code'], said, answer.status);
  }
  return found as T;
}

/** float32 rows of a data set */
export async function rowsOf(dataset: string, split: 'train' | 'test', offset: number, limit: number) {
  const path = `v1/datasets/${encodeURIComponent(dataset)}/rows?split=${split}&offset=${offset}&limit=${limit}`;
  const answer = await call(`${address}/${path}`, { method: 'GET', headers: { accept: 'application/octet-stream' } });
  if (!answer.ok)
    throw new ProblemError('invalid-request', `The rows were answered with ${answer.status}.`, answer.status);
  const [rows = 0, ...shape] = (answer.headers.get('x-hourglass-shape') ?? '0').split(',').map(Number);
  return { rows, shape, data: new Float32Array(await answer.arrayBuffer()) };
}

/** What to tell a person about something that went wrong. */
export const messageOf = (thrown: unknown): string => (thrown instanceof Error ? thrown.message : String(thrown));
