// docs/security.md: each fault and attack that the service has to survive has something beside it that holds it, and all that the page names is there.
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { settings } from '../../src/platform/settings.ts';

const root = path.resolve(import.meta.dirname, '../..');
const page = readFileSync(path.join(root, 'docs/security.md'), 'utf8');
const { scripts } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { readonly scripts: object };
const named = [...page.matchAll(/`([^`\n]+)`/g)].map(([, text = '']) => text);

/** Rows of the table of faults, such as `| 23–26 | what | what holds it |`. */
const rows = [...page.matchAll(/^\| ([\d, –]+) \| .* \| (.*) \|$/gm)].map(([, numbers = '', heldBy = '']) => ({
  numbers: numbers.split(', ').flatMap((part) => {
    const [first = 0, last = first] = part.split('–').map(Number);
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  }),
  heldBy,
}));

it('has every row from 22 to 57 once, in order', () => {
  expect(rows.flatMap(({ numbers }) => numbers)).toEqual(Array.from({ length: 57 - 22 + 1 }, (_, i) => 22 + i));
});

it('says of every row which test or campaign holds it, or that the service does not have what it attacks', () => {
  for (const { numbers, heldBy } of rows) {
    expect(heldBy, `row ${numbers}`).toMatch(/`test\/[\w/.-]+`|`npm run [\w:]+`|^not there: /);
  }
});

it('names only files, commands and settings that are there', () => {
  const files = [
    ...named.filter((text) => /^(src|test|bench|docs|scripts)\/[\w/.-]*$/.test(text)),
    ...[...page.matchAll(/\]\(((?!http)[^)#]+)/g)].map(([, target = '']) => path.join('docs', target)),
  ];
  expect(files.length).toBeGreaterThan(60);
  expect(files.filter((file) => !existsSync(path.join(root, file)))).toEqual([]);
  const commands = named.flatMap((text) => (/^npm run ([\w:]+)/.exec(text) ?? []).slice(1));
  expect(commands.length).toBeGreaterThan(10);
  expect(commands.filter((command) => !Object.hasOwn(scripts, command))).toEqual([]);
  const known = new Set<string>(Object.values(settings).map(({ variable }) => variable));
  const variables = named.flatMap((text) => text.match(/\bHOURGLASS_[A-Z_]+/g) ?? []);
  expect(variables.length).toBeGreaterThan(20);
  expect(variables.filter((name) => !known.has(name))).toEqual([]);
});
