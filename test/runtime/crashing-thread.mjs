// A model thread that dies when the first value it is to run on is 666 (it exits) or 667 (it throws).
import { parentPort } from 'node:worker_threads';

const on = parentPort.on.bind(parentPort);
parentPort.on = (event, listen) =>
  on(event, (request) => {
    if (request.type === 'run' && request.data[0] === 666) process.exit(3);
    if (request.type === 'run' && request.data[0] === 667) throw new Error('uncaught');
    listen(request);
  });
await import('../../dist/runtime/thread.js');
