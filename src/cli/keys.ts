/**
 * `hourglass keys create | list | rotate | revoke | generate`: API keys from the terminal, over REST. `generate` asks nobody: it
 * makes a key for HOURGLASS_ADMIN_KEY.
 */

import { parseArgs } from 'node:util';
import { newKey } from '../access/api-key.ts';
import type { KeyView } from '../access/key-record.ts';
import type { NewKey } from '../access/key-service.ts';

export const keysUsage = `hourglass keys: who may do what. Asks the gateway at HOURGLASS_URL (http://127.0.0.1:8080) with HOURGLASS_API_KEY

  hourglass keys create --name NAME --scopes infer,read [--tenant NAME] [--expires 30d]
  hourglass keys list [--json]
  hourglass keys rotate ID [--overlap 1h]     a new key; the old one stays valid for the overlap
  hourglass keys revoke ID
  hourglass keys generate                     a key for HOURGLASS_ADMIN_KEY; nothing is asked or stored

Scopes: infer, read, train, publish, admin. The key is printed alone on standard output, and once.
`;

export interface KeysContext {
  readonly url: string;
  readonly apiKey?: string | undefined;
  /** to standard output */
  readonly print: (line: string) => void;
  /** for people, to standard error */
  readonly say: (line: string) => void;
}

/** What a person got wrong on the command line. */
export class UsageError extends Error {
  override readonly name = 'StartError';
}

const options = {
  name: { type: 'string' },
  scopes: { type: 'string' },
  tenant: { type: 'string' },
  expires: { type: 'string' },
  overlap: { type: 'string' },
  json: { type: 'boolean' },
} as const;

/** Throws UsageError, also with what the gateway said. */
export async function keysCommand(words: readonly string[], context: KeysContext): Promise<void> {
  const { print, say } = context;
  const { values, positionals } = parse(words);
  const [action = 'help', id] = positionals;
  switch (action) {
    case 'help':
      return print(keysUsage);
    case 'generate':
      return print(newKey());
    case 'create': {
      const { name, scopes, tenant, expires } = values;
      if (name === undefined || scopes === undefined)
        throw new UsageError(`--name and --scopes are needed.\n\n${keysUsage}`);
      const body = {
        ...{ name, scopes: scopes.split(',') },
        ...(tenant !== undefined && { tenant }),
        ...(expires !== undefined && { expiresInSeconds: secondsOf(expires) }),
      };
      return show(await ask<NewKey>(context, 'POST', '/v1/keys', body), context);
    }
    case 'rotate': {
      const overlap = values.overlap === undefined ? '' : `?overlapSeconds=${secondsOf(values.overlap)}`;
      return show(await ask<NewKey>(context, 'POST', `/v1/keys/${idOf(id)}/rotate${overlap}`), context);
    }
    case 'revoke':
      await ask(context, 'DELETE', `/v1/keys/${idOf(id)}`);
      return say('Revoked. Every gateway refuses it within five seconds.');
    case 'list': {
      const { keys } = await ask<{ keys: KeyView[] }>(context, 'GET', '/v1/keys');
      if (values.json) return print(JSON.stringify(keys));
      for (const line of table(keys)) print(line);
      return;
    }
    default:
      throw new UsageError(`There is no "hourglass keys ${action}".\n\n${keysUsage}`);
  }
}

function parse(words: readonly string[]) {
  try {
    return parseArgs({ args: [...words], options, allowPositionals: true });
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\n\n${keysUsage}`);
  }
}

function idOf(id: string | undefined): string {
  if (id !== undefined) return encodeURIComponent(id);
  throw new UsageError(`Name the key by its id, as \`hourglass keys list\` shows it.\n\n${keysUsage}`);
}

const units: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 24 * 3600 };

function secondsOf(text: string): number {
  const [, count, unit = ''] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
  const seconds = Number(count) * (units[unit] ?? Number.NaN);
  if (Number.isSafeInteger(seconds)) return seconds;
  throw new UsageError(`"${text}" is not a time: write 90s, 15m, 12h or 30d.`);
}

/** The key alone on standard output, so that a script can take it. */
function show({ key, id, name, tenant, scopes, expiresAt }: NewKey, { print, say }: KeysContext): void {
  say(
    `Key ${id} (${name}) of tenant ${tenant}: ${scopes.join(', ')}${expiresAt ? `, until ${expiresAt}` : ''}. It is not shown again:`,
  );
  print(key);
}

function table(keys: readonly KeyView[]): string[] {
  const head = ['id', 'name', 'tenant', 'scopes', 'last used', 'expires'];
  const rows = keys.map(({ id, name, tenant, scopes, lastUsedAt, expiresAt, isExpired }) => [
    ...[id, name, tenant, scopes.join(',')],
    lastUsedAt?.slice(0, 16) ?? 'never',
    isExpired ? 'expired' : (expiresAt?.slice(0, 16) ?? 'never'),
  ]);
  const widths = head.map((_, i) => Math.max(...[head, ...rows].map((row) => (row[i] ?? '').length)));
  return [head, ...rows].map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

async function ask<T>({ url, apiKey }: KeysContext, method: string, path: string, body?: unknown): Promise<T> {
  const response = await fetch(url.replace(/\/+$/, '') + path, {
    method,
    headers: {
      ...(apiKey && { authorization: `Bearer ${apiKey}` }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  }).catch((cause: unknown) => {
    const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : undefined;
    const { code = '', message = String(cause) } = (inner ?? {}) as NodeJS.ErrnoException;
    const hint = /CERT|SIGNED|ISSUER/.test(code)
      ? 'Its certificate is not trusted here: name the authority in NODE_EXTRA_CA_CERTS.'
      : 'Is the gateway up? HOURGLASS_URL names it.';
    throw new UsageError(`No answer from ${url}: ${message || code}. ${hint}`, { cause });
  });
  const answer: unknown = response.status === 204 ? undefined : await response.json().catch(() => undefined);
  if (response.ok) return answer as T;
  const { detail = `HTTP ${response.status}` } = (answer ?? {}) as { detail?: string };
  throw new UsageError(detail);
}
