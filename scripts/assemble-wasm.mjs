// Assembles WebAssembly text files into TypeScript modules that hold their bytes.
//   node scripts/assemble-wasm.mjs            rewrites the modules
//   node scripts/assemble-wasm.mjs --check    exits with 1 when one differs from its source
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import wabt from 'wabt';

/** source → generated neighbour */
const modules = {
  'src/base/random.wat': 'src/base/random-module.ts',
};

const root = fileURLToPath(new URL('..', import.meta.url));
const read = (file) => readFileSync(path.join(root, file), 'utf8');
const check = process.argv.includes('--check');
const tool = await wabt();

for (const [source, target] of Object.entries(modules)) {
  const parsed = tool.parseWat(source, read(source), { simd: true });
  parsed.validate();
  const hex = Buffer.from(parsed.toBinary({}).buffer).toString('hex');
  const lines = hex.match(/.{1,112}/g).map((line) => `  '${line}',\n`);
  const text = `// Generated from ${path.basename(source)} by scripts/assemble-wasm.mjs. Do not edit.\nexport const hex = [\n${lines.join('')}].join('');\n`;
  if (!check) writeFileSync(path.join(root, target), text);
  else if (read(target) !== text) {
    console.error(`${target} is not what ${source} assembles to. Run: node scripts/assemble-wasm.mjs`);
    process.exitCode = 1;
  }
}
