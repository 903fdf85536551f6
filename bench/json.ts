// Reading and writing of JSON bodies beside JSON.parse and JSON.stringify: milliseconds for 1,000 rows of 784 numbers, best of
// 15, and the longest time that nothing else could run meanwhile.
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { readJson } from '../src/gateway/json/read.ts';
import { writeNumbers } from '../src/gateway/json/write.ts';

const shape = [1000, 784] as const;
const [rows, rowSize] = shape;

const kinds: Readonly<Record<string, () => number>> = {
  'pixels, n/255': () => Math.floor(Math.random() * 256) / 255,
  'float32 of a network': () => Math.fround(Math.random() * 2 - 1),
  'four decimals': () => Number(Math.random().toFixed(4)),
};

async function best(work: () => unknown): Promise<string> {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 15; i++) {
    const start = performance.now();
    await work();
    least = Math.min(least, performance.now() - start);
  }
  return least.toFixed(0);
}

function parseAndFlatten(body: Buffer): Float32Array {
  const data = new Float32Array(rows * rowSize);
  const { inputs } = JSON.parse(body.toString()) as { inputs: number[][] };
  let at = 0;
  for (const row of inputs) for (const value of row) data[at++] = value;
  return data;
}

function stringify(data: Float32Array): Buffer {
  const outputs = Array.from({ length: rows }, (_, i) => Array.from(data.subarray(i * rowSize, (i + 1) * rowSize)));
  return Buffer.from(JSON.stringify(outputs));
}

const write = (data: Float32Array): Buffer => Buffer.concat([...writeNumbers({ dtype: 'float32', shape, data })]);

console.log('| numbers | read | JSON.parse | write | JSON.stringify | bytes written | by JSON.stringify |');
console.log('| --- | --- | --- | --- | --- | --- | --- |');
for (const [name, make] of Object.entries(kinds)) {
  const inputs = Array.from({ length: rows }, () => Array.from({ length: rowSize }, make));
  const body = Buffer.from(JSON.stringify({ inputs }));
  const data = Float32Array.from(inputs.flat());
  const figures = [
    await best(() => readJson(body, { tensors: ['inputs'] })),
    await best(() => parseAndFlatten(body)),
    await best(() => write(data)),
    await best(() => stringify(data)),
    write(data).length,
    stringify(data).length,
  ];
  console.log(`| ${name} | ${figures.join(' | ')} |`);
}

const row = Array.from({ length: rowSize }, () => Math.random());
const large = Buffer.from(JSON.stringify({ inputs: Array(4 * rows).fill(row) }));
const delay = monitorEventLoopDelay({ resolution: 1 });
delay.enable();
await readJson(large, { tensors: ['inputs'] });
delay.disable();
console.log();
console.log(
  `Reading ${(large.length / 1e6).toFixed(0)} MB held others up for ${(delay.max / 1e6).toFixed(0)} ms at most.`,
);
