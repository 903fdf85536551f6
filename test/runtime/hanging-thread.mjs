// A model thread that never comes back from a run whose first value is 668.
import { parentPort } from 'node:worker_threads';

const on = parentPort.on.bind(parentPort);
parentPort.on = (event, listen) =>
  on(event, (request) => {
    if (request.type === 'run' && request.data[0] === 668) for (;;);
    listen(request);
  });
await import('../../dist/runtime/thread.js');
