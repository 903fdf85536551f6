/** Figures that a job does not measure itself: from the published files of its model and the rows of its data set. */

import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { NdArray } from '../../src/base/ndarray.ts';
import { RandomStream } from '../../src/base/random.ts';
import { readSafetensors } from '../../src/base/safetensors.ts';
import { corrupt, drawNoise } from '../../src/data/corruption.ts';
import type { SplitName } from '../../src/data/dataset.ts';
import { createOnnxEngine } from '../../src/engine/onnx/engine.ts';
import { pictureGrid } from '../../src/report/grid.ts';
import { reconstructByPca } from '../../src/report/pca.ts';
import { type Codes, nearestNeighbours } from '../../src/train/codes.ts';
import { fieldMap } from './field-map.ts';
import { lda } from './lda.ts';
import { scatter } from './scatter.ts';
import { classCount, makeScene, patchAround, patchSide, type Sources, side } from './scenes.ts';
import { joined, type MeasureContext, Subject } from './subject.ts';

type Metrics = Readonly<Record<string, number>>;
type Measure = (context: MeasureContext) => Promise<Metrics>;

const measured =
  (take: (subject: Subject) => Promise<Metrics>): Measure =>
  async (context) => {
    const subject = new Subject(context);
    try {
      return await take(subject);
    } finally {
      subject.close();
    }
  };

/** Σ over a row of (a − b)², mean over rows. */
function sumOfSquares(a: Float32Array, b: Float32Array, count: number): number {
  let sum = 0;
  for (const [i, value] of a.entries()) sum += (value - (b[i] as number)) ** 2;
  return sum / count;
}

/** The linear model beside PCA on the training rows: ratio of the errors, and the smallest cosine between the two subspaces. */
const principal = measured(async (subject) => {
  const { count, size, data } = await subject.rows('train');
  const weights = readSafetensors(
    await subject.context.instance.file(subject.context.job, 'weights.safetensors'),
  ).tensors;
  const decoder = weights['decoder/0/weight'] as NdArray<'float32'>;
  const k = decoder.shape[0] as number;
  const pca = await subject.pca(k);
  const sse = sumOfSquares(data, await subject.reconstruct(data, count), count);
  const pcaSse = sumOfSquares(data, reconstructByPca(pca, k, data, subject.gemm), count);
  const basis = orthonormal(decoder.data, k, size);
  // cosines are the singular values of basis · componentsᵀ; the smallest from the Gram matrix by inverse iteration
  const overlap = subject.gemm.multiply(
    { rows: k, columns: size, data: basis },
    { rows: k, columns: size, data: pca.components.data.subarray(0, k * size) },
    { b: true },
  );
  return {
    'train.sse': sse,
    'train.pca.sse': pcaSse,
    'train.ratio': sse / pcaSse,
    'train.cosine': smallestSingular(overlap.data, k),
  };
});

/** Gram & Schmidt, twice for good measure. */
function orthonormal(rows: Float32Array, count: number, size: number): Float32Array {
  const basis = Float64Array.from(rows);
  const row = (i: number) => basis.subarray(i * size, (i + 1) * size);
  const dot = (a: Float64Array, b: Float64Array) => a.reduce((sum, value, i) => sum + value * (b[i] as number), 0);
  for (let i = 0; i < count; i++) {
    const v = row(i);
    for (let pass = 0; pass < 2; pass++) {
      for (let j = 0; j < i; j++) {
        const u = row(j);
        const along = dot(v, u);
        for (let d = 0; d < size; d++) v[d] = (v[d] as number) - along * (u[d] as number);
      }
    }
    const length = Math.sqrt(dot(v, v));
    for (let d = 0; d < size; d++) v[d] = (v[d] as number) / length;
  }
  return Float32Array.from(basis);
}

