// Predictions a second of one gateway process and of two side by side on this machine, asked by wrk with requests of sixteen rows:
// much work for a gateway, little for the one who asks.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { wrk } from '../http/load.ts';
import { row, type Service, startService } from '../http/service.ts';

export interface Throughput {
  /** requests a second */
  readonly one: number;
  readonly two: number;
  readonly errors: number;
}

const rows = 16;
const connections = 16;
const seconds = 5;
const rounds = 3;

export async function measureThroughput(): Promise<Throughput> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'hourglass-throughput-'));
  const bodyFile = path.join(folder, 'body.json');
  writeFileSync(bodyFile, JSON.stringify({ inputs: Array.from({ length: rows }, () => row) }));
  const services: Service[] = [];
  let errors = 0;
  const ask = async (asked: readonly Service[]): Promise<number> => {
    const samples = await Promise.all(
      asked.map(({ httpPort }) => {
        const url = `http://127.0.0.1:${httpPort}/v1/models/digits/encode`;
        return wrk({ url, bodyFile, headers: { 'content-type': 'application/json' } }, connections, seconds);
      }),
    );
    errors += samples.reduce((sum, sample) => sum + sample.errors, 0);
    return samples.reduce((sum, { perSecond }) => sum + perSecond, 0);
  };
  try {
    for (let i = 0; i < 2; i++) services.push(await startService());
    await ask(services);
    const [one, two]: [number[], number[]] = [[], []];
    for (let round = 0; round < rounds; round++) {
      one.push(await ask(services.slice(round % 2, (round % 2) + 1)));
      two.push(await ask(services));
    }
    return { one: median(one), two: median(two), errors };
  } finally {
    for (const service of services) await service.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

const median = (all: readonly number[]): number => all.toSorted((a, b) => a - b)[Math.floor(all.length / 2)] ?? 0;
