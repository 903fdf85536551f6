// The bundle's entry: runs the selected tests of tfjs-core on the lazy onnx backend and prints one JSON line per case.
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops';
import { setTestEnvs } from '@tensorflow/tfjs-core/dist/jasmine_util';
import jasmineCore from 'jasmine-core';
import { registerLazyBackend } from '../../src/engine/onnx/lazy.ts';

jasmineCore.installGlobals();
const env = jasmine.getEnv();
env.configure({ random: false, forbidDuplicateNames: false, autoCleanClosures: true });

const backendName = 'onnx';
let refusals = [];
let kernels = new Set();
registerLazyBackend(backendName, { refusal: (what) => refusals.push(what), kernel: (name) => kernels.add(name) });
setTestEnvs([{ name: backendName, backendName, flags: {}, isDataSync: true }]);
tf.env().set('IS_TEST', true);

// a case is known by its file and its name
const { tests } = await import('virtual:tests');
const { describe } = globalThis;
for (const [file, load] of tests) {
  let depth = 0;
  globalThis.describe = (name, body) => {
    const top = depth++ === 0;
    describe(top ? `${file}|${name}` : name, body);
    depth--;
  };
  await load();
}
globalThis.describe = describe;

env.addReporter({
  specStarted() {
    refusals = [];
    kernels = new Set();
  },
  specDone({ fullName, status, failedExpectations }) {
    // cases of another backend, or of none
    if (!fullName.includes(` ${backendName} {}`)) return;
    const messages = failedExpectations.map(({ message }) => message.split('\n').slice(0, 3).join(' ').slice(0, 300));
    const [file, name] = fullName.replace(` ${backendName} {}`, '').split('|');
    process.stdout.write(`${JSON.stringify({ file, name, status, messages, refusals, kernels: [...kernels] })}\n`);
  },
  jasmineDone() {
    process.stdout.write('{"done":true}\n');
  },
});
await env.execute();
