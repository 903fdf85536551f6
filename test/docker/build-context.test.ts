// What the build of the image needs is let into it: scripts/build.mjs reads folders that Dockerfile.dockerignore and COPY must name.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';

const root = path.resolve(import.meta.dirname, '../..');
const textOf = (file: string): string => readFileSync(path.join(root, file), 'utf8');

it('the image is built from every folder that the build reads', () => {
  const scripts = readdirSync(path.join(root, 'scripts'))
    .filter((file) => /^build(-\w+)?\.mjs$/.test(file))
    .map((file) => textOf(`scripts/${file}`))
    .join('\n');
  const named = [...scripts.matchAll(/path\.join\(root, '([\w-]+)/g)].map(([, folder = '']) => folder);
  const folders = readdirSync(root, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? [entry.name] : [],
  );
  const needed = [...new Set(named)].filter(
    (name) => folders.includes(name) && !['node_modules', 'dist'].includes(name),
  );
  expect(needed).toContain('src');
  const dockerfile = textOf('docker/Dockerfile');
  const context = textOf('docker/Dockerfile.dockerignore').split('\n');
  for (const folder of needed) {
    expect(context).toContain(`!${folder}`);
    expect(dockerfile).toMatch(new RegExp(`^COPY ${folder} ${folder}$`, 'm'));
  }
});
