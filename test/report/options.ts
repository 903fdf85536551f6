// A report with all of its parts: scores beside PCA, denoising, frames, charts, pictures.
import { resolveJobSpec } from '../../src/jobspec/resolve.ts';
import type { EvaluateOptions } from '../../src/report/evaluate.ts';
import { digits } from '../train/digits.ts';

export function reportOptions(): EvaluateOptions {
  const made = digits({ train: 500, test: 100 });
  // as long as a real one: the page shows it
  const dataset = { ...made, info: { ...made.info, hash: 'a1'.repeat(32) } };
  const model = {
    ...{ type: 'denoising', code: 32, hidden: [64], loss: 'sse', corruption: { type: 'gaussian', sigma: 0.5 } },
    compression: { bytes: 14 },
  };
  return {
    spec: resolveJobSpec({ name: 'digits', dataset: 'digits', model }, { dataset: dataset.info }).spec,
    dataset,
    model: { reconstruct: async (rows) => rows.map((value) => 0.9 * value), dispose() {} },
    codeShape: [32],
    epochs: [1, 2, 3].map((epoch) => ({
      phase: 'train',
      epoch,
      metrics: { loss: 1 / epoch, 'heldOut.loss': 1.123456789 / epoch },
    })),
    frames: [9.3, 14.34].map((bytesPerRow, i) => ({ bytesPerRow, psnr: 19.5 + i })),
    origin: { jobId: '01m7zbe3faeha61mjqv45a8kxx', hourglass: '0.1.0', createdAt: '2026-05-01T12:34:56.789Z' },
    parameters: 123_456,
    threads: 1,
  };
}
