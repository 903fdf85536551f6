/** The schemas of jobs and searches as a client may send them: whatever has a default may be left out. For the contracts. */

import { type TSchema, Type } from 'typebox';
import { derivedMembers } from './derived.ts';
import { JobSpec } from './job.ts';
import { SweepSearch } from './sweep.ts';

interface Node {
  readonly properties?: Readonly<Record<string, Node>>;
  readonly required?: readonly string[];
  readonly anyOf?: readonly Node[];
  readonly items?: Node;
  readonly patternProperties?: Readonly<Record<string, Node>>;
  readonly default?: unknown;
}

function relax(schema: Node, pointer: string): Node {
  return {
    ...schema,
    ...(schema.anyOf && { anyOf: schema.anyOf.map((member) => relax(member, pointer)) }),
    ...(schema.items && { items: relax(schema.items, `${pointer}/0`) }),
    ...(schema.patternProperties && {
      patternProperties: Object.fromEntries(
        Object.entries(schema.patternProperties).map(([key, member]) => [key, relax(member, `${pointer}/*`)]),
      ),
    }),
    ...(schema.properties && {
      properties: Object.fromEntries(
        Object.entries(schema.properties).map(([key, member]) => [key, relax(member, `${pointer}/${key}`)]),
      ),
      required: (schema.required ?? []).filter(
        (key) => schema.properties?.[key]?.default === undefined && !derivedMembers.includes(`${pointer}/${key}`),
      ),
    }),
  };
}

/** Describes; `resolveJobSpec` is what checks. */
export const JobRequest: TSchema = Type.Unsafe(relax(JobSpec as unknown as Node, '') as object);

/** Describes; `resolveSweep` is what checks. */
export const SearchRequest: TSchema = Type.Unsafe(relax(SweepSearch as unknown as Node, '') as object);
