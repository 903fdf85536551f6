// Bundles the test suite inside @tensorflow/tfjs-core (ES modules that Node cannot load by themselves) together with the onnx
// engine, so that both see one tfjs.
import { existsSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { rolldown } from 'rolldown';

const require = createRequire(import.meta.url);
const root = path.resolve(import.meta.dirname, '../..');
const packageOf = (name) => path.dirname(require.resolve(`${name}/package.json`));
const core = path.join(packageOf('@tensorflow/tfjs-core'), 'dist');
const cpu = path.join(packageOf('@tensorflow/tfjs-backend-cpu'), 'dist');

const isFile = (file) => existsSync(file) && statSync(file).isFile();

/** What tfjs takes from an older jasmine: only the place of a setting. */
const jasmineStub = 'virtual:jasmine';

const tfjsModules = {
  name: 'tfjs-modules',
  resolveId(specifier, importer) {
    if (specifier.startsWith('jasmine-core/')) return jasmineStub;
    if (specifier === '@tensorflow/tfjs-core') return path.join(core, 'index.js');
    if (specifier === '@tensorflow/tfjs-backend-cpu') return path.join(cpu, 'index.js');
    const inside = specifier.match(/^@tensorflow\/tfjs-core\/dist\/(.*)$/)?.[1];
    const base = inside
      ? path.join(core, inside)
      : specifier.startsWith('.') && importer?.includes('@tensorflow')
        ? path.resolve(path.dirname(importer), specifier)
        : undefined;
    return base && [base, `${base}.js`, path.join(base, 'index.js')].find(isFile);
  },
  load: (id) => (id === jasmineStub ? 'export const core = () => ({});' : null),
};

/** Writes one ES module from an entry in this folder. Returns its path. */
export async function bundle(entry, tests) {
  const virtual = {
    name: 'selected-tests',
    resolveId: (specifier) => (specifier === 'virtual:tests' ? specifier : null),
    load: (id) =>
      id === 'virtual:tests'
        ? `export const tests = [${tests.map((test) => `[${JSON.stringify(test)}, () => import(${JSON.stringify(path.join(core, test))})]`)}];`
        : null,
  };
  const build = await rolldown({
    input: path.join(import.meta.dirname, entry),
    platform: 'node',
    plugins: [virtual, tfjsModules],
    external: [/^node:/, 'onnxruntime-node', /^onnxruntime-node\//, 'jasmine-core'],
    // the package calls its tests free of side effects
    treeshake: false,
    logLevel: 'silent',
  });
  const file = path.join(root, 'node_modules/.cache/hourglass', entry);
  await build.write({ file, format: 'esm', codeSplitting: false });
  await build.close();
  return file;
}

export const testRoot = core;
