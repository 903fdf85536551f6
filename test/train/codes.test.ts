// What codes are good for: neighbours against a search by hand, a probe on what is linearly separable, a likelihood estimate.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RandomStream } from '../../src/base/random.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { createOnnxEngine } from '../../src/engine/onnx/engine.ts';
import { resolveJobSpec } from '../../src/jobspec/resolve.ts';
import { type Codes, nearestNeighbours } from '../../src/train/codes.ts';
import { trainJob } from '../../src/train/job.ts';
import { linearProbe } from '../../src/train/linear-probe.ts';
import { digits } from './digits.ts';

let engine: Engine;
beforeAll(() => {
  engine = createOnnxEngine();
});
afterAll(() => engine.dispose());

/** Header and data of a .npy file, read by its specification. */
function parseFile(name: string, files: Readonly<Record<string, Uint8Array>>) {
  const bytes = Buffer.from(files[name] as Uint8Array);
  expect(bytes.subarray(0, 8).toString('latin1')).toBe('\x93NUMPY\x01\x00');
  const length = bytes.readUInt16LE(8);
  expect((10 + length) % 64).toBe(0);
  const header = bytes.subarray(10, 10 + length).toString('latin1');
  expect(header.endsWith('\n')).toBe(true);
  const shape = /'shape': \(([^)]*)\)/
    .exec(header)?.[1]
    ?.split(',')
    .filter((dim) => dim.trim() !== '')
    .map(Number);
  const data = bytes.buffer.slice(bytes.byteOffset + 10 + length, bytes.byteOffset + bytes.length);
  return { shape, header, float32: new Float32Array(data), int32: new Int32Array(data) };
}

/** Three classes around their own centres. */
function clouds(rows: number, spread: number, name: string): Codes {
  const values = new RandomStream(1, name).normal(new Float32Array(rows * 4), 0, spread);
  const labels = new Uint8Array(rows);
  for (let i = 0; i < rows; i++) {
    const label = i % 3;
    labels[i] = label;
    values[4 * i + label] = (values[4 * i + label] as number) + 1;
  }
  return { rows, size: 4, values, labels };
}

const distance = (a: Codes, i: number, b: Codes, j: number) => {
  let sum = 0;
  for (let d = 0; d < 4; d++) sum += ((a.values[4 * i + d] as number) - (b.values[4 * j + d] as number)) ** 2;
  return sum;
};

describe('neighbours', () => {
  it('vote as in a search by hand', async () => {
    const [train, test] = [clouds(300, 0.6, 'train'), clouds(70, 0.6, 'test')];
    let wrong = 0;
    for (let i = 0; i < test.rows; i++) {
      const order = Array.from({ length: train.rows }, (_, j) => j).sort(
        (a, b) => distance(test, i, train, a) - distance(test, i, train, b),
      );
      const votes = order.slice(0, 5).map((j) => train.labels[j] as number);
      const count = (label: number) => votes.filter((vote) => vote === label).length;
      const most = Math.max(...votes.map(count));
      if (votes.find((vote) => count(vote) === most) !== test.labels[i]) wrong++;
    }
    expect(wrong).toBeGreaterThan(5);
    expect(await nearestNeighbours(engine, train, test, { k: 5 })).toBeCloseTo(wrong / 70, 10);
  });
});

describe('a linear probe', () => {
  const probe = (train: Codes, test: Codes) => linearProbe({ engine, train, test, classes: 3 });

  it('finds classes that are apart, and no more than chance where there is nothing to find', async () => {
    expect(await probe(clouds(600, 0.1, 'train'), clouds(90, 0.1, 'test'))).toBe(0);
    expect(await probe(clouds(600, 5, 'train'), clouds(90, 5, 'test'))).toBeGreaterThan(0.4);
  });

  it('takes a single training code as it is', async () => {
    expect(await probe(clouds(1, 0.1, 'train'), clouds(3, 0.1, 'test'))).toBeCloseTo(2 / 3, 10);
  });

  it('is not misled by values that are hardly ever on, nor stopped by small scales', async () => {
    const scaled = (codes: Codes, by: number): Codes => ({ ...codes, values: codes.values.map((x) => by * x + 7) });
    const [train, test] = [clouds(600, 0.1, 'train'), clouds(90, 0.1, 'test')];
    expect(await probe(scaled(train, 1e-3), scaled(test, 1e-3))).toBe(0);

    // a hundred more values, each on in one row alone
    const rare = (codes: Codes): Codes => {
      const values = new Float32Array(codes.rows * 104);
      for (let i = 0; i < codes.rows; i++) {
        values.set(codes.values.subarray(4 * i, 4 * i + 4), 104 * i);
        values[104 * i + 4 + ((7 * i) % 100)] = i % 6 === 0 ? 1 : 0;
      }
      return { ...codes, size: 104, values };
    };
    expect(await probe(rare(train), rare(test))).toBeLessThan(0.05);
  });
});

describe('a job that asks for them', () => {
  const dataset = digits({ train: 600, test: 100, small: true });
  const train = async (model: object, evaluation: object) => {
    const raw = { name: 'd', dataset: 'd', model, training: { epochs: 12, batchSize: 30, evaluation } };
    return trainJob({ spec: resolveJobSpec(raw, { dataset: dataset.info }).spec, dataset, engine });
  };

  it('gets errors on codes far better than chance', async () => {
    const { metrics } = await train({ type: 'dense', hidden: [64], code: 16 }, { linearProbe: true, neighbours: 3 });
    expect(metrics['test.probe.error']).toBeLessThan(0.35);
    expect(metrics['test.neighbours.error']).toBeLessThan(0.35);
  });

  it('gets its codes as files that other tools read', async () => {
    const model = { type: 'dense', hidden: [20], code: 3 };
    const { files } = await train(model, { codes: 'npy' });
    const info = parseFile('codes.test.npy', files).shape;
    expect(info).toEqual([100, 3]);
    const labels = parseFile('labels.train.npy', files);
    expect([...labels.int32.subarray(0, 5)]).toEqual([5, 0, 4, 1, 9]);
    const csv = Buffer.from((await train(model, { codes: 'csv' })).files['codes.test.csv'] as Uint8Array).toString();
    const lines = csv.trimEnd().split('\n');
    expect([lines[0], lines.length]).toEqual(['z0,z1,z2,label', 101]);
    expect(lines[1]?.split(',').map(Number).at(-1)).toBe(7);
    const codes = parseFile('codes.test.npy', files);
    expect(lines[1]?.split(',').slice(0, 3).map(Number)).toEqual(
      [...codes.float32.subarray(0, 3)].map((v) => Number(v.toPrecision(9))),
    );
  });

  it('gets a likelihood that is no worse than its bound', async () => {
    const { metrics } = await train({ type: 'variational', hidden: [40], code: 4 }, { importanceSamples: 100 });
    expect(metrics['test.nll']).toBeLessThan(metrics['test.bound.loss'] as number);
    expect(metrics['test.nll']).toBeGreaterThan(0.8 * (metrics['test.bound.loss'] as number));
  });
});
