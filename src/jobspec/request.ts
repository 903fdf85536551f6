/** The schema of a job as a client may send it: as JobSpec, but whatever has a default may be left out. For the contracts. */

import { type TSchema, Type } from 'typebox';
import { derivedMembers } from './derived.ts';
import { JobSpec } from './job.ts';

interface Node {
  readonly properties?: Readonly<Record<string, Node>>;
  readonly required?: readonly string[];
  readonly anyOf?: readonly Node[];
  readonly items?: Node;
  readonly default?: unknown;
}

function relax(schema: Node, pointer: string): Node {
  return {
    ...schema,
    ...(schema.anyOf && { anyOf: schema.anyOf.map((member) => relax(member, pointer)) }),
    ...(schema.items && { items: relax(schema.items, `${pointer}/0`) }),
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
