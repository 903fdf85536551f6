/** The contract's schemas as a form needs them: references followed, the members of a union told apart by their kind. */

import { getJson } from '../server.ts';

export interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly description?: string;
  readonly default?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
  readonly minItems?: number;
}

export type Schemas = Readonly<Record<string, Schema>>;

let reading: Promise<Schemas> | undefined;

/** The contract's components, read once. */
export function contractSchemas(): Promise<Schemas> {
  reading ??= getJson<{ components: { schemas: Schemas } }>('openapi.json').then(
    ({ components }) => components.schemas,
  );
  reading.catch(() => {
    reading = undefined;
  });
  return reading;
}

/** What a reference names, with what is said beside the reference. */
export function followed(schema: Schema, schemas: Schemas): Schema {
  const { $ref, ...beside } = schema;
  if ($ref === undefined) return schema;
  const target = schemas[$ref.split('/').at(-1) ?? ''];
  return target ? { ...followed(target, schemas), ...beside } : beside;
}

/** `{ adam: …, sgd: … }` where each member of a union has a `type` of its own. */
export function kindsOf(schema: Schema, schemas: Schemas): Readonly<Record<string, Schema>> | undefined {
  const members = schema.anyOf?.map((member) => followed(member, schemas)) ?? [];
  const kinds = members.flatMap((member) => {
    const kind = member.properties?.type?.const;
    return typeof kind === 'string' ? [[kind, member] as const] : [];
  });
  return kinds.length > 0 && kinds.length === members.length ? Object.fromEntries(kinds) : undefined;
}

/** A description ends with its default where JSON Schema cannot say it; the form shows that in the field itself. */
export function helpOf({ description = '' }: Schema): { readonly text: string; readonly usual: unknown } {
  const found = description.match(/(?:^|; )default ([[{].*)$/);
  if (found?.[1] === undefined) return { text: description, usual: undefined };
  try {
    return { text: description.slice(0, found.index), usual: JSON.parse(found[1]) as unknown };
  } catch {
    return { text: description, usual: undefined };
  }
}

/** Limits in words. */
export function limitsOf({ minimum, maximum, exclusiveMinimum, exclusiveMaximum }: Schema): string {
  const low =
    minimum !== undefined ? `from ${minimum}` : exclusiveMinimum !== undefined ? `above ${exclusiveMinimum}` : '';
  const high =
    maximum !== undefined ? `to ${maximum}` : exclusiveMaximum !== undefined ? `below ${exclusiveMaximum}` : '';
  return [low, high].filter(Boolean).join(' ');
}
