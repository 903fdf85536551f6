// The lock file installs anywhere: every platform's packages are named, no registry's address is.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { licences } from '../scripts/licences.mjs';

interface Entry {
  readonly version?: string;
  readonly resolved?: string;
  readonly hasInstallScript?: boolean;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const root = path.resolve(import.meta.dirname, '..');
const lock = JSON.parse(readFileSync(path.join(root, 'package-lock.json'), 'utf8')) as {
  packages: Record<string, Entry>;
};

describe('package-lock.json', () => {
  it('holds packages under accepted licences alone, those of development too', () => {
    expect(licences().filter(({ isAccepted }) => !isAccepted)).toEqual([]);
    expect(licences().length).toBeGreaterThan(300);
    const odd = {
      packages: {
        '': {},
        'node_modules/a': { version: '1.0.0', license: 'AGPL-3.0' },
        'node_modules/b': { version: '1.0.0' },
      },
    };
    expect(licences(odd).map(({ isAccepted }) => isAccepted)).toEqual([false, false]);
  });

  it('runs the scripts of those packages at their installation alone that docs/security.md names', () => {
    const named = Object.entries(lock.packages).flatMap(([place, { hasInstallScript }]) =>
      hasInstallScript ? [place.replace(/^.*node_modules\//, '')] : [],
    );
    const text = readFileSync(path.join(root, 'docs/security.md'), 'utf8');
    const [, section = ''] = /## Supply chain\n([\s\S]*?)\n## /.exec(text) ?? [];
    const documented = [...section.matchAll(/^\| `([^`]+)` \|/gm)].map(([, name]) => name);
    expect(documented.sort()).toEqual(named.sort());
  });

  it('names the packages of every platform, so that npm ci works on all of them', () => {
    const missing = Object.entries(lock.packages).flatMap(([parent, { optionalDependencies = {} }]) =>
      Object.keys(optionalDependencies).filter(
        (name) => !lock.packages[`node_modules/${name}`] && !lock.packages[`${parent}/node_modules/${name}`],
      ),
    );
    expect(missing).toEqual([]);
  });

  it('holds no address of a registry', () => {
    expect(Object.values(lock.packages).filter(({ resolved }) => resolved)).toEqual([]);
  });
});
