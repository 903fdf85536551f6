/** The contract as the API page reads it: its calls by group, examples of bodies, the same call as curl. */

import type { Schema, Schemas } from './form/schema.ts';
import { followed } from './form/schema.ts';
import { getJson } from './server.ts';

export interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly description?: string;
  readonly schema?: Schema;
}

type Content = Readonly<Record<string, { readonly schema?: Schema }>>;

export interface Operation {
  readonly operationId?: string;
  readonly tags?: readonly string[];
  readonly summary?: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Content };
  readonly responses: Readonly<Record<string, { readonly description: string; readonly content?: Content }>>;
}

interface Contract {
  readonly info: { readonly title: string; readonly version: string; readonly description?: string };
  readonly tags?: readonly { readonly name: string; readonly description?: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Schemas };
}

export interface ApiCall {
  readonly id: string;
  readonly method: string;
  readonly path: string;
  readonly operation: Operation;
}

export interface Api {
  readonly schemas: Schemas;
  readonly groups: readonly {
    readonly name: string;
    readonly description: string;
    readonly calls: readonly ApiCall[];
  }[];
}

export async function loadApi(): Promise<Api> {
  const { paths, tags = [], components } = await getJson<Contract>('openapi.json');
  const calls = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods)
      .filter(([method]) => method !== 'head')
      .map(([method, operation]): ApiCall => {
        const id = operation.operationId ?? `${method} ${path}`;
        return { id, method: method.toUpperCase(), path, operation };
      }),
  );
  const groups = tags.map(({ name, description = '' }) => ({
    ...{ name, description },
    calls: calls.filter(({ operation }) => operation.tags?.[0] === name),
  }));
  return { schemas: components.schemas, groups: groups.filter((group) => group.calls.length > 0) };
}

/** Whether each word of a search is found in a call. */
export function isFound({ method, path, operation }: ApiCall, search: string): boolean {
  const names = (operation.parameters ?? []).map(({ name }) => name);
  const text = [method, path, operation.summary, ...names].join(' ').toLowerCase();
  return search
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

/** Values that work on a new server where a schema alone does not tell. */
const usual: Readonly<Record<string, unknown>> = { name: 'example', dataset: 'mnist', version: 1, count: 1 };
const deepest = 6;

/** What is required of a schema, with values that it allows. */
export function exampleOf(given: Schema, schemas: Schemas, name = '', depth = 0): unknown {
  const schema = followed(given, schemas);
  if (schema.const !== undefined) return schema.const;
  if (schema.default !== undefined) return schema.default;
  if (schema.enum) return schema.enum[0];
  if (depth > deepest) return null;
  if (schema.anyOf) return exampleOf(schema.anyOf[0] ?? {}, schemas, name, depth + 1);
  if (schema.properties) {
    const wanted = Object.entries(schema.properties).filter(([member]) => schema.required?.includes(member));
    return Object.fromEntries(wanted.map(([member, of]) => [member, exampleOf(of, schemas, member, depth + 1)]));
  }
  if (name in usual) return usual[name];
  switch (schema.type) {
    case 'array':
      return [exampleOf(schema.items ?? {}, schemas, '', depth + 1)];
    case 'object':
      return {};
    case 'boolean':
      return true;
    case 'integer':
    case 'number':
      return schema.minimum ?? 1;
    case 'string':
      return '…';
    default:
      return 0;
  }
}

export interface Request {
  readonly method: string;
  /** with its query */
  readonly url: string;
  readonly type: string | undefined;
  readonly accept: string | undefined;
  readonly body: string | File | undefined;
}

/** The same request for a terminal. */
export function curlOf({ method, url, type, accept, body }: Request, hasKey: boolean): string {
  const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
  return [
    'curl -s',
    method === 'GET' || (method === 'POST' && body !== undefined) ? '' : `-X ${method}`,
    quoted(url),
    hasKey ? '-H "authorization: Bearer $HOURGLASS_API_KEY"' : '',
    type === undefined ? '' : `-H ${quoted(`content-type: ${type}`)}`,
    accept === undefined ? '' : `-H ${quoted(`accept: ${accept}`)}`,
    body === undefined
      ? ''
      : typeof body === 'string'
        ? `-d ${quoted(body)}`
        : `--data-binary ${quoted(`@${body.name}`)}`,
  ]
    .filter(Boolean)
    .join(' ');
}
