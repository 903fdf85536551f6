/** A part of a request by its schema: for every transport. */

import type { TSchema } from 'typebox';
import { HourglassError } from '../base/errors.ts';
import { checkAgainst } from '../jobspec/schema-check.ts';

/**
 * As `checkAgainst`, but what is out of bounds is about the request and makes an `invalid-request`. `fieldOf` turns the JSON
 * pointer into the place where the client put the value.
 */
export function checkRequest(schema: TSchema, value: unknown, fieldOf = (pointer: string): string => pointer): unknown {
  try {
    return checkAgainst(schema, value);
  } catch (error) {
    if (!(error instanceof HourglassError)) throw error;
    const { code, message, facts } = error;
    throw new HourglassError(code === 'invalid-spec' ? 'invalid-request' : code, message, {
      ...facts,
      ...(facts.field !== undefined && { field: fieldOf(facts.field) }),
    });
  }
}
