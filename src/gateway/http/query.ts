/**
 * Query strings by their schema. All values are text there, so numbers and booleans are read from their one spelling;
 * everything else is as strict as in bodies.
 */

import type { FastifySchemaCompiler } from 'fastify';
import type { TSchema } from 'typebox';
import { checkRequest } from '../request-check.ts';

interface ObjectSchema {
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, { readonly type?: string }>>;
}

/** For Fastify: checks query strings; paths and bodies are checked where their meaning is known. */
export const validatorCompiler: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
  if (httpPart !== 'querystring') return () => true;
  const isOptional = ((schema as ObjectSchema).required ?? []).length === 0;
  return (query: unknown) => {
    if (isOptional && isEmpty(query)) return true;
    try {
      return { value: checkQuery(schema, query as Record<string, unknown>) };
    } catch (error) {
      return { error: error as Error };
    }
  };
};

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
