/** Ten times the load that saturates a model, as an open loop: what is still answered, how fast, and whether probes answer. */

import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { wrk } from './load.ts';
import { denseAutoencoder } from './nets.ts';
import { codes, filesOf, row, startService, values } from './service.ts';

const run = promisify(execFile);

interface OpenLoop {
  readonly offered: number;
  readonly unsent: number;
  readonly answered: number;
  readonly refused: number;
  readonly failed: number;
  readonly p50: number;
  readonly p99: number;
}

export interface OverloadRow {
  readonly name: string;
  readonly saturated: { readonly perSecond: number; readonly p99: number };
  /** answers per second to wrk over as many connections as the open loop has, each asking again at once */
  readonly crowd: number;
  /** the open loop at the rate of saturation */
  readonly steady: OpenLoop;
  readonly overload: OpenLoop;
  /** ms, on the metrics port, slowest of the time */
  readonly livez: number;
}

/** each asked by as many clients as there are connections */
const connections = { saturating: 64, overloading: 512 };
const factor = 10;

const nets = {
  'a small model, on the event loop': denseAutoencoder([values, 128, codes]),
  'a model of 24 MB, in a thread': denseAutoencoder([values, 2048, 2048, codes]),
};

export async function measureOverload(seconds: number): Promise<OverloadRow[]> {
  const rows: OverloadRow[] = [];
  for (const [name, net] of Object.entries(nets)) {
    const service = await startService(filesOf(net));
    try {
      const body = path.join(service.folder, 'row.json');
      writeFileSync(body, JSON.stringify({ inputs: [row] }));
      const type = 'application/json';
      const question = {
        url: `http://127.0.0.1:${service.httpPort}/v1/models/digits/encode`,
        ...{ bodyFile: body, headers: { 'content-type': type } },
      };
      await wrk(question, connections.saturating, 1);
      const saturated = await wrk(question, connections.saturating, seconds);
      const crowded = await wrk(question, connections.overloading, seconds);
      const crowd = crowded.perSecond - crowded.errors / seconds;
      const openLoop = async (times: number): Promise<OpenLoop> => {
        const program = path.join(import.meta.dirname, 'open-loop.ts');
        const rate = times * saturated.perSecond;
        const asked = [
          service.httpPort,
          '/v1/models/digits/encode',
          type,
          body,
          rate,
          seconds,
          connections.overloading,
        ];
        const { stdout } = await run(process.execPath, ['--import', 'tsx', program, ...asked.map(String)]);
        return JSON.parse(stdout) as OpenLoop;
      };
      const steady = await openLoop(1);
      const over = new AbortController();
      const probing = slowestLivez(service.metricsPort, over.signal);
      const overload = await openLoop(factor);
      over.abort();
      rows.push({ name, saturated, crowd, steady, overload, livez: await probing });
    } finally {
      await service.stop();
    }
  }
  return rows;
}

async function slowestLivez(port: number, over: AbortSignal): Promise<number> {
  let slowest = 0;
  while (!over.aborted) {
    const begun = performance.now();
    await (await fetch(`http://127.0.0.1:${port}/livez`, { headers: { connection: 'close' } })).arrayBuffer();
    slowest = Math.max(slowest, performance.now() - begun);
    await sleep(50);
  }
  return slowest;
}

export function overloadTable(rows: readonly OverloadRow[]): string[] {
  if (rows.length === 0) return [];
  const lines = [
    '',
    '## Overload',
    '',
    `An open loop asks at ${factor} times the rate at which ${connections.saturating} connections of wrk saturate the model, over ${connections.overloading} connections; a request that finds`,
    'none free is not sent. Goodput is of the rate at saturation (bar: .9); beside it, of what the open loop itself gets answered when it asks at just',
    `that rate, since it costs more of the machine than wrk, and what wrk gets answered over ${connections.overloading} connections that ask again at once. p99 of answers is of that at saturation (bar: 2×). /livez is on the metrics port.`,
    '',
    '| | saturated, 1/s | p99, ms | offered, 1/s | not sent, 1/s | refused, 1/s | answered, 1/s | goodput | of its own | wrk’s | p99, ms | p99 of saturation’s | slowest /livez, ms | failed |',
    '| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |',
  ];
  for (const { name, saturated, crowd, steady, overload, livez } of rows) {
    const { offered, unsent, refused, answered, p99, failed } = overload;
    const cells = [
      ...[name, saturated.perSecond.toFixed(0), saturated.p99.toFixed(1), offered.toFixed(0), unsent.toFixed(0)],
      ...[refused.toFixed(0), answered.toFixed(0), (answered / saturated.perSecond).toFixed(2)],
      ...[(answered / steady.answered).toFixed(2), (crowd / saturated.perSecond).toFixed(2)],
      ...[p99.toFixed(1)],
      ...[`${(p99 / saturated.p99).toFixed(1)}×`, livez.toFixed(0), failed],
    ];
    lines.push(`| ${cells.join(' | ')} |`);
  }
  return lines;
}
