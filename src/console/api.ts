/** The contract as the API page reads it: its calls by group, examples of bodies, the same call as curl. */

import type { Schema, Schemas } from './form/schema.ts';
import { followed } from './form/schema.ts';
import { client, getJson } from './server.ts';

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

/** A model that is there, which examples ask. */
interface SampleModel {
  readonly name: string;
  readonly inputShape: readonly number[];
  readonly codeShape: readonly number[];
  readonly inputRange: readonly [number, number];
}

export interface Api {
  readonly schemas: Schemas;
  readonly sample: SampleModel | undefined;
  readonly groups: readonly {
    readonly name: string;
    readonly description: string;
    readonly calls: readonly ApiCall[];
  }[];
}

export async function loadApi(): Promise<Api> {
  const [{ paths, tags = [], components }, sample] = await Promise.all([
    getJson<Contract>('openapi.json'),
    sampleModel(),
  ]);
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
  return { schemas: components.schemas, sample, groups: groups.filter((group) => group.calls.length > 0) };
}

/** One that answers rows; undefined where there is none, or none may be read. */
async function sampleModel(): Promise<SampleModel | undefined> {
  const models = await client.models.list().catch(() => []);
  for (const { name, versions } of models) {
    const newest = versions.at(-1);
    if (newest?.operations.includes('encode')) return { ...newest, name };
  }
  return undefined;
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

const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** Values by the name of their member, where a schema alone does not tell what a server takes. */
function valuesFor(sample: SampleModel | undefined): Readonly<Record<string, unknown>> {
  const { inputShape = [2], codeShape = [1], inputRange = [0, 1] } = sample ?? {};
  const [low, high] = inputRange;
  return {
    ...{ name: 'example', dataset: 'mnist', version: 1, count: 1 },
    inputs: [new Array<number>(sizeOf(inputShape)).fill((low + high) / 2)],
    codes: [new Array<number>(sizeOf(codeShape)).fill(0)],
  };
}

/** What goes into a path by itself: the model of the examples, where the call changes nothing. */
export function parameterOf({ id, method, path }: ApiCall, name: string, { sample }: Api): string {
  if (
    name !== 'model' ||
    !sample ||
    !(method === 'GET' || /\/(encode|decode|reconstruct|infer)$/.test(path) || isPredict(id))
  )
    return '';
  return isPredict(id) ? `${sample.name}:predict` : sample.name;
}

const isPredict = (id: string): boolean => id === 'postTensorflowModelsModel';

/** The body of a call, of what is required: as JSON, with each row of numbers on one line. */
export function bodyOf(call: ApiCall, schema: Schema, { schemas, sample }: Api): string {
  const values = valuesFor(sample);
  const [row] = values.inputs as [number[]];
  const ofOthers: Readonly<Record<string, unknown>> = {
    postTensorflowModelsModel: { instances: [row] },
    postTensorflowModelsModelLabelsLabel: { instances: [row] },
    postOipModelsModelInfer: { inputs: [{ name: 'inputs', shape: [1, row.length], datatype: 'FP32', data: row }] },
  };
  const example = ofOthers[call.id.replace('VersionsVersion', '')] ?? exampleOf(schema, schemas, values);
  return JSON.stringify(example, null, 2).replace(/\[\s+([-\d.,\se]+?)\s+\]/g, (_, numbers: string) => {
    return `[${numbers.replace(/\s+/g, ' ')}]`;
  });
}

const deepest = 6;

/** What is required of a schema, with values that it allows. */
function exampleOf(
  given: Schema,
  schemas: Schemas,
  values: Readonly<Record<string, unknown>>,
  name = '',
  depth = 0,
): unknown {
  const schema = followed(given, schemas);
  const inside = (of: Schema, member = ''): unknown => exampleOf(of, schemas, values, member, depth + 1);
  if (schema.const !== undefined) return schema.const;
  if (schema.default !== undefined) return schema.default;
  if (schema.enum) return schema.enum[0];
  if (depth > deepest) return null;
  if (schema.anyOf) return exampleOf(schema.anyOf[0] ?? {}, schemas, values, name, depth + 1);
  if (schema.properties) {
    const wanted = Object.entries(schema.properties).filter(([member]) => schema.required?.includes(member));
    return Object.fromEntries(wanted.map(([member, of]) => [member, inside(of, member)]));
  }
  if (name in values) return values[name];
  switch (schema.type) {
    case 'array':
      return [inside(schema.items ?? {})];
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
