// A process of its own that behaves well: asks for a small prediction every 20 ms on one connection, and whether the service
// is alive every 50 ms on a new connection each time. Tells its parent how long each answer took.
import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

/** milliseconds of each answer, in order */
export interface Observed {
  readonly livez: number[];
  readonly encode: number[];
  /** answers other than 200, and connections that broke, by what they were */
  readonly failures: Record<string, number>;
}

const [httpPort, metricsPort] = process.argv.slice(2).map(Number);
const agent = new Agent({ keepAlive: true, maxSockets: 1 });
const body = JSON.stringify({ inputs: [Array(784).fill(0.5)] });
let observed: Observed = { livez: [], encode: [], failures: {} };

function ask(times: number[], what: string, options: object, payload?: string): Promise<void> {
  return new Promise((resolve) => {
    const begun = performance.now();
    const end = (outcome: string): void => {
      times.push(performance.now() - begun);
      if (outcome !== '200')
        observed.failures[`${what} ${outcome}`] = (observed.failures[`${what} ${outcome}`] ?? 0) + 1;
      resolve();
    };
    const asked = request({ host: '127.0.0.1', timeout: 20_000, ...options }, (answer) => {
      answer.resume().on('end', () => end(String(answer.statusCode)));
    });
    asked.on('timeout', () => asked.destroy(new Error('no answer in 20 s')));
    asked.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
    asked.end(payload);
  });
}

async function repeat(everyMs: number, once: () => Promise<void>): Promise<void> {
  for (;;) {
    const begun = performance.now();
    await once();
    await sleep(Math.max(0, everyMs - (performance.now() - begun)));
  }
}

void repeat(50, () => ask(observed.livez, 'livez', { port: metricsPort, path: '/livez', agent: false }));
void repeat(20, () =>
  ask(
    observed.encode,
    'encode',
    {
      port: httpPort,
      agent,
      method: 'POST',
      path: '/encode?model=digits',
      headers: { 'content-type': 'application/json' },
    },
    body,
  ),
);

/** Each message asks for what was observed since the last one. */
process.on('message', () => {
  process.send?.(observed);
  observed = { livez: [], encode: [], failures: {} };
});
process.on('disconnect', () => process.exit());
