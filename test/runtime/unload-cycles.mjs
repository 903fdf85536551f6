// Loads, runs and unloads a model again and again; prints resident memory (bytes) after each cycle as JSON. Runs the build.
import { readFileSync } from 'node:fs';
import { ModelPool } from '../../dist/runtime/pool.js';

const [file, cycles, rowSize] = process.argv.slice(2);
const bytes = readFileSync(file);
const pool = new ModelPool({ threads: 2, maxModels: 4 });
const resident = [];
for (let i = 0; i < Number(cycles); i++) {
  const source = { key: `m@${i}`, bytes: bytes.length, read: async () => ({ encoder: bytes }) };
  await pool.load(source);
  await pool.run(source, { chain: ['encoder'], rows: 8, data: new Float32Array(8 * Number(rowSize)) });
  await pool.unload(source.key);
  resident.push(process.memoryUsage.rss());
}
await pool.close();
process.stdout.write(JSON.stringify(resident));
