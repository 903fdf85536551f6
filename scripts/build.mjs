// Compiles src/ to dist/, bundles its programs and the pages. Does nothing where dist/ is already the build of these sources. Plain Node:
// `npm run build`, the set-up and the test runner use it.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const stamp = path.join(root, 'dist/.sources');

/** SHA-256 of everything that the build depends on. */
function hashOfSources() {
  const hash = createHash('sha256').update(process.versions.node.split('.')[0]);
  const add = (file) =>
    hash
      .update(file)
      .update('\0')
      .update(readFileSync(path.join(root, file)))
      .update('\0');
  const scripts = ['scripts/build-contract.mjs', 'scripts/build-pages.mjs', 'scripts/build-programs.mjs'];
  for (const file of ['package-lock.json', 'tsconfig.json', 'tsconfig.build.json', ...scripts]) add(file);
  const sources = readdirSync(path.join(root, 'src'), { recursive: true, withFileTypes: true });
  for (const file of sources
    .filter((f) => f.isFile())
    .map((f) => path.relative(root, path.join(f.parentPath ?? f.path, f.name)))
    .sort()) {
    add(file);
  }
  // the console offers them to begin with
  for (const file of readdirSync(path.join(root, 'recipes')).sort()) add(`recipes/${file}`);
  return hash.digest('hex');
}

function run(args) {
  const { status, stdout, stderr, error } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' });
  if (status !== 0) throw new Error(`the build failed:\n${stdout ?? ''}${stderr ?? ''}${error?.message ?? ''}`);
}

/**
 * Builds into a new folder and swaps it with dist/, so that a running instance never starts a half-written child process.
 * `onStart` is called when there is something to build. Throws an Error with the compiler's output.
 */
export function build(onStart = () => undefined) {
  const hash = hashOfSources();
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === hash) return;
  onStart();
  const [fresh, old] = [`dist.${process.pid}.new`, `dist.${process.pid}.old`].map((name) => path.join(root, name));
  try {
    run([path.join(root, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.build.json', '--outDir', fresh]);
    run([path.join(root, 'scripts/build-pages.mjs'), fresh]);
    run([path.join(root, 'scripts/build-contract.mjs'), fresh]);
    run([path.join(root, 'scripts/build-programs.mjs'), fresh]);
    // `npx hourglass` runs it by its name
    chmodSync(path.join(fresh, 'main.js'), 0o755);
    writeFileSync(path.join(fresh, '.sources'), hash);
    if (existsSync(path.join(root, 'dist'))) renameSync(path.join(root, 'dist'), old);
    renameSync(fresh, path.join(root, 'dist'));
  } finally {
    for (const folder of [fresh, old]) rmSync(folder, { recursive: true, force: true });
  }
}

if (process.argv[1] && path.resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  try {
    build();
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
}
