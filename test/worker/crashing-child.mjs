// Stands in for the process that trains: dies in the way that the job's name says.
const tell = (message) => new Promise((resolve) => process.send(message, resolve));

const deaths = {
  abort: () => process.abort(),
  segfault: () => process.kill(process.pid, 'SIGSEGV'),
  exit: () => process.exit(7),
  exception: () => {
    throw new Error('a bug in /some/where/secret.js');
  },
  heap: () => {
    const kept = [];
    for (;;) kept.push(new Array(1e6).fill(kept.length));
  },
  resident: async () => {
    const kept = [];
    for (;;) {
      kept.push(Buffer.alloc(2 ** 25, 1));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  },
  hang: () => {
    for (;;);
  },
};

process.on('disconnect', () => process.exit(1));
process.on('message', async (message) => {
  if (message.type !== 'start') return;
  const { spec, attempt } = message.assignment;
  console.log(`attempt ${attempt} begins`);
  const [, how] = spec.name.split('.');
  if (how in deaths) return deaths[how]();
  if (how === 'full' && attempt < 3)
    return tell({ type: 'held-back', waitingFor: 'storage-full' }).then(() => process.exit(0));
  await tell({ type: 'done', published: { model: spec.name, version: 1, metrics: {}, operations: [] } });
  process.exit(0);
});
