// A schema on a route is enforced, or the route says that its handler does it: anything else ends the start.
import { Type } from 'typebox';
import { describe, expect, it } from 'vitest';
import { enforceSchemas } from '../../../src/gateway/http/request-schemas.ts';
import { checkAgainst, supported } from '../../../src/jobspec/schema-check.ts';

const closed = { additionalProperties: false } as const;
type Route = Parameters<typeof enforceSchemas>[0];

function compile(part: string, schema: object, handlerChecks?: ('body' | 'headers' | 'params')[]) {
  const route = {
    method: 'POST',
    url: '/x',
    handler: () => undefined,
    config: { ...(handlerChecks && { handlerChecks }) },
  };
  enforceSchemas(route as Route);
  const { validatorCompiler } = route as Route;
  return validatorCompiler?.({ schema, httpPart: part, method: 'POST', url: '/x' } as never) as (value: unknown) => {
    readonly value?: unknown;
    readonly error?: Error;
  };
}

describe('the schema of a route', () => {
  it('is enforced on the body by its name in the contract', () => {
    const check = compile('body', { $ref: 'AliasTarget#' });
    expect(check({ version: 3 })).toEqual({ value: { version: 3 } });
    expect(check({ version: 0 }).error).toMatchObject({ code: 'invalid-request', facts: { field: '/version' } });
    expect(check({ version: 3, more: 1 }).error).toMatchObject({ code: 'unknown-field' });
  });

  it('is enforced on the query, whose text is read', () => {
    const check = compile('querystring', Type.Object({ limit: Type.Integer({ maximum: 5 }) }, closed));
    expect(check({ limit: '5' })).toEqual({ value: { limit: 5 } });
    expect(check({ limit: '6' }).error).toMatchObject({ code: 'invalid-request', facts: { field: '?limit' } });
    expect(check({ limit: ['1', '2'] }).error).toMatchObject({ code: 'invalid-type' });
  });

  it.each(['params', 'headers'])('on %s that nobody checks ends the start', (part) => {
    const schema = Type.Object({ id: Type.String() });
    expect(() => compile(part, schema)).toThrow(/nobody checks its/);
    expect(compile(part, schema, [part as 'params'])({ id: 1 })).toBe(true);
  });
});

describe('a schema with a rule that would be ignored ends the start', () => {
  it.each([
    ['multipleOf', Type.Object({ a: Type.Integer({ multipleOf: 2 }) }, closed), '"multipleOf" at /properties/a'],
    ['uniqueItems', Type.Array(Type.String(), { uniqueItems: true }), '"uniqueItems"'],
    ['format', Type.Object({ a: Type.Optional(Type.String({ format: 'uuid' })) }, closed), '"format" at /properties/a'],
    ['not closed', Type.Object({ a: Type.String() }), 'an object that is not closed'],
    ['minProperties', Type.Object({}, { ...closed, minProperties: 1 }), '"minProperties"'],
    ['a tuple', Type.Tuple([Type.Number(), Type.String()]), '"additionalItems"'],
    ['anything', Type.Object({ a: Type.Unknown() }, closed), 'the type undefined at /properties/a'],
    ['in a union', Type.Union([Type.Null(), Type.Number({ multipleOf: 3 })]), '"multipleOf" at /anyOf/1'],
    [
      'in items',
      Type.Array(Type.Object({ a: Type.Number({ multipleOf: 3 }) }, closed)),
      '"multipleOf" at /items/properties/a',
    ],
  ])('%s', (_, schema, message) => {
    expect(() => supported(schema)).toThrow(message);
    expect(() => checkAgainst(schema, undefined)).toThrow(message);
  });

  it('lengths of text are enforced', () => {
    const schema = supported(Type.String({ minLength: 2, maxLength: 3 }));
    expect(checkAgainst(schema, 'abc')).toBe('abc');
    for (const text of ['a', 'abcd'])
      expect(() => checkAgainst(schema, text)).toThrow(/characters; 2 to 3 are allowed/);
  });
});
