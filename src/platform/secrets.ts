/** What is secret, and how it is taken out of text that leaves the process: lines of the log, spans, entries of the audit log. */

import type { Config, Environment } from './config.ts';
import { type Setting, settings } from './settings.ts';

const hidden = '[redacted]';

/** Secrets that libraries read by themselves from the environment. */
const secretVariables = ['AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN'];
/** headers for the collector of traces: `authorization=Bearer%20…,x-team=ours`; short values are ordinary words */
const headerVariable = 'OTEL_EXPORTER_OTLP_HEADERS';
const shortestHeader = 12;

/** What must not be written anywhere: each secret of the settings as a whole, the password inside of a URL, and those of libraries. */
export function secretsOf(config: Config, environment: Environment = {}): string[] {
  const found = secretVariables.flatMap((name) => environment[name] ?? []);
  for (const header of (environment[headerVariable] ?? '').split(',')) {
    const value = header.slice(header.indexOf('=') + 1).trim();
    if (value.length >= shortestHeader) found.push(value, decoded(value));
  }
  for (const [name, setting] of Object.entries(settings) as [keyof Config, Setting<unknown>][]) {
    const value = config[name];
    if (!setting.secret || typeof value !== 'string') continue;
    found.push(value);
    if (URL.canParse(value)) {
      const { password, searchParams } = new URL(value);
      found.push(password, decodeURIComponent(password), searchParams.get('password') ?? '');
    }
  }
  return found;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** `scheme://user:password@host` in any text; the user may be empty and the password may hold `@` only as %40. */
const urlPassword = /([a-z][a-z0-9+.-]*:\/\/[^\s/@:"']*:)[^\s/@"']+@/gi;
/** API keys of this service and tokens (JWT), wherever they stand */
const credential = /hg_[0-9A-Za-z]{43,64}[0-9a-f]{8}|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}/g;
/** members of a JSON object whose name says that they are secret */
const secretMember =
  /("(?:authorization|proxy-authorization|cookie|set-cookie|x-api-key|api-?key|password|passwd|secret|token|access-?key|secret-?key)":)"(?:[^"\\]|\\.)*"/gi;

/** A function that takes secrets out of a line of JSON. */
export function redactor(secrets: readonly string[]): (line: string) => string {
  const spellings = secrets
    .filter((secret) => secret.length >= 4)
    .flatMap((secret) => [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)]);
  const longestFirst = [...new Set(spellings)].sort((a, b) => b.length - a.length);
  const exact = longestFirst.length > 0 ? new RegExp(longestFirst.map(escapeRegExp).join('|'), 'g') : undefined;
  return (line) => {
    const known = exact ? line.replace(exact, hidden) : line;
    const safe = known.includes('://') ? known.replace(urlPassword, `$1${hidden}@`) : known;
    return hideCredentials(safe).replace(secretMember, `$1"${hidden}"`);
  };
}

/**
 * Keys and tokens that stand where none belongs: in a path, a name, a request id. For what is not written by way of the log, such as
 * spans and the audit log.
 */
export const hideCredentials = (text: string): string =>
  text.includes('hg_') || text.includes('eyJ') ? text.replace(credential, hidden) : text;

const escapeRegExp = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
