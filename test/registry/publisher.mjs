// A process that publishes models, with a fault at a chosen file system call. publications.ts bundles and starts it.
import fs from 'node:fs/promises';
import { Registry } from '../../src/registry/registry.ts';
import { FolderBlobs } from '../../src/store/folder/blobs.ts';

const { root, name, jobs, fault } = JSON.parse(process.argv[2]);
// the kernel gives these only for calls that write
const writing = new Set(['mkdir', 'open', 'rename', 'writeFile', 'sync']);
let counting = false;
let calls = 0;
let faultAt = fault?.at;

/** Counts the call and, when its turn has come, fails or ends this process in place of it. */
function guarded(owner, method) {
  return async (...args) => {
    if (counting && ++calls === faultAt) {
      if (fault.action === 'SIGKILL') process.kill(process.pid, 'SIGKILL');
      if (fault.action === 'EIO' || writing.has(method))
        throw Object.assign(new Error(`${fault.action}: injected`), { code: fault.action });
    }
    return owner[method](...args);
  };
}

const guardedHandle = (handle) => ({
  writeFile: guarded(handle, 'writeFile'),
  sync: guarded(handle, 'sync'),
  close: () => handle.close(),
});
const open = guarded(fs, 'open');
const methods = ['mkdir', 'readdir', 'readFile', 'rename', 'rm', 'stat', 'unlink'];
const guardedFs = {
  ...Object.fromEntries(methods.map((method) => [method, guarded(fs, method)])),
  open: async (...args) => guardedHandle(await open(...args)),
};

const registry = await Registry.open(await FolderBlobs.open(root, guardedFs));
const outcomes = [];
for (const jobId of jobs) {
  const files = ['encoder.onnx', 'decoder.onnx', 'report.json'].map((file) => [
    file,
    Buffer.from(`${file} of ${jobId}\n`),
  ]);
  const meta = {
    operations: ['encode', 'decode'],
    inputShape: [784],
    codeShape: [32],
    inputRange: [0, 1],
    lineage: { jobId, spec: {}, seed: 1, dataset: { name: 'mnist', hash: 'h' }, hourglass: '0', engine: 'onnx/cpu' },
    metrics: {},
  };
  calls = 0;
  counting = true;
  const outcome = await registry.publish(name, { files: Object.fromEntries(files), meta }).then(
    (manifest) => manifest.version,
    (error) => error.code ?? String(error),
  );
  counting = false;
  faultAt++;
  outcomes.push(outcome);
}
process.send({ outcomes, calls });
