import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { Value } from 'typebox/value';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RandomStream } from '../../src/base/random.ts';
import { createOnnxEngine } from '../../src/engine/onnx/engine.ts';
import { Report } from '../../src/figures/report.ts';
import { resolveJobSpec } from '../../src/jobspec/resolve.ts';
import { type EvaluateOptions, evaluateModel } from '../../src/report/evaluate.ts';
import { openReconstruction, type Reconstruction } from '../../src/report/reconstruction.ts';
import { FolderResults } from '../../src/store/folder/results.ts';
import { trainJob } from '../../src/train/job.ts';
import { reportOptions } from './options.ts';
import { memoryDataset } from './splits.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'hourglass-evaluate-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Pictures of 6 × 6 that are blends of three patterns. */
function blends(count: number, seed: number): Float32Array {
  const random = new RandomStream(seed, 'blends').uniform(new Float32Array(count * 3), 0, 1 / 3);
  const patterns = [
    (x: number) => (x < 3 ? 1 : 0),
    (_: number, y: number) => y % 2,
    (x: number, y: number) => (x === y ? 1 : 0),
  ];
  return Float32Array.from({ length: count * 36 }, (_, i) => {
    const [row, at] = [Math.floor(i / 36), i % 36];
    return patterns.reduce((sum, pattern, p) => sum + random[row * 3 + p]! * pattern(at % 6, Math.floor(at / 6)), 0);
  });
}

const dataset = memoryDataset([6, 6, 1], blends(2000, 1), blends(300, 2), 'feed');
const specOf = (model: object) =>
  resolveJobSpec(
    {
      name: 'blends',
      dataset: 'memory',
      model,
      training: { epochs: 30, batchSize: 50, optimizer: { type: 'adam', learningRate: 0.01 } },
    },
    { dataset: dataset.info },
  ).spec;
const options = (changes: Partial<EvaluateOptions> & Pick<EvaluateOptions, 'model'>): EvaluateOptions => ({
  spec: specOf({ type: 'dense', code: 3, hidden: [] }),
  dataset,
  codeShape: [3],
  epochs: [],
  threads: 1,
  ...changes,
});
const shifted = (by: number): Reconstruction => ({
  reconstruct: (rows) => Promise.resolve(rows.map((value) => value + by)),
  dispose() {},
});

describe('the page of a report', () => {
  it('says when and by whom the model was trained, what its frames cost, and links to the rest', async () => {
    const { files, report } = await evaluateModel(reportOptions());
    expect(Value.Check(Report, report)).toBe(true);
    const html = Buffer.from(files['report.html']!).toString();
    expect(html).toContain(
      'with Hourglass 0.1.0, <time datetime="2026-05-01T12:34:56.789Z">2026-05-01 12:34 UTC</time>',
    );
    expect(html).toContain('<b>20 bytes</b><span>a frame of one row at 20.5 dB</span>');
    const at = new URL('http://host/prefix/v1/models/digits/versions/3/files/report.html');
    const links = [...html.matchAll(/href="([^"]+)"/g)].map(([, link = '']) => new URL(link, at).pathname);
    expect(links).toEqual([
      '/prefix/', // the job's page
      '/prefix/', // the model's page
      '/prefix/v1/models/digits/versions/3/files/report.json',
      '/prefix/demo',
      '/prefix/docs',
    ]);
  });
});

