/** `hourglass bench`: load on a model of a server, from several connections at once. */

import { type Command, count, exitCodes, required, text } from '../command.ts';
import { send } from '../send.ts';
import { UsageError } from '../usage-error.ts';

const operations = ['encode', 'decode', 'denoise', 'reconstruct'] as const;

export const benchCommand: Command = {
  name: 'bench',
  summary: 'Measures how many requests a model of a server answers. It puts load on that server.',
  usage: ['--model MODEL [--operation encode] [--connections 8] [--rows 1] [--seconds 5]'],
  options: {
    model: { type: 'string', short: 'm', value: 'MODEL', help: 'digits, digits@2 or digits:stable' },
    operation: { type: 'string', value: 'NAME', help: operations.join(', ') },
    connections: { type: 'string', value: 'N', help: 'requests at a time; default 8' },
    rows: { type: 'string', value: 'N', help: 'rows of a request; default 1' },
    seconds: { type: 'string', value: 'N', help: 'how long; default 5' },
  },
  examples: ['hourglass bench -m digits --connections 32 --seconds 10'],

  async run(call) {
    const { client, terminal, signal } = call;
    const model = required(call, 'model');
    const operation = operations.find((name) => name === (text(call, 'operation') ?? 'encode'));
    if (!operation) throw new UsageError(`--operation is one of ${operations.join(', ')}.`);
    const [connections, rows, seconds] = [
      count(call, 'connections') ?? 8,
      count(call, 'rows') ?? 1,
      count(call, 'seconds') ?? 5,
    ];
    const [name = '', version] = model.split(/[@:]/);
    const { versions, aliases } = await client.models.get(name, { signal });
    const manifest =
      versions.find((one) => String(one.version) === version || one.version === aliases[version ?? '']) ??
      versions.at(-1);
    const shape = operation === 'decode' ? manifest?.codeShape : manifest?.inputShape;
    const size = (shape ?? []).reduce((product, side) => product * side, rows);
    const body = new Uint8Array(Float32Array.from({ length: size }, Math.random).buffer);
    const headers = { 'content-type': 'application/octet-stream', accept: 'application/octet-stream' };
    const path = `/v1/models/${encodeURIComponent(model)}/${operation}`;
    const times: number[] = [];
    const begun = performance.now();
    const until = begun + seconds * 1000;
    const load = async (): Promise<void> => {
      while (performance.now() < until) {
        const at = performance.now();
        await (await send(call, path, body, headers)).arrayBuffer();
        times.push(performance.now() - at);
        terminal.bar((performance.now() - begun) / (seconds * 1000), `${times.length} requests`);
      }
    };
    await Promise.all(Array.from({ length: Math.max(1, connections) }, load));
    terminal.endBar();
    const took = (performance.now() - begun) / 1000;
    times.sort((a, b) => a - b);
    const quantile = (q: number): number => times[Math.min(times.length - 1, Math.floor(q * times.length))] ?? 0;
    const result = {
      ...{ model, operation, connections, rows, requests: times.length },
      requestsPerSecond: Math.round(times.length / took),
      milliseconds: { p50: quantile(0.5), p95: quantile(0.95), p99: quantile(0.99) },
    };
    terminal.json(result);
    terminal.line(
      `${result.requests} requests in ${took.toFixed(1)} s: ${result.requestsPerSecond} a second, ${result.requestsPerSecond * rows} rows a second`,
    );
    terminal.line(
      `p50 ${quantile(0.5).toFixed(2)} ms, p95 ${quantile(0.95).toFixed(2)} ms, p99 ${quantile(0.99).toFixed(2)} ms`,
    );
    return exitCodes.done;
  },
};
