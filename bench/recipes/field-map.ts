/** The map of the fields: each pixel classified from the patch around it, beside a support vector machine on single spectra. */

import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { pictureGrid } from '../../src/report/grid.ts';
import {
  bands,
  classNames,
  type Fields,
  patchAround,
  pixelsOf,
  principalComponents,
  readFields,
  side,
} from './fields.ts';
import { joined, type MeasureContext, Subject } from './subject.ts';

type Metrics = Readonly<Record<string, number>>;

const area = side * side;
const blockRows = 2048;

/**
 * `test.pixels.accuracy` (overall), `.mean` (of the classes), `.kappa`, and where Python has scikit-learn `svm.pixels.accuracy`. Draws
 * spectra in false colours, what is known, the model's map and that of the support vector machine, from left to right.
 */
export async function fieldMap(context: MeasureContext): Promise<Metrics> {
  const subject = new Subject(context);
  try {
    const fields = readFields(path.join(context.dataFolder, 'indian-pines'));
    const drawn = pixelsOf('indian-pines', fields.classes);
    const found = await classify(subject, fields);
    const others = supportVectors(fields, drawn.train);
    const panels = [
      falseColours(fields),
      inColour(fields.classes),
      inColour(found),
      ...(others ? [inColour(others)] : []),
    ];
    const png = await pictureGrid([joined(panels)], panels.length, [side, side, 3], [0, 1]);
    writeFileSync(path.resolve(import.meta.dirname, `../pictures/${context.name}.png`), png);
    const ours = scores(fields.classes, found, drawn.test);
    return {
      'test.pixels.accuracy': ours.overall,
      'test.pixels.mean': ours.mean,
      'test.pixels.kappa': ours.kappa,
      ...(others && { 'svm.pixels.accuracy': scores(fields.classes, others, drawn.test).overall }),
    };
  } finally {
    subject.close();
  }
}

/** The most probable class of every pixel, labelled or not. */
async function classify(subject: Subject, fields: Fields): Promise<Uint8Array> {
  const { info } = await subject.dataset();
  const [patch = 1, , components = 1] = info.shape;
  const classes = (info.classNames ?? []).map((name) => classNames.indexOf(name as (typeof classNames)[number]));
  const image = principalComponents(fields, components);
  const size = patch * patch * components;
  const found = new Uint8Array(area);
  for (let start = 0; start < area; start += blockRows) {
    const count = Math.min(blockRows, area - start);
    const rows = new Float32Array(count * size);
    for (let i = 0; i < count; i++) {
      patchAround(image, { patch, components }, start + i, rows.subarray(i * size, (i + 1) * size));
    }
    const probabilities = await subject.apply('classifier.onnx', rows, count);
    for (let i = 0; i < count; i++) {
      const row = probabilities.subarray(i * classes.length, (i + 1) * classes.length);
      found[start + i] = classes[row.indexOf(Math.max(...row))] ?? 0;
    }
  }
  return found;
}

/** Where Python lacks scikit-learn this says so and answers nothing. */
function supportVectors({ spectra, classes }: Fields, train: readonly number[]): Uint8Array | undefined {
  const spectrum = (pixel: number) =>
    Array.from(spectra.subarray(pixel * bands, (pixel + 1) * bands), (value) => Number(value.toFixed(4)));
  const python = process.env.BENCH_PYTHON ?? 'python3';
  const script = path.resolve(import.meta.dirname, '../python/spectra_svm.py');
  const { status, stdout, stderr, error } = spawnSync(python, [script], {
    input: JSON.stringify({
      train: train.map(spectrum),
      classes: train.map((pixel) => classes[pixel]),
      all: Array.from({ length: area }, (_, pixel) => spectrum(pixel)),
    }),
    encoding: 'utf8',
    maxBuffer: 2 ** 30,
  });
  if (status === 0) return Uint8Array.from((JSON.parse(stdout) as { classes: number[] }).classes);
  const why = error?.message ?? stderr.trim().split('\n').at(-1);
  console.log(
    `No support vector machine beside it: ${why} (pip install scikit-learn; BENCH_PYTHON names another Python)`,
  );
  return undefined;
}

function scores(truth: Uint8Array, found: Uint8Array, pixels: readonly number[]) {
  const count = classNames.length;
  const [right, known, said] = [
    new Array<number>(count).fill(0),
    new Array<number>(count).fill(0),
    new Array<number>(count).fill(0),
  ];
  for (const pixel of pixels) {
    const [wanted, got] = [truth[pixel] as number, found[pixel] as number];
    if (wanted === got) right[wanted] = (right[wanted] as number) + 1;
    known[wanted] = (known[wanted] as number) + 1;
    said[got] = (said[got] as number) + 1;
  }
  const overall = right.reduce((a, b) => a + b, 0) / pixels.length;
  const shares = right.map((hits, label) => hits / (known[label] as number)).filter(Number.isFinite);
  const chance = known.reduce((sum, n, label) => sum + n * (said[label] as number), 0) / pixels.length ** 2;
  return {
    overall,
    mean: shares.reduce((a, b) => a + b, 0) / shares.length,
    kappa: (overall - chance) / (1 - chance),
  };
}

/** A colour for each class, black for what nobody has looked at. */
function inColour(classes: Uint8Array): Float32Array {
  const pixels = new Float32Array(area * 3);
  for (const [i, label] of classes.entries()) {
    if (label === 0) continue;
    // hues a golden section apart, so that classes with neighbouring numbers differ most
    const hue = (label * 0.618) % 1;
    const value = label % 2 === 0 ? 0.95 : 0.7;
    for (let c = 0; c < 3; c++) {
      const wave = Math.abs(((hue + c / 3) % 1) * 6 - 3) - 1;
      pixels[i * 3 + c] = value * (0.25 + 0.75 * Math.min(1, Math.max(0, wave)));
    }
  }
  return pixels;
}

/** Near infrared, red and green as red, green and blue. */
function falseColours({ spectra }: Fields): Float32Array {
  const shown = [45, 25, 14];
  return Float32Array.from({ length: area * 3 }, (_, i) => {
    const value = spectra[Math.floor(i / 3) * bands + (shown[i % 3] as number)] as number;
    return Math.min(1, Math.max(0, 0.4 + value / 4));
  });
}