describe('a closer look', () => {
  it('finds the best and worst rows, scores classes, maps codes, measures files and says what it comes to', async () => {
    const options = reportOptions();
    const { dataset } = options;
    // the more ink, the larger the error; codes lie along one line of a space of three
    const half = (rows: Float32Array): Float32Array => rows.map((value) => value / 2);
    const codesOf = (rows: Float32Array): Float32Array =>
      Float32Array.from({ length: (rows.length / 784) * 3 }, (_, i) => {
        const row = Math.floor(i / 3);
        const ink = rows.subarray(row * 784, (row + 1) * 784).reduce((sum, value) => sum + value, 0);
        return ink * [1, 2, -1][i % 3]! + (row % 2) * [0, 1, 2][i % 3]!;
      });
    const { report, files } = await evaluateModel({
      ...options,
      codeShape: [3],
      model: { reconstruct: async (rows) => half(rows), encode: async (rows) => codesOf(rows), dispose() {} },
      outliers: { rows: 40, quantiles: Array.from({ length: 1001 }, (_, i) => i / 100) },
    });
    expect(Value.Check(Report, report)).toBe(true);
    const test = new Float32Array(100 * 784);
    await dataset.split('test').readRange(0, 100, test);
    const errors = Array.from({ length: 100 }, (_, row) =>
      test.subarray(row * 784, (row + 1) * 784).reduce((sum, value) => sum + (value / 2) ** 2 / 784, 0),
    );
    const labels = await dataset.split('test').labels();
    const zeros = errors.filter((_, row) => labels?.[row] === 0).map((error) => 10 * Math.log10(1 / error));
    const [zero] = report.classes ?? [];
    expect(zero?.rows).toBe(zeros.length);
    expect(zero?.psnr).toBeCloseTo(zeros.reduce((sum, psnr) => sum + psnr, 0) / zeros.length, 4);
    expect(report.map?.points).toHaveLength(100);
    expect(report.map?.share).toBeGreaterThan(0.999);
    // the fourth column is of the fourth best row, the last one of the worst
    const order = errors.map((_, row) => row).sort((a, b) => errors[a]! - errors[b]!);
    const { data, info } = await sharp(files['extremes.png']).raw().toBuffer({ resolveWithObject: true });
    const inkOf = (column: number): number => {
      let sum = 0;
      for (let y = 0; y < 56; y++)
        for (let x = 0; x < 56; x++) sum += data[4 * (y * info.width + column * 60 + x)]! / 255 / 4;
      return sum;
    };
    for (const [column, row] of [
      [3, order[3]!],
      [11, order[99]!],
    ] as const) {
      const ink = test.subarray(row * 784, (row + 1) * 784).reduce((sum, value) => sum + value, 0);
      expect(inkOf(column)).toBeCloseTo(ink, -1);
    }
    // files are coarser for less, and WebP as good as the frames lies between those of the curve
    const { webp = [], jpeg = [], png = 0, webpAsGood } = report.rates ?? {};
    for (const curve of [webp, jpeg]) {
      expect(curve).toHaveLength(6);
      expect(curve.at(-1)!.bytes).toBeGreaterThan(curve[0]!.bytes);
      expect(curve.at(-1)!.psnr).toBeGreaterThan(curve[0]!.psnr);
    }
    expect(png).toBeGreaterThan(60);
    expect(webpAsGood?.psnr).toBeGreaterThanOrEqual(20.5);
    const ahead = (report.denoising?.model.psnr ?? 0) - (report.denoising?.pca?.psnr ?? 0);
    const html = Buffer.from(files['report.html']!).toString();
    const wanted = `${ahead > 0 ? '+' : ''}${Math.abs(ahead).toFixed(1)} dB ${ahead > 0 ? 'over' : 'below'} PCA at 3 numbers on noisy rows.`;
    expect(html).toContain(
      `<p class="${ahead > 0 ? 'verdict' : 'verdict behind'}"><b>${wanted}</b>20 bytes at 20.5 dB; WebP needs ${Math.round(webpAsGood?.bytes ?? 0)}, a lossless PNG ${Math.round(png)}.</p>`,
    );
    for (const title of [
      'Bytes and quality',
      'Classes',
      'Latent map',
      'How unusual rows are',
      'Best, median and worst test rows',
    ])
      expect(html).toContain(`<h2>${title}</h2>`);
  });
});

