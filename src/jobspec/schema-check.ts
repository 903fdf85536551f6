/**
 * Checks a value from outside against a schema of this folder and fills in defaults, nested ones too. Nothing is coerced.
 * Each refusal says what was found, what is allowed and where (a JSON pointer). Unions are told apart by their literal
 * members (`type`), so that an error speaks of the kind that was meant and not of all of them.
 */

import type { TSchema } from 'typebox';
import { HourglassError } from '../base/errors.ts';

/** The part of JSON Schema that is checked. `supported` refuses schemas with anything else. */
interface Schema {
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly default?: unknown;
  readonly pattern?: string;
  readonly description?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  /** objects are always closed */
  readonly additionalProperties?: false;
}

/** Keywords that hold for values of each type; those of the first row for all. */
const keywords: Readonly<Record<string, readonly string[]>> = {
  any: ['type', 'const', 'enum', 'default', 'description'],
  object: ['properties', 'required', 'additionalProperties'],
  array: ['items', 'minItems', 'maxItems'],
  number: ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum'],
  integer: ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum'],
  string: ['pattern', 'minLength', 'maxLength'],
  boolean: [],
  null: [],
};

const verified = new WeakSet<object>();

/**
 * The same schema, after a look for keywords that `checkAgainst` would ignore. Wrap every schema in it where it is defined: a rule that
 * nobody enforces then ends the process when it starts, and not on the day when somebody breaks the rule. Throws Error.
 */
export function supported<T extends TSchema>(schema: T): T {
  if (!verified.has(schema)) verify(schema as unknown as Schema, '');
  verified.add(schema);
  return schema;
}

function verify(schema: Schema, pointer: string): void {
  const unsupported = (what: string): Error =>
    new Error(
      `${what} at ${pointer === '' ? 'the root of a schema' : pointer} is not enforced by jobspec/schema-check.ts`,
    );
  if (schema.anyOf) {
    const besides = Object.keys(schema).find((name) => !['anyOf', 'default', 'description'].includes(name));
    if (besides !== undefined) throw unsupported(`"${besides}" beside "anyOf"`);
    for (const [i, member] of schema.anyOf.entries()) verify(member, `${pointer}/anyOf/${i}`);
    return;
  }
  const isValue = 'const' in schema || schema.enum !== undefined;
  const own = isValue ? [] : keywords[schema.type ?? ''];
  if (own === undefined || schema.type === 'any') throw unsupported(`the type ${JSON.stringify(schema.type)}`);
  for (const name of Object.keys(schema)) {
    if (!own.includes(name) && !keywords.any?.includes(name)) throw unsupported(`"${name}"`);
  }
  if (isValue) return;
  if (schema.type === 'array') {
    if (schema.items === undefined || Array.isArray(schema.items))
      throw unsupported('an array without one schema of its items');
    verify(schema.items, `${pointer}/items`);
  }
  if (schema.type === 'object') {
    if (schema.additionalProperties !== false) throw unsupported('an object that is not closed');
    for (const [name, member] of Object.entries(schema.properties ?? {}))
      verify(member, `${pointer}/properties/${name}`);
  }
}

export interface CheckOptions {
  /** required members that may be absent, because they are filled in afterwards */
  readonly mayMiss?: (pointer: string) => boolean;
  /** members of the outermost object that are checked elsewhere: named where the allowed ones are listed */
  readonly besides?: readonly string[];
}

/** A copy of `value` with its defaults. Throws `unknown-field`, `invalid-type`, `non-finite`, `invalid-request`, `invalid-spec`. */
export function checkAgainst(schema: TSchema, value: unknown, options: CheckOptions = {}): unknown {
  return check(supported(schema) as unknown as Schema, value, '', options);
}

function check(schema: Schema, value: unknown, pointer: string, options: CheckOptions): unknown {
  if (schema.anyOf) {
    const meant = withDefaultKind(schema, value);
    return check(choose(schema.anyOf, meant, pointer), meant, pointer, options);
  }
  if (schema.enum) return checkMember(schema.enum, value, pointer);
  if ('const' in schema) return checkMember([schema.const], value, pointer);
  switch (schema.type) {
    case 'object':
      return checkObject(schema, value, pointer, options);
    case 'array':
      return checkArray(schema, value, pointer, options);
    case 'integer':
    case 'number':
      return checkNumber(schema, value, pointer);
    case 'string':
      return checkString(schema, value, pointer);
    case 'boolean':
      if (typeof value !== 'boolean') throw wrongType(pointer, 'true or false', value);
      return value;
    case 'null':
      if (value !== null) throw wrongType(pointer, 'null', value);
      return value;
    default:
      throw new Error(`no check for schema type ${schema.type}`);
  }
}

