// Runs the tests of tfjs-core against the onnx engine and judges every case.
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { bundle, testRoot } from './bundle.mjs';

/** The test files that reach kernels: ops and gradients; the rest is about tfjs's own plumbing. */
export const testFiles = () => [
  ...readdirSync(testRoot, { recursive: true })
    .map((file) => file.replaceAll('\\', '/'))
    .filter((file) => /^(ops|optimizers)\/.*_test\.js$/.test(file))
    .sort(),
  'gradients_test.js',
];

function judge({ status, refusals, kernels, messages }) {
  if (status === 'pending' || status === 'excluded')
    return { verdict: 'not applicable', reason: 'switched off by tfjs itself' };
  if (refusals.length > 0) return { verdict: 'not applicable', reason: refusals[0].replace(/\(.*\)/s, '') };
  if (status === 'passed') return { verdict: 'passed', reached: kernels.length > 0 };
  return { verdict: 'failed', reason: messages.join(' | ') };
}

/** Every case of the files: { file, name, verdict, reason, reached }. Throws when the run does not come to its end. */
export async function runCases(files) {
  const child = spawn(process.execPath, [await bundle('suite.mjs', files)], { stdio: ['ignore', 'pipe', 'pipe'] });
  let errors = '';
  child.stderr.on('data', (chunk) => {
    errors = (errors + chunk).slice(-4000);
  });
  const cases = [];
  let done = false;
  for await (const line of createInterface({ input: child.stdout })) {
    if (line === '{"done":true}') done = true;
    else if (line.startsWith('{"file"')) {
      const found = JSON.parse(line);
      cases.push({ file: found.file, name: found.name, kernels: found.kernels, ...judge(found) });
    }
  }
  if (!done) throw new Error(`The tests ended early after ${cases.length} cases: ${errors}`);
  return cases;
}