/** Of a k × k matrix M: √ of the smallest eigenvalue of MMᵀ, by power iteration on I·c − MMᵀ with c ≥ the largest. */
function smallestSingular(m: Float32Array, k: number): number {
  const gram = (v: Float64Array): Float64Array => {
    const t = new Float64Array(k);
    for (let i = 0; i < k; i++)
      for (let j = 0; j < k; j++) t[j] = (t[j] as number) + (v[i] as number) * (m[i * k + j] as number);
    return v.map((_, i) => t.reduce((sum, value, j) => sum + value * (m[i * k + j] as number), 0));
  };
  const bound = 1.001;
  let v = Float64Array.from({ length: k }, (_, i) => Math.sin(i + 1));
  let shifted = 0;
  for (let round = 0; round < 20_000; round++) {
    const g = gram(v);
    const next = v.map((value, i) => bound * value - (g[i] as number));
    shifted = Math.hypot(...next);
    v = next.map((value) => value / shifted);
  }
  return Math.sqrt(Math.max(0, bound - shifted));
}

/** Mean activation of each code unit over the test rows: the mean of them and the share of units within 20 % of the target. */
const meanActivation = measured(async (subject) => {
  const { count, data } = await subject.rows('test');
  const codes = await subject.apply('encoder.onnx', data, count);
  const units = codes.length / count;
  const means = new Float64Array(units);
  for (const [i, value] of codes.entries()) means[i % units] = (means[i % units] as number) + value / count;
  const { model } = subject.context.job.spec;
  const rho = 'sparsity' in model ? (model.sparsity?.target ?? 0) : 0;
  const near = means.filter((mean) => Math.abs(mean / rho - 1) <= 0.2).length;
  const mean = means.reduce((a, b) => a + b, 0) / units;
  return {
    'test.activation.mean': mean,
    'test.activation.off': Math.abs(mean / rho - 1),
    'test.activation.near': near / units,
  };
});

const psnr = (mse: number): number => -10 * Math.log10(Math.max(mse, 1e-10));

/** PSNR inside the holes of all test rows: the model, the mean picture of the training rows, PCA from what is seen. */
const hole = measured(async (subject) => {
  const { count, size, data } = await subject.rows('test');
  const { info } = await subject.dataset();
  const { model, training } = subject.context.job.spec;
  const corruption = 'corruption' in model ? model.corruption : undefined;
  if (!corruption) throw new Error('the model has no corruption');
  const noise = drawNoise(
    corruption,
    new RandomStream(training.seed, 'noise/hole'),
    new Float32Array(data.length),
    info.shape,
  );
  const seen = corrupt(data, noise, corruption, info.range);
  const code =
    (subject.context.job.metrics && (await subject.apply('encoder.onnx', data.subarray(0, size), 1)).length) || 1;
  const pca = await subject.pca(Math.min(code, size));
  const mean = Float32Array.from(data, (_, i) => pca.mean[i % size] as number);
  const filled = seen.map((value, i) => (noise[i] === 0 ? (mean[i] as number) : value));
  const inHole = (answer: Float32Array): number => {
    let [error, pixels] = [0, 0];
    for (const [i, value] of data.entries()) {
      if (noise[i] !== 0) continue;
      error += (Math.min(1, Math.max(0, answer[i] as number)) - value) ** 2;
      pixels++;
    }
    return psnr(error / pixels);
  };
  return {
    'test.hole.psnr': inHole(await subject.reconstruct(seen, count)),
    'test.hole.mean': inHole(mean),
    'test.hole.pca': inHole(reconstructByPca(pca, Math.min(code, 100), filled, subject.gemm)),
  };
});

/** Share of pairs in which the outlier scores higher than the inlier; half for equals. */
function areaUnderCurve(inliers: Float32Array, outliers: Float32Array): number {
  const all = [
    ...Array.from(inliers, (score) => ({ score, out: false })),
    ...Array.from(outliers, (score) => ({ score, out: true })),
  ].sort((a, b) => a.score - b.score);
  let [rankSum, i] = [0, 0];
  while (i < all.length) {
    let j = i;
    while (j < all.length && all[j]?.score === all[i]?.score) j++;
    for (let at = i; at < j; at++) if (all[at]?.out) rankSum += (i + j + 1) / 2;
    i = j;
  }
  return (rankSum - (outliers.length * (outliers.length + 1)) / 2) / (inliers.length * outliers.length);
}