/** `{"learningRate": 0.01}` for an optimizer means the default kind of optimizer. */
function withDefaultKind(union: Schema, value: unknown): unknown {
  if (!isObject(value) || 'type' in value || !isObject(union.default)) return value;
  return { type: union.default.type, ...value };
}

/** The member of a union whose literals agree with the value. */
function choose(members: readonly Schema[], value: unknown, pointer: string): Schema {
  if (!isObject(value)) {
    const scalar = members.find((member) => fitsKind(member, value));
    if (scalar) return scalar;
    throw wrongType(pointer, members.map(kindOf).join(' or '), value);
  }
  const objects = members.filter((member) => member.type === 'object');
  if (objects.length === 0) throw wrongType(pointer, members.map(kindOf).join(' or '), value);
  if (objects.length === 1) return objects[0]!;
  const kinds = objects.map((member) => member.properties?.type?.const);
  if (!('type' in value)) {
    throw new HourglassError('invalid-request', `${at(pointer)} has no "type". Set it to ${oneOf(kinds)}.`, {
      field: `${pointer}/type`,
      expected: kinds,
    });
  }
  const found = objects[kinds.indexOf(value.type)];
  if (!found) checkMember(kinds, value.type, `${pointer}/type`);
  return found!;
}

function checkObject(schema: Schema, value: unknown, pointer: string, options: CheckOptions): Record<string, unknown> {
  if (!isObject(value)) throw wrongType(pointer, 'an object', value);
  const properties = schema.properties ?? {};
  for (const key of Object.keys(value)) {
    if (Object.hasOwn(properties, key)) continue;
    const allowed = [...Object.keys(properties), ...(pointer === '' ? (options.besides ?? []) : [])];
    throw new HourglassError(
      'unknown-field',
      `${at(pointer)} has no field ${show(key)}. Its fields are ${allowed.join(', ')}.`,
      { field: `${pointer}/${escapePointer(key)}`, expected: allowed, found: key },
    );
  }
  const result: Record<string, unknown> = {};
  for (const [key, member] of Object.entries(properties)) {
    const where = `${pointer}/${escapePointer(key)}`;
    const given = Object.hasOwn(value, key) ? value[key] : member.default;
    if (given !== undefined) result[key] = check(member, given, where, options);
    else if (schema.required?.includes(key) && !options.mayMiss?.(where)) {
      throw new HourglassError('invalid-request', `${at(where)} is missing. It takes ${allowedBy(member)}.`, {
        field: where,
        expected: allowedBy(member),
      });
    }
  }
  return result;
}

function checkArray(schema: Schema, value: unknown, pointer: string, options: CheckOptions): unknown[] {
  if (!Array.isArray(value)) throw wrongType(pointer, 'an array', value);
  const { minItems = 0, maxItems = Number.POSITIVE_INFINITY } = schema;
  if (value.length < minItems || value.length > maxItems) {
    throw new HourglassError(
      'invalid-spec',
      `${at(pointer)} has ${value.length} items; ${minItems} to ${maxItems} are allowed.`,
      { field: pointer, expected: { minItems, maxItems }, found: value.length },
    );
  }
  return value.map((item, i) => check(schema.items as Schema, item, `${pointer}/${i}`, options));
}

function checkNumber(schema: Schema, value: unknown, pointer: string): number {
  if (typeof value !== 'number') throw wrongType(pointer, allowedBy(schema), value);
  if (!Number.isFinite(Math.fround(value))) {
    throw new HourglassError(
      'non-finite',
      `${at(pointer)} is ${value}. Give a finite number within the range of float32.`,
      { field: pointer, expected: allowedBy(schema), found: String(value) },
    );
  }
  const fits =
    (schema.type !== 'integer' || Number.isSafeInteger(value)) &&
    value >= (schema.minimum ?? Number.NEGATIVE_INFINITY) &&
    value <= (schema.maximum ?? Number.POSITIVE_INFINITY) &&
    value > (schema.exclusiveMinimum ?? Number.NEGATIVE_INFINITY) &&
    value < (schema.exclusiveMaximum ?? Number.POSITIVE_INFINITY);
  if (!fits) {
    throw new HourglassError('invalid-spec', `${at(pointer)} is ${value}; it takes ${allowedBy(schema)}.`, {
      field: pointer,
      expected: allowedBy(schema),
      found: value,
    });
  }
  return value;
}

