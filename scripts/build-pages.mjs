// Bundles the web pages' scripts and copies what goes with them, to dist/demo or the folder of a build that is named.
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { rolldown } from 'rolldown';

const root = path.resolve(import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname), '..');
const from = path.join(root, 'src/demo');
const to = path.join(path.resolve(process.argv[2] ?? path.join(root, 'dist')), 'demo');

const bundle = await rolldown({ input: path.join(from, 'demo.ts'), platform: 'browser', cwd: root });
const { output } = await bundle.generate({ format: 'esm', minify: true, comments: false });
await bundle.close();
if (output.length !== 1) throw new Error(`one script was expected, there are ${output.length}`);
mkdirSync(to, { recursive: true });
writeFileSync(path.join(to, 'demo.js'), output[0].code);
for (const file of ['index.html', 'style.css', 'icon.svg']) copyFileSync(path.join(from, file), path.join(to, file));
