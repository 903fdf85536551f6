/** The same schema with a default of its own, for schemas that several members share. */

import type { TSchema } from 'typebox';

/** `value` is what a client would write: its own missing members are filled in from the schema. */
export function withDefault<T extends TSchema>(schema: T, value: unknown): T {
  return { ...schema, default: value };
}
