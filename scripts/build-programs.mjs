// Bundles each program of the build (src/main.ts and every thread and child process) with the packages that consist of many small
// files: a start then reads some twenty files in place of a thousand. Writes over the compiled programs in dist/ or the folder of a
// build that is named; the other compiled modules stay as they are, for whoever imports one of them.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { rolldown } from 'rolldown';

const root = path.resolve(import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname), '..');
const src = path.join(root, 'src');
const to = path.resolve(process.argv[2] ?? path.join(root, 'dist'));

/** Pure modules in hundreds of files. All other packages are loaded from node_modules. */
const bundled = ['typebox', '@bufbuild/protobuf'];
/** One large CommonJS file each, which `import` would search for the names of its exports at every start. */
const required = ['@tensorflow/tfjs-core', '@tensorflow/tfjs-backend-cpu'];

const isOf = (packages, id) => packages.some((name) => id === name || id.startsWith(`${name}/`));

/** Files of src/ that are started as a thread or a process, without their ending. */
function programs() {
  const found = new Set(['main']);
  for (const entry of readdirSync(src, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.name.endsWith('.ts')) continue;
    const folder = path.relative(src, entry.parentPath ?? entry.path);
    const text = readFileSync(path.join(src, folder, entry.name), 'utf8');
    for (const [, neighbour] of text.matchAll(/entry\(import\.meta\.url, '\.\/([\w-]+)\.ts'\)/g)) {
      const program = path.posix.join(folder, neighbour);
      if (`${neighbour}.ts` !== entry.name && existsSync(path.join(src, `${program}.ts`))) found.add(program);
    }
  }
  return [...found];
}

/** `import.meta.url` stays that of the compiled module, wherever its code comes to lie: threads and files are found beside it. */
const ownUrls = {
  name: 'own-urls',
  transform(code, id) {
    if (!id.startsWith(`${src}${path.sep}`) || !code.includes('import.meta.url')) return undefined;
    const compiled = path.relative(src, id).replace(/\.ts$/, '.js').replaceAll(path.sep, '/');
    return code.replaceAll('import.meta.url', `__urlOf(${JSON.stringify(compiled)})`);
  },
  renderChunk(code, { fileName }) {
    if (!code.includes('__urlOf(')) return undefined;
    return code.replaceAll(/__urlOf\("([^"]+)"\)/g, (_, compiled) => {
      const place = path.posix.relative(path.posix.dirname(fileName), compiled);
      return place === path.posix.basename(fileName)
        ? 'import.meta.url'
        : `new URL(${JSON.stringify(place)}, import.meta.url).href`;
    });
  },
};

const require = createRequire(import.meta.url);
const byRequire = {
  name: 'by-require',
  resolveId: (id) => (required.includes(id) ? `\0${id}` : undefined),
  load(id) {
    const name = id.slice(1);
    if (!id.startsWith('\0') || !required.includes(name)) return undefined;
    const names = Object.keys(require(name)).filter((key) => /^[A-Za-z_$][\w$]*$/.test(key) && key !== 'default');
    return {
      code: `import { createRequire } from 'node:module';
export const { ${names.join(', ')} } = createRequire(import.meta.url)('${name}');`,
      moduleSideEffects: true,
    };
  },
};

const entries = programs();
const bundle = await rolldown({
  input: Object.fromEntries(entries.map((name) => [name, path.join(src, `${name}.ts`)])),
  platform: 'node',
  cwd: root,
  external: (id) => !/^[./\0]/.test(id) && !isOf(bundled, id) && !required.includes(id),
  plugins: [ownUrls, byRequire],
});
const { output } = await bundle.generate({
  format: 'esm',
  entryFileNames: '[name].js',
  chunkFileNames: 'chunks/[name]-[hash].js',
  comments: { legal: true, annotation: false, jsdoc: false },
});
await bundle.close();
mkdirSync(path.join(to, 'chunks'), { recursive: true });
for (const { fileName, code } of output) writeFileSync(path.join(to, fileName), code);
writeFileSync(path.join(to, 'chunks/programs.json'), JSON.stringify({ programs: entries.map((name) => `${name}.js`) }));
// they belong to the compiled files of these names
for (const name of entries) rmSync(path.join(to, `${name}.js.map`), { force: true });
