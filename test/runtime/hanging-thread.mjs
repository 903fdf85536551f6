// A model thread that does not come back for 6 s from a run whose first value is 668, and for 8 s from 669.
import { parentPort } from 'node:worker_threads';

const on = parentPort.on.bind(parentPort);
const never = new Int32Array(new SharedArrayBuffer(4));
const hangs = { 668: 6000, 669: 8000 };
parentPort.on = (event, listen) =>
  on(event, (request) => {
    const ms = request.type === 'run' ? hangs[request.data[0]] : undefined;
    if (ms !== undefined) Atomics.wait(never, 0, 0, ms);
    listen(request);
  });
await import('../../dist/runtime/thread.js');
