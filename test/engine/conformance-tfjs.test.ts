// A fast part of tfjs-core's own tests on the recording backend; `npm run conformance:tfjs` runs all of them.
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { expect, it } from 'vitest';

const root = path.resolve(import.meta.dirname, '../..');

const files = ['arithmetic', 'relu', 'softmax', 'mat_mul', 'ops/conv2d_test', 'conv2d_transpose', 'ops/max_pool_test']
  .concat([
    'avg_pool_test',
    'batchnorm',
    'ops/concat_test',
    'ops/gather_test',
    'one_hot',
    'topk',
    'sum_test',
    'mean_test',
  ])
  .concat(['strided_slice', 'pad_test', 'where_test', 'resize_nearest', 'cumsum', 'gradients_test']);

it("passes tfjs-core's tests of the kernels that training needs most", () => {
  const run = spawnSync(process.execPath, [path.join(root, 'scripts/conformance-tfjs/run.mjs'), ...files], {
    cwd: root,
    encoding: 'utf8',
    timeout: 300_000,
  });
  // the exit code counts failures that are not rules of ONNX
  expect(run.status, `${run.stdout}\n${run.stderr}`).toBe(0);
  const [, passed] = run.stdout.match(/^(\d+) passed/m) ?? [];
  expect(Number(passed)).toBeGreaterThan(600);
}, 320_000);

it('checks in what the gradient generator writes', () => {
  const script = path.join(root, 'scripts/generate-gradients.mjs');
  const run = spawnSync(process.execPath, [script, '--check'], { cwd: root, encoding: 'utf8' });
  expect(run.status, run.stderr).toBe(0);
});