describe('evaluateModel', () => {
  it('scores what the model answers, and PCA beside it', async () => {
    const { metrics, report } = await evaluateModel(options({ model: shifted(0.1) }));
    expect(metrics['test.mse']).toBeCloseTo(0.01, 6);
    expect(metrics['test.sse']).toBeCloseTo(0.36, 5);
    const [low, high] = dataset.info.range;
    expect(metrics['test.psnr']).toBeCloseTo(20 * Math.log10((high - low) / 0.1), 3);
    expect(metrics['test.pca.sse']).toBeLessThan(1e-8);
    expect(report.baseline).toMatchObject({ components: 3, fittedRows: 2000 });
    expect(report.baseline?.explainedVariance).toBeCloseTo(1, 5);
    expect(report.notes).toEqual([]);
    expect(metrics).not.toHaveProperty(['test.noisy.psnr']);
  });

  it('scores denoising with the noise of the job, the same each time', async () => {
    const spec = specOf({ type: 'denoising', code: 3, hidden: [], corruption: { type: 'masking', probability: 0.25 } });
    const first = await evaluateModel(options({ spec, model: shifted(0) }));
    expect(first.metrics['test.denoised.mse']).toBe(first.metrics['test.noisy.mse']);
    expect(first.metrics['test.mse']).toBe(0);
    const meanSquare = blends(300, 2).reduce((sum, value) => sum + value * value, 0) / (300 * 36);
    expect(first.metrics['test.noisy.mse']! / (0.25 * meanSquare)).toBeCloseTo(1, 1);
    expect(first.metrics['test.pcaDenoised.psnr']).toBeGreaterThan(first.metrics['test.noisy.psnr']! + 4);
    expect(first.report.pictures?.rows).toEqual(['clean', 'noisy input', 'denoised', 'PCA of noisy input']);
    const again = await evaluateModel(options({ spec, model: shifted(0) }));
    expect(again.metrics).toEqual(first.metrics);
    expect(again.files['pictures.png']).toEqual(first.files['pictures.png']);
  });

  it('writes a report that follows its schema, a page, and a picture of the first rows', async () => {
    const epochs = [1, 2, 3].map((epoch) => ({
      phase: 'train <1>',
      epoch,
      metrics: { loss: 1 / epoch, 'heldOut.loss': 1.1 / epoch },
    }));
    const { files, report } = await evaluateModel(options({ model: shifted(0), epochs, parameters: 1234 }));
    expect(Object.keys(files).sort()).toEqual(['extremes.png', 'pictures.png', 'report.html', 'report.json']);
    const stored: unknown = JSON.parse(Buffer.from(files['report.json']!).toString());
    expect(stored).toEqual(report);
    expect(Value.Check(Report, stored)).toBe(true);
    const { data, info } = await sharp(files['pictures.png']).raw().toBuffer({ resolveWithObject: true });
    const side = 9 * 6;
    expect(info).toMatchObject({ width: 12 * (side + 4) - 4, height: 3 * (side + 4) - 4, channels: 4 });
    const pixel = (x: number, y: number) => [...data.subarray(4 * (y * info.width + x), 4 * (y * info.width + x) + 4)];
    const level = Math.round(
      (blends(300, 2)[36 + 7]! - dataset.info.range[0]) * (255 / (dataset.info.range[1] - dataset.info.range[0])),
    );
    expect(pixel(side + 4 + 13, 13)).toEqual([level, level, level, 255]);
    expect(pixel(side + 1, 5)[3]).toBe(0);
    const html = Buffer.from(files['report.html']!).toString();
    expect(html).toContain('train &lt;1&gt;');
    expect(html).toContain('held-out loss, at the end 0.3667');
    expect(html).not.toContain('heldOut.loss');
    expect(html).not.toContain('train <1>');
    expect(html).toContain(Buffer.from(files['pictures.png']!).toString('base64'));
    expect(html).not.toMatch(/<script|src="http|href="(?!\.\.|report)/);
    expect(html.match(/<polyline/g)).toHaveLength(2);

    const heads = [...html.matchAll(/<th scope="col">([^<]+)/g)].map(([, head]) => head);
    expect(heads).toEqual(['MSE', 'SSE', 'PSNR, dB', 'PSNR of mean, dB', 'BCE, nats']);
    const cells = [...html.matchAll(/<tr><td>[^<]+<\/td>(<td.*?)<\/tr>/g)].map(([, row = '']) => row.split('</td>'));
    for (const column of heads.keys()) expect(cells.some((row) => row[column]?.includes('best'))).toBe(true);
  });

  it('says what could not be measured', async () => {
    const noTest = memoryDataset([6, 6, 1], blends(50, 1), new Float32Array(0));
    const empty = await evaluateModel(options({ dataset: noTest, model: shifted(0) }));
    expect(empty.metrics).toEqual({});
    expect(empty.report.notes[0]).toContain('no test rows');
    expect(Object.keys(empty.files).sort()).toEqual(['report.html', 'report.json']);
    const long = memoryDataset([5000], new Float32Array(10_000).fill(0.5), new Float32Array(10_000).fill(0.25));
    const many = { ...long, info: { ...long.info, rows: { train: 5000, test: 2 } } };
    const noPca = await evaluateModel(options({ dataset: many, model: shifted(0.5) }));
    expect(noPca.metrics['test.mse']).toBeCloseTo(0.25, 6);
    expect(noPca.report.notes[0]).toBe('PCA of 5000 rows of 5000 values would take too long.');
    expect(Object.keys(noPca.metrics).filter((name) => name.includes('pca'))).toEqual([]);
    const some = await evaluateModel(options({ model: shifted(0), maxRows: 10 }));
    expect(some.report).toMatchObject({
      dataset: { testRows: 10 },
      notes: ['Measured on the first 10 of 300 test rows.'],
    });
  });

  it('has figures for rows that are all alike, too', async () => {
    const same = new Float32Array(360).fill(0.5);
    const alike = memoryDataset([6, 6, 1], same, same, 'beef');
    const { report } = await evaluateModel(options({ model: shifted(0), dataset: alike }));
    expect(Value.Check(Report, JSON.parse(JSON.stringify(report)))).toBe(true);
    expect(report.baseline).toMatchObject({ explainedVariance: 1 });
  });

  it('stops when asked', async () => {
    await expect(
      evaluateModel(options({ model: shifted(0), signal: AbortSignal.abort(new Error('asked')) })),
    ).rejects.toThrow('asked');
  });
});

describe('a version trained by a job', () => {
  it('is evaluated through its published files and comes near PCA on linear data', async () => {
    const engine = await createOnnxEngine({ device: 'cpu', threads: 1 });
    const spec = specOf({ type: 'linear', code: 3 });
    const trained = await trainJob({ spec, dataset, engine });
    await engine.dispose();
    const { inputShape, codeShape, epochs, files } = trained;
    const model = openReconstruction(
      { encoder: files['encoder.onnx']!, decoder: files['decoder.onnx']!, inputShape, codeShape },
      1,
    );
    const { metrics, report } = await evaluateModel(
      options({ spec, model, codeShape, epochs, results: new FolderResults(folder) }),
    );
    model.dispose();
    expect(metrics['test.sse']).toBeLessThan(0.02);
    expect(report.epochs).toHaveLength(30);
    expect(readdirSync(folder)).toEqual(['feed.pca']);
  });
});
