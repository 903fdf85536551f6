/** The members of a schema, those of other schemas folded into them. */

import { followed, helpOf, kindsOf, limitsOf, type Schema, type Schemas } from '../form/schema.ts';

export function typeText(given: Schema, schemas: Schemas): string {
  const schema = followed(given, schemas);
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(' or ');
  if (schema.anyOf) return [...new Set(schema.anyOf.map((one) => typeText(one, schemas)))].join(' or ');
  if (schema.type === 'array') return `list of ${typeText(schema.items ?? {}, schemas)}`;
  return schema.type ?? 'anything';
}

export function SchemaFields({ of, schemas, depth = 0 }: { of: Schema; schemas: Schemas; depth?: number }) {
  const schema = followed(of, schemas);
  const inner = schema.type === 'array' ? followed(schema.items ?? {}, schemas) : schema;
  const kinds = kindsOf(inner, schemas);
  if (kinds) {
    return (
      <>
        {Object.entries(kinds).map(([kind, one]) => (
          <details key={kind} class="nested">
            <summary>
              <code>type: {kind}</code>
            </summary>
            <SchemaFields of={one} schemas={schemas} depth={depth + 1} />
          </details>
        ))}
      </>
    );
  }
  if (!inner.properties) return depth === 0 ? <p class="quiet">{typeText(of, schemas)}</p> : null;
  return (
    <dl class="fields-list">
      {Object.entries(inner.properties).map(([name, member]) => (
        <Member key={name} {...{ name, member, schemas, depth }} isRequired={inner.required?.includes(name) ?? false} />
      ))}
    </dl>
  );
}

interface MemberProps {
  readonly name: string;
  readonly member: Schema;
  readonly schemas: Schemas;
  readonly depth: number;
  readonly isRequired: boolean;
}

function Member({ name, member, schemas, depth, isRequired }: MemberProps) {
  const schema = followed(member, schemas);
  const { text, usual = schema.default } = helpOf(schema);
  const inner = schema.type === 'array' ? followed(schema.items ?? {}, schemas) : schema;
  const isNested = inner.properties !== undefined || kindsOf(inner, schemas) !== undefined;
  const notes = [
    isNested ? (schema.type === 'array' ? 'list' : '') : typeText(schema, schemas),
    isRequired ? 'required' : '',
    limitsOf(schema),
    usual === undefined ? '' : `default ${JSON.stringify(usual)}`,
  ].filter(Boolean);
  return (
    <div>
      <dt>
        <code>{name}</code> <span class="quiet">{notes.join(', ')}</span>
      </dt>
      <dd>
        {text}
        {isNested && depth < 5 && (
          <details class="nested">
            <summary>members</summary>
            <SchemaFields of={schema} schemas={schemas} depth={depth + 1} />
          </details>
        )}
      </dd>
    </div>
  );
}
