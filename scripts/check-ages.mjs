// `npm run check:ages -- [--since REF] [--all] [--days 7]`: whether a package of the lock file was published less than a week ago, when
// malicious releases are usually still there. Asks the registry, by npm's own client, about the packages whose version differs
// from the lock file at REF (default: the commit before); --all asks about every package. Ends with 1 when one is younger.
import { execFile, execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs, promisify } from 'node:util';

const root = path.resolve(import.meta.dirname, '..');
const { values } = parseArgs({
  options: {
    since: { type: 'string', default: 'HEAD~1' },
    all: { type: 'boolean', default: false },
    days: { type: 'string', default: '7' },
  },
});
const dayMs = 24 * 3600 * 1000;
const askedAtOnce = 4;

/** @returns {Map<string, string>} `name@version` → name */
function packagesOf(text) {
  const entries = Object.entries(JSON.parse(text).packages).filter(([place, { link }]) => place !== '' && !link);
  return new Map(
    entries.map(([place, { version, name = place.slice(place.lastIndexOf('node_modules/') + 13) }]) => [
      `${name}@${version}`,
      name,
    ]),
  );
}

const now = packagesOf(readFileSync(path.join(root, 'package-lock.json'), 'utf8'));
const before = values.all
  ? new Map()
  : packagesOf(
      execFileSync('git', ['show', `${values.since}:package-lock.json`], {
        cwd: root,
        encoding: 'utf8',
        maxBuffer: 2 ** 26,
      }),
    );
const asked = [...now].filter(([release]) => !before.has(release));

async function publishedAt(release, name) {
  const { stdout } = await promisify(execFile)('npm', ['view', name, 'time', '--json'], {
    cwd: root,
    maxBuffer: 2 ** 26,
  });
  const times = JSON.parse(stdout);
  return Date.parse(times[release.slice(name.length + 1)]);
}

const young = [];
const unknown = [];
const waiting = [...asked];
async function askAll() {
  for (let next = waiting.shift(); next; next = waiting.shift()) {
    const [release, name] = next;
    const at = await publishedAt(release, name).catch(() => Number.NaN);
    if (Number.isNaN(at)) unknown.push(release);
    else if (Date.now() - at < Number(values.days) * dayMs)
      young.push(`${release}, published ${new Date(at).toISOString()}`);
  }
}
await Promise.all(Array.from({ length: askedAtOnce }, askAll));
for (const line of young) console.log(`younger than ${values.days} days: ${line}`);
for (const line of unknown) console.log(`the registry does not say when it was published: ${line}`);
console.log(
  `${asked.length} of ${now.size} packages asked about, ${young.length} too young, ${unknown.length} unknown`,
);
process.exitCode = young.length > 0 || (asked.length > 0 && unknown.length === asked.length) ? 1 : 0;
