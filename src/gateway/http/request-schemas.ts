/**
 * What of a request the schemas of its route check by themselves: query strings and JSON bodies, and nothing silently. Parts whose
 * handler knows better what a value means (is there such a model?) are named in the route's `handlerChecks`. All values of a
 * query string are text, so numbers and booleans are read from their one spelling; everything else is as strict as in bodies.
 */

import type { FastifySchemaCompiler, RouteOptions } from 'fastify';
import type { TSchema } from 'typebox';
import { supported } from '../../jobspec/schema-check.ts';
import { checkRequest } from '../request-check.ts';
import { components } from './schemas.ts';

type HttpPart = 'body' | 'headers' | 'params';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** parts that the schema describes and the handler checks */
    handlerChecks?: readonly HttpPart[];
  }
}

interface ObjectSchema {
  readonly $ref?: string;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, { readonly type?: string }>>;
}

/** For the hook `onRoute`. A schema that would be ignored, whole or in part, throws Error here, before the server listens. */
export function enforceSchemas(route: RouteOptions): void {
  route.validatorCompiler = compilerFor(route.config?.handlerChecks ?? []);
}

const compilerFor =
  (handlerChecks: readonly HttpPart[]): FastifySchemaCompiler<TSchema> =>
  ({ schema, httpPart, method, url }) => {
    if (httpPart === 'querystring') {
      const check = checking(supported(schema), checkQuery);
      const isOptional = ((schema as ObjectSchema).required ?? []).length === 0;
      return (query: unknown) => (isOptional && isEmpty(query) ? true : check(query));
    }
    if (handlerChecks.includes(httpPart as HttpPart)) return () => true;
    if (httpPart === 'body') return checking(supported(componentOf(schema)), checkRequest);
    throw new Error(
      `${method} ${url}: nobody checks its ${httpPart}. Name them in handlerChecks, and check them there.`,
    );
  };

const checking = (schema: TSchema, check: (schema: TSchema, value: never) => unknown) => (value: unknown) => {
  try {
    return { value: check(schema, value as never) };
  } catch (error) {
    return { error: error as Error };
  }
};

/** What a reference such as `AliasTarget#` names. */
function componentOf(schema: TSchema): TSchema {
  const name = (schema as ObjectSchema).$ref?.replace(/#$/, '');
  return name !== undefined && name in components ? components[name as keyof typeof components] : schema;
}

function isEmpty(query: unknown): boolean {
  for (const _ in query as object) return false;
  return true;
}

function checkQuery(schema: TSchema, query: Record<string, unknown>): unknown {
  const { properties = {} } = schema as ObjectSchema;
  const values = Object.fromEntries(
    Object.entries(query).map(([name, text]) => [
      name,
      readValue(text, Object.hasOwn(properties, name) ? properties[name]?.type : undefined),
    ]),
  );
  return checkRequest(schema, values, (pointer) => `?${pointer.slice(1)}`);
}

function readValue(text: unknown, type: string | undefined): unknown {
  if (typeof text !== 'string') return text;
  if (type === 'integer' || type === 'number') return /^-?\d{1,15}(\.\d{1,15})?$/.test(text) ? Number(text) : text;
  if (type === 'boolean' && (text === 'true' || text === 'false')) return text === 'true';
  return text;
}
