/**
 * How a request names a model: `digits` is its newest version, `digits@2` that version, `digits:stable` what the alias
 * points to.
 */

import { HourglassError } from '../base/errors.ts';
import { namePattern } from '../jobspec/job.ts';

export type Reference =
  | { readonly kind: 'newest'; readonly name: string }
  | { readonly kind: 'version'; readonly name: string; readonly version: number }
  | { readonly kind: 'alias'; readonly name: string; readonly alias: string };

/** Begins with a letter, so that `digits:2` cannot be mistaken for `digits@2`. */
export const aliasPattern = '^[a-z][a-z0-9._-]{0,62}$';

/** A model as calls name it: see `parseReference`. */
export const referencePattern = '^[a-z0-9][a-z0-9._-]{0,62}(?:@[1-9][0-9]{0,8}|:[a-z][a-z0-9._-]{0,62})?$';

/** Verbs of paths such as `digits:predict`, where an alias would otherwise stand. */
const verbs = ['predict'];

const nameRule = new RegExp(namePattern);
const aliasRule = new RegExp(aliasPattern);
const versionRule = /^[1-9][0-9]{0,8}$/;
const allowed = 'digits (newest), digits@2 (version 2) or digits:stable (alias)';

/** Throws `invalid-reference`. */
export function parseReference(text: string): Reference {
  const [, name = '', mark, rest = ''] = /^([^@:]*)([@:])?(.*)$/s.exec(text) ?? [];
  checkName(name);
  if (mark === '@') return { kind: 'version', name, version: parseVersion(rest) };
  if (mark === ':') return { kind: 'alias', name, alias: checkAlias(rest) };
  return { kind: 'newest', name };
}

export function showReference(reference: Reference): string {
  switch (reference.kind) {
    case 'newest':
      return reference.name;
    case 'version':
      return `${reference.name}@${reference.version}`;
    case 'alias':
      return `${reference.name}:${reference.alias}`;
    default:
      return reference satisfies never;
  }
}

/** Throws `invalid-reference`. */
export function checkName(name: string): string {
  if (nameRule.test(name)) return name;
  throw refuse('model name', name, 'lower-case letters, digits, dot, dash and underscore, at most 63');
}

/** Throws `invalid-reference`. */
export function checkAlias(alias: string): string {
  if (verbs.includes(alias)) throw refuse('alias', alias, `any name but the verb of a path: ${verbs.join(', ')}`);
  if (aliasRule.test(alias)) return alias;
  throw refuse('alias', alias, 'a lower-case letter, then letters, digits, dot, dash and underscore, at most 63');
}

/** Throws `invalid-reference`. */
export function parseVersion(text: string): number {
  if (versionRule.test(text)) return Number(text);
  throw refuse('version', text, 'a whole number from 1');
}

function refuse(part: string, found: string, rule: string): HourglassError {
  const shown = found.length > 80 ? `${found.slice(0, 80)}…` : found;
  return new HourglassError(
    'invalid-reference',
    `${JSON.stringify(shown)} is no ${part}: allowed is ${rule}. Write a model as ${allowed}.`,
    { field: 'model', expected: rule, found: shown },
  );
}
