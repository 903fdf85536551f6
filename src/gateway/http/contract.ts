/** The contract: an OpenAPI 3.1 document made from the schemas of the routes. The build makes it, not a running gateway. */

import swagger from '@fastify/swagger';
import type { RouteOptions } from 'fastify';
import { stringify } from 'yaml';
import type { App } from './route-parts.ts';
import { components, problem } from './schemas.ts';
import { shareSchemas } from './shared-schemas.ts';

const tags = [
  { name: 'jobs', description: 'Training jobs: submit, follow, steer' },
  { name: 'datasets', description: 'What jobs train on: built-in data sets and uploads' },
  { name: 'models', description: 'Published models: versions, aliases, files' },
  { name: 'predictions', description: 'Answers of models: encode, decode, denoise, reconstruct' },
  { name: 'open inference protocol', description: 'The same in the words of KServe and Triton: /v2' },
  { name: 'tensorflow serving', description: 'The same in the words of TensorFlow Serving: :predict' },
  { name: 'access', description: 'API keys: who may do what' },
  { name: 'service', description: 'Health, versions, this contract' },
];

/** To be called before any route is added. */
export function describeContract(app: App, version: string): void {
  for (const [name, schema] of Object.entries(shareSchemas(components))) app.addSchema({ ...schema, $id: name });
  app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Hourglass',
        version,
        description: 'Trains autoencoders from a job queue and serves encode, decode and denoise.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      servers: [{ url: '/' }],
      security: [],
      components: { securitySchemes },
      tags,
    },
    transform: ({ schema, url, route }) => ({
      schema: {
        ...schema,
        ...(needsCredential(route) && { security: [{ bearer: [] }] }),
        operationId: operationIdOf(String(route.method), url, schema.tags),
        response: { ...commonProblems(route), ...(schema.response as object | undefined) },
      },
      url,
    }),
    refResolver: { buildLocalReference: (json) => String(json.$id) },
    convertConstToEnum: false,
  });
}

/** What is sent where access control is on; the scope that a call needs is in the text of its 403. */
const securitySchemes = {
  bearer: { type: 'http', scheme: 'bearer', description: 'an API key (hg_…), or a token of the OpenID provider' },
} as const;

const needsCredential = ({ config }: RouteOptions): boolean => config?.scope !== 'open' && config?.scope !== 'known';

/** Refusals that do not depend on what a call does: of its parts, its sender, and the state of the server. */
function commonProblems({ schema = {}, config }: RouteOptions): Record<string, object> {
  const { querystring, body, tags = [] } = schema;
  const takesBody = config?.body !== undefined;
  const scope = config?.scope;
  const usesQueue = tags.includes('jobs');
  return {
    400: problem('The request is not well formed'),
    ...(scope !== 'open' && { 401: problem('Access control is on, and no valid key or token was sent') }),
    403: problem(
      scope === 'open' || scope === 'known'
        ? 'The host name, or the web page that calls, is not allowed'
        : `The host name or the web page that calls is not allowed, or the caller lacks the scope ${scope}`,
    ),
    ...(takesBody && {
      408: problem('The body did not arrive in time'),
      413: problem('The body is larger than allowed'),
      415: problem('The content type or encoding of the body is not taken'),
    }),
    ...((takesBody || needsCredential({ config } as RouteOptions)) && {
      429: problem('Too much work is waiting, or a quota of the tenant is used up; Retry-After says when to come back'),
    }),
    ...((querystring ?? body) !== undefined && { 422: problem('A value has the wrong type or is out of bounds') }),
    ...(usesQueue && { 503: problem('The queue cannot be reached; Retry-After says when to come back') }),
    default: problem('Any other error of the table, such as internal or shutting-down'),
  };
}

/** Calls in the words of other servers, by their tag. */
const protocols: Readonly<Record<string, string>> = {
  'open inference protocol': 'Oip',
  'tensorflow serving': 'Tensorflow',
};

/** The name of a call in generated clients: `POST /v1/jobs/:id/cancel` is postJobsIdCancel, `GET /v2/models` is getOipModels. */
function operationIdOf(method: string, url: string, [tag = '']: readonly string[] = []): string {
  const words = url.split(/[^a-zA-Z]+/).filter((word) => word !== '' && word !== 'v');
  const protocol = protocols[tag] ?? '';
  return method.toLowerCase() + protocol + words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('');
}

/** What is read of the document. */
export interface Contract {
  readonly info: { readonly title: string; readonly version: string; readonly description?: string };
  readonly tags?: readonly { readonly name: string; readonly description?: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, ContractOperation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, ContractSchema>> };
}

export interface ContractOperation {
  readonly operationId?: string;
  readonly tags?: readonly string[];
  readonly summary?: string;
  readonly parameters?: readonly {
    readonly name: string;
    readonly in: string;
    readonly required?: boolean;
    readonly description?: string;
    readonly schema?: ContractSchema;
  }[];
  readonly requestBody?: { readonly content: ContractContent };
  readonly responses: Readonly<Record<string, { readonly description: string; readonly content?: ContractContent }>>;
}

export type ContractContent = Readonly<Record<string, { readonly schema?: ContractSchema }>>;

export interface ContractSchema {
  readonly $ref?: string;
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly ContractSchema[];
  readonly items?: ContractSchema | false;
  readonly prefixItems?: readonly ContractSchema[];
  readonly properties?: Readonly<Record<string, ContractSchema>>;
  readonly required?: readonly string[];
  readonly description?: string;
  readonly default?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
  readonly pattern?: string;
  readonly format?: string;
}

/** The document of an application that is ready. */
export const contractOf = (app: App): Contract =>
  withIntegers(JSON.parse(JSON.stringify((app as App & { swagger(): object }).swagger()))) as Contract;

/**
 * Lists of values say that they are integers where they are: generators for typed languages take them for text or decimals otherwise, and
 * openapi-generator's Kotlin does not compile then.
 */
function withIntegers(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(withIntegers);
  if (typeof node !== 'object' || node === null) return node;
  const { enum: list, const: only } = node as ContractSchema;
  const values = Array.isArray(list) ? list : [only];
  const members = Object.entries(node).map(([name, value]) => [
    name,
    name === 'default' || name === 'examples' ? value : withIntegers(value),
  ]);
  return { ...Object.fromEntries(members), ...(values.every(Number.isInteger) && { type: 'integer' }) };
}

/** As it is checked in and served: the same routes give the same bytes. */
export const contractYaml = (contract: Contract): string =>
  `# Generated from the schemas of the routes by \`npm run generate:openapi\`.\n${stringify(contract, { aliasDuplicateObjects: false, lineWidth: 120 })}`;
