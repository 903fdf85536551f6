// `npm run licences`: the licence of every package that is shipped, as package-lock.json has it; `--all` adds those of development.
// Ends with 1 when one has none, or one that nobody has looked at yet.
import { readFileSync } from 'node:fs';
import path from 'node:path';

const lockFile = path.resolve(import.meta.dirname, '../package-lock.json');

/** Licences under which a package may be shipped with Apache-2.0. LGPL: shared libraries of sharp, which users can replace. */
const accepted = new Set([
  ...['0BSD', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', 'CC0-1.0', 'ISC', 'MIT'],
  'LGPL-3.0-or-later',
]);
/** Not shipped, so what they ask of those who pass them on does not concern us. */
const acceptedForDevelopment = new Set([...accepted, 'MPL-2.0']);

/** `(MIT OR CC0-1.0)`: one is enough; `A AND B`: both hold. */
function isAccepted(expression, among) {
  const text = expression.replace(/[()]/g, '');
  const all = (part) => part.split(' AND ').every((name) => among.has(name.trim()));
  return text.split(' OR ').some(all);
}

/** npm leaves the licence out of the entries of other platforms: it is that of the same release for a platform that has one. */
function licenceOfSibling(name, version, entries) {
  const family = name.slice(0, name.indexOf('/') + 1);
  if (family === '') return undefined;
  const found = entries.filter(
    ([place, entry]) => place.includes(`node_modules/${family}`) && entry.version === version,
  );
  return found.find(([, { license }]) => license !== undefined)?.[1].license;
}

/** @returns {{ name: string, version: string, licence: string, isShipped: boolean, isAccepted: boolean }[]} */
export function licences(lock = JSON.parse(readFileSync(lockFile, 'utf8'))) {
  const entries = Object.entries(lock.packages).filter(([place]) => place !== '');
  return entries.map(([place, { version, license, dev = false }]) => {
    const name = place.slice(place.lastIndexOf('node_modules/') + 'node_modules/'.length);
    const licence = license ?? licenceOfSibling(name, version, entries) ?? 'unknown';
    const isShipped = !dev;
    return {
      name,
      version,
      licence,
      isShipped,
      isAccepted: isAccepted(licence, isShipped ? accepted : acceptedForDevelopment),
    };
  });
}

if (process.argv[1] === import.meta.filename) {
  const withDevelopment = process.argv.includes('--all');
  const found = licences().filter(({ isShipped }) => isShipped || withDevelopment);
  for (const { name, version, licence, isAccepted: isFine } of found)
    console.log(`${licence}\t${name}@${version}${isFine ? '' : '\t← look at this one'}`);
  const odd = found.filter((one) => !one.isAccepted);
  console.log(`${found.length} packages, ${odd.length} to look at`);
  process.exitCode = odd.length === 0 ? 0 : 1;
}
