// The guide to the models names every type and every field of its own that a type has.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { ModelSpec } from '../../src/jobspec/model.ts';

const guide = readFileSync(path.resolve(import.meta.dirname, '../../docs/models.md'), 'utf8');
const members = (ModelSpec as unknown as { anyOf: { properties: Record<string, { const?: string }> }[] }).anyOf;
const dense = members.find(({ properties }) => properties.type?.const === 'dense')?.properties ?? {};

it.each(members.map(({ properties }) => [properties.type?.const ?? '', properties] as const))(
  '%s',
  (type, properties) => {
    const row = guide.split('\n').find((line) => line.startsWith(`| \`${type}\``)) ?? '';
    expect(row).not.toBe('');
    const own = Object.keys(properties).filter((field) => !(field in dense));
    for (const field of own) expect(row).toContain(`\`${field}\``);
    // what is written as a field is one
    for (const [, field = ''] of row.split('|')[3]?.matchAll(/`([a-zA-Z]+)`/g) ?? [])
      expect(properties).toHaveProperty(field);
  },
);
