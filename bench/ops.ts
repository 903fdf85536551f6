/**
 * `npm run bench:ops`: what single ONNX operators cost on one thread, as this engine writes them. It is what decides which
 * form a lowering takes. Best of many runs, so that a busy machine shows up less; writes ops.md and ops.json, a column for each
 * processor, and replaces the one of its own.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { type NdArray, sizeOf, zeros } from '../src/base/ndarray.ts';
import { RandomStream } from '../src/base/random.ts';
import { blockSize } from '../src/engine/onnx/blocks/block-size.ts';
import { convolve } from '../src/engine/onnx/blocks/forms.ts';
import { type Attributes, type ElementType, Graph, type Value } from '../src/engine/onnx/graph.ts';
import { functionModel } from '../src/engine/onnx/model.ts';
import { reshape, transpose } from '../src/engine/onnx/nodes.ts';
import { Session } from '../src/runtime/session.ts';
import { measured, type Processor, processor, system } from './processor.ts';

const milliseconds = 300;

type Build = (g: Graph, input: (shape: readonly number[], type?: ElementType) => Value) => Value;

/** Best time of a graph of the given inputs, in milliseconds. */
function measure(build: Build): number {
  const g = new Graph();
  const inputs: Value[] = [];
  const output = build(g, (shape, type = 'float32') => {
    const value = g.input(`x${inputs.length}`, type, shape);
    inputs.push(value);
    return value;
  });
  const ports = inputs.map((value, i) => ({ name: `x${i}`, value }));
  const metadata = { producer: 'bench', version: '1' };
  const model = functionModel('op', ports, [{ name: 'y', value: output }], metadata, { stop: true });
  const session = Session.create(model, { threads: 1 });
  const feeds: Record<string, NdArray> = {};
  for (const [i, { type, shape }] of inputs.entries()) {
    const numbers = new RandomStream(1, `ops/${i}`).uniform(new Float32Array(sizeOf(shape)), -1, 1);
    const data = type === 'bool' ? Uint8Array.from(numbers, (x) => +(x > 0)) : numbers;
    feeds[`x${i}`] = { dtype: type === 'bool' ? 'bool' : 'float32', shape, data } as NdArray;
  }
  const run = session.bind(feeds, { y: zeros(output.type === 'bool' ? 'bool' : 'float32', output.shape) });
  let best = Number.POSITIVE_INFINITY;
  const end = performance.now() + milliseconds;
  for (let runs = 0; runs < 5 || performance.now() < end; runs++) {
    const start = performance.now();
    run();
    if (runs > 2) best = Math.min(best, performance.now() - start);
  }
  session.dispose();
  return best;
}

const matrix = [128, 784];
const node = (g: Graph, op: string, inputs: readonly Value[], shape: readonly number[], attributes: Attributes = {}) =>
  g.node(op, inputs, { type: 'float32', shape }, attributes);
const same =
  (op: string, operands = 1, attributes: Attributes = {}): Build =>
  (g, input) =>
    node(
      g,
      op,
      Array.from({ length: operands }, () => input(matrix)),
      matrix,
      attributes,
    );

const turned = (g: Graph, a: Value, b: Value, attributes: Attributes) =>
  node(g, 'Gemm', [a, b], [784, 1000], attributes);

const image = (channels: number, size: number) => [32, channels, size, size];
const window = { kernel_shape: [3, 3], pads: [1, 1, 1, 1] };
const convolution =
  (op: string, from: number, to: number, size: number): Build =>
  (g, input) => {
    const weight = op === 'Conv' ? [to, from, 3, 3] : [from, to, 3, 3];
    return node(g, op, [input(image(from, size)), input(weight)], image(to, size), window);
  };

/** A convolution of images and a filter that both change, in ONNX Runtime's blocks of channels; the filter is arranged in every run. */
const inBlocks =
  (from: number, to: number, size: number, block: number): Build =>
  (g, input) => {
    const [batch, ...pixels] = image(Math.ceil(from / block) * block, size);
    const blocked = { value: input([batch!, ...pixels]), channels: from };
    const filter = input([3, 3, from, to]);
    return convolve(g, { image: blocked, filter, size: [size, size], attributes: window }, block).value;
  };
const halves = { kernel_shape: [2, 2], strides: [2, 2] };

