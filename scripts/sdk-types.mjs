// The types of the contract's components for src/sdk/gen/contract.ts, from the parsed openapi.yaml.
// Members that have a default may be left out of what a client sends (…Request, UploadOptions).

/** The text of the module. */
export function sdkTypes({ components }) {
  const types = Object.entries(components.schemas).map(
    ([name, schema]) => `${comment(schema, '')}export type ${name} = ${typeOf(schema, '')};\n`,
  );
  return `/** Generated from openapi.yaml by \`npm run generate:openapi\`: what calls take and answer. */\n\n${types.join('\n')}`;
}

function typeOf(schema, indent) {
  if (schema === undefined || schema === true) return 'unknown';
  if (schema.$ref) return schema.$ref.split('/').at(-1);
  if (schema.const !== undefined) return literal(schema.const);
  if (schema.enum) return schema.enum.map(literal).join(' | ');
  if (schema.anyOf) return schema.anyOf.map((member) => typeOf(member, indent)).join(' | ');
  switch (schema.type) {
    case 'object':
      return objectType(schema, indent);
    case 'array':
      return arrayType(schema, indent);
    case 'integer':
    case 'number':
      return 'number';
    case 'string':
    case 'boolean':
    case 'null':
      return schema.type;
    case undefined:
      return 'unknown';
    default:
      throw new Error(`no type for ${JSON.stringify(schema)}`);
  }
}

function objectType({ properties, required = [], additionalProperties, patternProperties }, indent) {
  const inner = `${indent}  `;
  const values = Object.values(patternProperties ?? {})[0] ?? additionalProperties;
  if (!properties) return `{ readonly [name: string]: ${values ? typeOf(values, indent) : 'unknown'} }`;
  const members = Object.entries(properties).map(([name, member]) => {
    const key = /^[A-Za-z_$][\w$]*$/.test(name) ? name : literal(name);
    const mark = required.includes(name) ? '' : '?';
    return `${comment(member, inner)}${inner}readonly ${key}${mark}: ${typeOf(member, inner)};`;
  });
  return members.length === 0 ? 'Readonly<Record<string, never>>' : `{\n${members.join('\n')}\n${indent}}`;
}

function arrayType({ items, minItems, maxItems }, indent) {
  const item = typeOf(items, indent);
  // pairs, such as a range
  if (minItems === 2 && maxItems === 2) return `readonly [${item}, ${item}]`;
  return `readonly ${/[|]|^readonly /.test(item) ? `(${item})` : item}[]`;
}

function comment({ description, default: value, minimum, maximum }, indent) {
  const words = [
    description,
    value === undefined ? undefined : `default ${JSON.stringify(value)}`,
    boundsOf(minimum, maximum),
  ];
  const text = words.filter(Boolean).join('; ').replaceAll('*/', '* /');
  return text === '' ? '' : `${indent}/** ${text} */\n`;
}

const boundsOf = (minimum, maximum) =>
  minimum === undefined
    ? maximum !== undefined && `up to ${maximum}`
    : maximum === undefined
      ? `from ${minimum}`
      : `${minimum} to ${maximum}`;

const literal = (value) =>
  typeof value === 'string' ? `'${value.replace(/[\\']/g, '\\$&').replaceAll('\t', '\\t')}'` : JSON.stringify(value);