function checkString(schema: Schema, value: unknown, pointer: string): string {
  if (typeof value !== 'string') throw wrongType(pointer, 'a string', value);
  const { minLength = 0, maxLength = Number.POSITIVE_INFINITY } = schema;
  if (value.length < minLength || value.length > maxLength) {
    throw new HourglassError(
      'invalid-spec',
      `${at(pointer)} has ${value.length} characters; ${minLength} to ${maxLength} are allowed.`,
      { field: pointer, expected: { minLength, maxLength }, found: value.length },
    );
  }
  if (schema.pattern && !new RegExp(schema.pattern).test(value)) {
    throw new HourglassError('invalid-spec', `${at(pointer)} is ${show(value)}; it takes ${allowedBy(schema)}.`, {
      field: pointer,
      expected: schema.description ?? schema.pattern,
      found: value.slice(0, 100),
    });
  }
  return value;
}

function checkMember<T>(allowed: readonly T[], value: unknown, pointer: string): T {
  const found = allowed.find((candidate) => candidate === value);
  if (found !== undefined) return found;
  if (!allowed.some((candidate) => typeof candidate === typeof value)) throw wrongType(pointer, oneOf(allowed), value);
  throw new HourglassError('invalid-spec', `${at(pointer)} is ${show(value)}. Allowed: ${oneOf(allowed)}.`, {
    field: pointer,
    expected: allowed,
    found: typeof value === 'string' ? value.slice(0, 100) : value,
  });
}

function wrongType(pointer: string, expected: string, value: unknown): HourglassError {
  return new HourglassError('invalid-type', `${at(pointer)} must be ${expected}, but is ${kindOfValue(value)}.`, {
    field: pointer,
    expected,
    found: kindOfValue(value),
  });
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const kindOfValue = (value: unknown): string =>
  value === null
    ? 'null'
    : Array.isArray(value)
      ? 'an array'
      : typeof value === 'object'
        ? 'an object'
        : `a ${typeof value}`;

const kindOf = (schema: Schema): string =>
  schema.type === 'object' ? 'an object' : schema.type === 'array' ? 'an array' : allowedBy(schema);

const fitsKind = (schema: Schema, value: unknown): boolean =>
  schema.type === 'array'
    ? Array.isArray(value)
    : schema.type === 'null'
      ? value === null
      : schema.type === 'integer'
        ? typeof value === 'number'
        : 'const' in schema
          ? schema.const === value
          : schema.enum
            ? schema.enum.includes(value)
            : schema.type === typeof value;

/** What a schema lets through, in words. */
function allowedBy(schema: Schema): string {
  if (schema.anyOf)
    return schema.anyOf.map((member) => oneOf([member.properties?.type?.const ?? kindOf(member)])).join(' or ');
  if (schema.enum) return oneOf(schema.enum);
  if ('const' in schema) return show(schema.const);
  if (schema.type !== 'integer' && schema.type !== 'number') return schema.description ?? `${schema.type}`;
  const bounds = [
    schema.minimum !== undefined && `from ${schema.minimum}`,
    schema.exclusiveMinimum !== undefined && `above ${schema.exclusiveMinimum}`,
    schema.maximum !== undefined && `up to ${schema.maximum}`,
    schema.exclusiveMaximum !== undefined && `below ${schema.exclusiveMaximum}`,
  ].filter((bound) => bound !== false);
  return `${schema.type === 'integer' ? 'an integer' : 'a number'} ${bounds.join(' ')}`.trim();
}

const show = (value: unknown): string => (typeof value === 'string' ? `"${value.slice(0, 100)}"` : String(value));
const oneOf = (values: readonly unknown[]): string => values.map(show).join(', ');
const at = (pointer: string): string => (pointer === '' ? 'The request' : `"${pointer.slice(1).replaceAll('/', '.')}"`);
const escapePointer = (key: string): string => key.replaceAll('~', '~0').replaceAll('/', '~1');
