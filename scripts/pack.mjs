// Makes the two packages that can be installed, as tarballs in packages/: the SDK (no dependencies) and the server (only what
// runs). Needs the build.
//   npm run pack
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '..');
const dist = path.join(root, 'dist');
const to = path.resolve(process.argv[2] ?? path.join(root, 'packages'));
const { version, license, engines, dependencies, optionalDependencies, overrides } = JSON.parse(
  readFileSync(path.join(root, 'package.json'), 'utf8'),
);
const shared = { version, license, type: 'module', engines };

/** The files that a module of the build imports, it included, code or types alike. */
function closure(entry) {
  const found = new Set();
  const visit = (file) => {
    if (found.has(file)) return;
    found.add(file);
    const text = readFileSync(file, 'utf8');
    for (const [, name] of text.matchAll(/(?:from|import)\s*\(?\s*['"](\.[^'"]+)['"]/g)) {
      const target = path.resolve(path.dirname(file), name);
      visit(file.endsWith('.d.ts') ? target.replace(/\.(js|ts)$/, '.d.ts') : target);
    }
  };
  visit(entry);
  return [...found];
}

/** Packs a folder with this package.json and these files; `files` maps from where to where. */
function pack(manifest, files, texts = {}) {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'hourglass-pack-'));
  try {
    for (const [from, target] of files) {
      cpSync(from, path.join(folder, target), {
        recursive: true,
        filter: (file) => !file.endsWith('.map') && (manifest.types || !file.endsWith('.d.ts')),
      });
    }
    for (const [file, text] of Object.entries(texts)) writeFileSync(path.join(folder, file), text);
    writeFileSync(path.join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
    mkdirSync(to, { recursive: true });
    const [{ filename, size }] = JSON.parse(
      execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', to], {
        cwd: folder,
        encoding: 'utf8',
      }),
    );
    console.log(`${path.join(to, filename)}  ${Math.ceil(size / 1000)} kB`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const sdkFiles = ['js', 'd.ts'].flatMap((ending) => closure(path.join(dist, `sdk/index.${ending}`)));
pack(
  {
    name: 'hourglass-sdk',
    description: 'Client of Hourglass for Node, browsers and React Native, with the encoder that runs on the device',
    ...shared,
    sideEffects: false,
    types: './sdk/index.d.ts',
    exports: {
      '.': { types: './sdk/index.d.ts', default: './sdk/index.js' },
      './package.json': './package.json',
    },
  },
  [
    ...sdkFiles.map((file) => [file, path.relative(dist, file)]),
    [path.join(root, 'docs/sdk.md'), 'README.md'],
    [path.join(root, 'LICENSE'), 'LICENSE'],
  ],
  // the same types without those of typebox, which the package does not have
  {
    'picture/schema.d.ts': `import type { Manifest } from '../sdk/gen/contract.js';
export type Preprocessing = NonNullable<Manifest['preprocessing']>;
export type Fit = Preprocessing['fit'];
export type Transparency = Preprocessing['transparency'];
`,
  },
);
// The bundled programs and what they read: pages, style sheets. The compiled modules that are in the bundles stay out.
const { programs } = JSON.parse(readFileSync(path.join(dist, 'chunks/programs.json'), 'utf8'));
const serverFiles = [
  ...new Set(programs.flatMap((file) => closure(path.join(dist, file)))),
  ...['console', 'demo', 'theme/theme.css', 'theme/figures.css', 'openapi.yaml', 'openapi.json'].map((name) =>
    path.join(dist, name),
  ),
];
pack(
  {
    name: 'hourglass-server',
    description: 'Trains autoencoders from a job queue and serves encode, decode and denoise over REST and gRPC',
    ...shared,
    bin: { hourglass: 'dist/main.js' },
    ...{ dependencies, optionalDependencies, overrides },
  },
  [
    ...serverFiles.map((file) => [file, path.relative(root, file)]),
    ...['README.md', 'LICENSE', 'CHANGELOG.md', 'openapi.yaml'].map((file) => [path.join(root, file), file]),
  ],
);
