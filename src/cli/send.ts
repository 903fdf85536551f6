/** Calls that the SDK has not: bodies as streams, answers as they come. The same key, the same errors. */

import { Readable } from 'node:stream';
import { ProblemError } from '../sdk/index.ts';
import { problemFrom } from '../sdk/problem.ts';
import type { Call } from './command.ts';

/** Throws ProblemError. */
export async function send(
  { url, apiKey, signal }: Pick<Call, 'url' | 'apiKey' | 'signal'>,
  path: string,
  body: Uint8Array<ArrayBuffer> | string | Readable,
  headers: Readonly<Record<string, string>>,
): Promise<Response> {
  const isStream = body instanceof Readable;
  let answer: Response;
  try {
    answer = await fetch(url + path, {
      method: 'POST',
      headers: { ...headers, ...(apiKey && { authorization: `Bearer ${apiKey}` }) },
      body: isStream ? (Readable.toWeb(body) as ReadableStream<Uint8Array>) : body,
      ...(isStream && { duplex: 'half' }),
      signal,
    } as RequestInit);
  } catch (cause) {
    if (signal.aborted) throw cause;
    const reason = cause instanceof Error && cause.cause instanceof Error ? cause.cause.message : String(cause);
    throw new ProblemError('unreachable', `No answer from ${url}: ${reason}. Check the address and the network.`, 0, {
      cause,
    });
  }
  if (answer.ok) return answer;
  throw problemFrom(await answer.json().catch(() => undefined), answer.status, (name) => answer.headers.get(name));
}