/** How well scores tell the data set's own test rows from those of MNIST: the model's score, its plain error, PCA's error. */
const outliers = measured(async (subject) => {
  type Score = (rows: Float32Array, count: number) => Promise<Float32Array>;
  const auroc = async (score: Score): Promise<number> => {
    const [inliers, foreign] = [await subject.rows('test'), await subject.rows('test', 'mnist')];
    return areaUnderCurve(await score(inliers.data, inliers.count), await score(foreign.data, foreign.count));
  };
  const pca = await subject.pca(30);
  const errors = (rows: Float32Array, answer: Float32Array, count: number): Float32Array => {
    const size = rows.length / count;
    const sums = new Float32Array(count);
    for (const [i, value] of rows.entries()) {
      const row = Math.floor(i / size);
      sums[row] = (sums[row] as number) + (value - (answer[i] as number)) ** 2;
    }
    return sums;
  };
  return {
    'test.outliers.auroc': await auroc((rows, count) => subject.apply('outliers.onnx', rows, count)),
    'test.outliers.error': await auroc(async (rows, count) =>
      errors(rows, await subject.reconstruct(rows, count), count),
    ),
    'test.outliers.pca': await auroc(async (rows, count) =>
      errors(rows, reconstructByPca(pca, 30, rows, subject.gemm), count),
    ),
  };
});

/** How often each class is among the pixels of training scenes; among the patches that were trained on all are equal. */
async function classShares(sources: Sources): Promise<readonly number[]> {
  const counts = new Array<number>(classCount).fill(0);
  const scenes = 100;
  for (let number = 0; number < scenes; number++) {
    for (const label of (await makeScene(sources, 'train', number)).classes) counts[label] = (counts[label] ?? 0) + 1;
  }
  return counts.map((count) => count / (scenes * side * side));
}

/** Each pixel of 20 test scenes classified from the patch around it: share of right ones, and of the commonest class. */
const pixels = measured(async (subject) => {
  const sources = { digits: await subject.dataset('mnist'), clothes: await subject.dataset('fashion-mnist') };
  const shares = await classShares(sources);
  const [area, size] = [side * side, patchSide * patchSide];
  const confusion = new Float64Array(classCount * classCount);
  const shown: Float32Array[][] = [[], [], []];
  for (let number = 0; number < 20; number++) {
    const scene = await makeScene(sources, 'test', 1000 + number);
    const patches = new Float32Array(area * size);
    for (let at = 0; at < area; at++) {
      patchAround(scene, Math.floor(at / side), at % side, patches.subarray(at * size, (at + 1) * size));
    }
    const probabilities = await subject.apply('classifier.onnx', patches, area);
    const found = Uint8Array.from({ length: area }, (_, at) => {
      const row = probabilities.subarray(at * classCount, (at + 1) * classCount).map((p, c) => p * (shares[c] ?? 0));
      return row.indexOf(Math.max(...row));
    });
    for (const [at, label] of found.entries()) {
      const cell = (scene.classes[at] as number) * classCount + label;
      confusion[cell] = (confusion[cell] as number) + 1;
    }
    for (const [line, picture] of [scene.pixels, scene.classes, found].entries()) {
      shown[line]?.push(
        line === 0 ? Float32Array.from(picture) : Float32Array.from(picture, (c) => c / (classCount - 1)),
      );
    }
  }
  const lines = shown.map((line) => joined(line.slice(0, 6)));
  const png = await pictureGrid(lines, 6, [side, side, 1], [0, 1]);
  writeFileSync(pictureOf(subject.context.name), png);
  const total = confusion.reduce((a, b) => a + b, 0);
  const each = Array.from({ length: classCount }, (_, c) => {
    const hit = confusion[c * classCount + c] as number;
    let [truth, answer] = [0, 0];
    for (let d = 0; d < classCount; d++) {
      truth += confusion[c * classCount + d] as number;
      answer += confusion[d * classCount + c] as number;
    }
    return { hit, truth, overlap: hit / (truth + answer - hit) };
  });
  return {
    'test.pixels.accuracy': each.reduce((sum, { hit }) => sum + hit, 0) / total,
    'test.pixels.overlap': each.reduce((sum, { overlap }) => sum + overlap, 0) / classCount,
    'test.pixels.commonest': Math.max(...each.map(({ truth }) => truth)) / total,
  };
});

