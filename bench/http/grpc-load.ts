/** Asks Encode over one gRPC channel with so many calls at a time; prints requests/s and latencies as JSON. */

import { readFileSync } from 'node:fs';
import { Client, credentials } from '@grpc/grpc-js';

const [port, concurrency, milliseconds, bodyFile = ''] = process.argv.slice(2);
const body = readFileSync(bodyFile);
const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
const same = (given: Buffer): Buffer => given;
const ask = (): Promise<void> =>
  new Promise((resolve, reject) => {
    client.makeUnaryRequest('/hourglass.v1.InferenceService/Encode', same, same, body, (error) =>
      error ? reject(error) : resolve(),
    );
  });

for (let i = 0; i < 200; i++) await ask();
const latencies: number[] = [];
const start = performance.now();
const until = start + Number(milliseconds);
await Promise.all(
  Array.from({ length: Number(concurrency) }, async () => {
    for (let now = performance.now(); now < until; ) {
      await ask();
      const done = performance.now();
      latencies.push(done - now);
      now = done;
    }
  }),
);
const seconds = (performance.now() - start) / 1000;
latencies.sort((a, b) => a - b);
const at = (share: number): number => latencies[Math.floor(latencies.length * share)] ?? Number.NaN;
console.log(JSON.stringify({ perSecond: latencies.length / seconds, p50: at(0.5), p99: at(0.99), errors: 0 }));
client.close();