const rows: (readonly [name: string, build: Build])[] = [
  ...['Relu', 'Neg', 'Sqrt', 'Exp', 'Log', 'Sigmoid', 'Tanh', 'Softplus', 'Sign', 'Elu', 'Erf'].map(
    (op) => [`${op} [128, 784]`, same(op)] as const,
  ),
  ...['Add', 'Mul', 'Div', 'Max', 'Pow'].map((op) => [`${op} [128, 784]`, same(op, 2)] as const),
  ['Where [128, 784]', (g, input) => node(g, 'Where', [input(matrix, 'bool'), input(matrix), input(matrix)], matrix)],
  ['Softmax [128, 784]', same('Softmax', 1, { axis: -1 })],
  ['Gemm 128×784 · 784×128', (g, input) => node(g, 'Gemm', [input(matrix), input([784, 128])], [128, 128])],
  ['Gemm 784×128 by columns · 128×1000', (g, input) => turned(g, input(matrix), input([128, 1000]), { transA: 1 })],
  [
    'the same, transposed first',
    (g, input) => {
      const x = reshape(g, input(matrix), [1, ...matrix]);
      return turned(g, reshape(g, transpose(g, x, [0, 2, 1]), [784, 128]), input([128, 1000]), {});
    },
  ],
  [
    'Mul [32, 16, 14, 1, 14, 1] · [32, 16, 14, 2, 14, 2]',
    (g, input) =>
      node(g, 'Mul', [input([32, 16, 14, 1, 14, 1]), input([32, 16, 14, 2, 14, 2])], [32, 16, 14, 2, 14, 2]),
  ],
  [
    'Mul [32, 16, 28, 28] of the same size',
    (g, input) => node(g, 'Mul', [input(image(16, 28)), input(image(16, 28))], image(16, 28)),
  ],
  ['MaxPool 2×2 [32, 16, 28, 28]', (g, input) => node(g, 'MaxPool', [input(image(16, 28))], image(16, 14), halves)],
  [
    'MaxPool 2×2 with indices',
    (g, input) => {
      const outputs = [
        { type: 'float32', shape: image(16, 14) },
        { type: 'int64', shape: image(16, 14) },
      ] as const;
      const [y, index] = g.nodes('MaxPool', [input(image(16, 28))], outputs, halves) as [Value, Value];
      return node(g, 'Add', [y, node(g, 'Cast', [index], image(16, 14), { to: 1 })], image(16, 14));
    },
  ],
  ['Conv 3×3, 16 → 1, 28²', convolution('Conv', 16, 1, 28)],
  ['ConvTranspose 3×3, 16 → 1, 28²', convolution('ConvTranspose', 16, 1, 28)],
  ['Conv 3×3, 16 → 8, 14²', convolution('Conv', 16, 8, 14)],
  ['ConvTranspose 3×3, 16 → 8, 14²', convolution('ConvTranspose', 16, 8, 14)],
  ['Conv 3×3, 8 → 16, 14²', convolution('Conv', 8, 16, 14)],
  ['ConvTranspose 3×3, 8 → 16, 14²', convolution('ConvTranspose', 8, 16, 14)],
];

const block = blockSize();
if (block !== undefined) {
  rows.push(
    ['Conv 3×3, 16 → 8, 14², in blocks', inBlocks(16, 8, 14, block)],
    ['Conv 3×3, 8 → 16, 14², in blocks', inBlocks(8, 16, 14, block)],
    ['Conv 3×3, 64 → 64, 14²', convolution('Conv', 64, 64, 14)],
    ['Conv 3×3, 64 → 64, 14², in blocks', inBlocks(64, 64, 14, block)],
  );
}

interface Column {
  readonly processor: Processor;
  readonly system: string;
  readonly measured: string;
  /** milliseconds by operator */
  readonly best: Readonly<Record<string, number>>;
}

const loadBefore = os.loadavg()[0] ?? 0;
const best: Record<string, number> = {};
for (const [name, build] of rows) {
  best[name] = Number(measure(build).toFixed(3));
  console.log(`${name.padEnd(56)} ${best[name].toFixed(3)}`);
}
const own: Column = { processor: processor(), system: system(), measured: measured(loadBefore), best };

const file = (name: string) => new URL(name, import.meta.url);
const kept = (JSON.parse(readFileSync(file('./ops.json'), 'utf8')) as Column[]).filter(
  (column) => column.processor.name !== own.processor.name,
);
const columns = [...kept, own];
const cell = (column: Column, name: string): string => column.best[name]?.toFixed(3) ?? '';
const about = ({ processor, system, measured }: Column): string =>
  `- ${processor.name}: ${[...(processor.flags.length > 0 ? [processor.flags.join(' ')] : []), system, measured].join('; ')}`;
writeFileSync(file('./ops.json'), `${JSON.stringify(columns, null, 1)}\n`);
writeFileSync(
  file('./ops.md'),
  `# Single ONNX operators, one thread

Written by \`npm run bench:ops\`: best time in milliseconds of ONNX Runtime on its CPU provider, float32.

${columns.map(about).join('\n')}

| operator | ${columns.map(({ processor }) => processor.name).join(' | ')} |
| --- |${' ---: |'.repeat(columns.length)}
${rows.map(([name]) => `| ${name} | ${columns.map((column) => cell(column, name)).join(' | ')} |`).join('\n')}
`,
);