/** A picture of two-dimensional codes by class, and how often the 5 nearest neighbours among PCA's two components are right. */
const latentMap = measured(async (subject) => {
  const dataset = await subject.dataset();
  const test = await subject.rows('test');
  const train = await subject.rows('train');
  const labels = async (split: SplitName) => (await dataset.split(split).labels()) ?? new Uint8Array(0);
  const pca = await subject.pca(2);
  const project = ({ count, size, data }: typeof test): Float32Array => {
    const plane = { rows: 2, columns: size, data: pca.components.data.subarray(0, 2 * size) };
    return subject.gemm.multiply({ rows: count, columns: size, data }, plane, { b: true }).data;
  };
  const [trainLabels, testLabels] = [await labels('train'), await labels('test')];
  const codes = (values: Float32Array, count: number, of: Uint8Array | Int32Array): Codes => ({
    rows: count,
    size: 2,
    values,
    labels: of,
  });
  const engine = createOnnxEngine({ threads: subject.context.threads });
  const error = await nearestNeighbours(
    engine,
    codes(project(train), train.count, trainLabels),
    codes(project(test), test.count, testLabels),
    { k: 5 },
  );
  await engine.dispose();
  const folder = path.resolve(import.meta.dirname, '../pictures');
  const classNames = dataset.info.classNames ?? [];
  writeFileSync(
    path.join(folder, `${subject.context.name}.svg`),
    scatter(await subject.apply('encoder.onnx', test.data, test.count), testLabels, {
      title: 'Codes of test rows by class',
      classNames,
    }),
  );
  writeFileSync(
    path.join(folder, `${subject.context.name}-pca.svg`),
    scatter(project(test), testLabels, { title: 'Two principal components of test rows by class', classNames }),
  );
  return { 'test.pca.neighbours': error };
});

const pictureOf = (name: string): string => path.resolve(import.meta.dirname, `../pictures/${name}.png`);

/** The picture of the version's report. */
const pictures: Measure = async ({ instance, job, name }) => {
  writeFileSync(pictureOf(name), await instance.file(job, 'pictures.png'));
  return {};
};

/** What codes drawn from N(0, I) decode to. */
const samples = measured(async (subject) => {
  const { context } = subject;
  const { model, training } = context.job.spec;
  const { info } = await subject.dataset();
  const [lines, columns, code] = [6, 16, Number('code' in model && model.code)];
  const codes = new RandomStream(training.seed, 'samples').normal(new Float32Array(lines * columns * code));
  const rows = await subject.apply('decoder.onnx', codes, lines * columns);
  const width = rows.length / lines;
  const each = Array.from({ length: lines }, (_, line) => rows.subarray(line * width, (line + 1) * width));
  writeFileSync(pictureOf(context.name), await pictureGrid(each, columns, info.shape, info.range));
  return {};
});

/** The report's pictures between two test rows and, where there are some, of drawn codes; and the squared error by that of PCA. */
const interpolations: Measure = async ({ instance, job, name }) => {
  writeFileSync(pictureOf(name), await instance.file(job, 'interpolations.png'));
  if (job.spec.model.type === 'variational') {
    writeFileSync(pictureOf(`${name}-samples`), await instance.file(job, 'samples.png'));
  }
  const { 'test.sse': sse = Number.NaN, 'test.pca.sse': pca = Number.NaN } = job.metrics ?? {};
  return { 'ratio.sse': sse / pca };
};

/** The main job's figures divided by those of the untied one. */
const ratio: Measure = async ({ metrics }) =>
  Object.fromEntries(
    ['test.bce', 'parameters'].map((name) => [
      `ratio.${name}`,
      (metrics[`main ${name}`] ?? Number.NaN) / (metrics[`untied ${name}`] ?? Number.NaN),
    ]),
  );

export const measures: Readonly<Record<string, Measure>> = {
  principal,
  pictures,
  samples,
  interpolations,
  ratio,
  pixels,
  'mean-activation': meanActivation,
  hole,
  outliers,
  'latent-map': latentMap,
  lda,
  'field-map': fieldMap,
};
