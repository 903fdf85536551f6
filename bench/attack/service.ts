// The service under attack: the built gateway in a process of its own, with a redis-server, a small model and a large file.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Registry } from '../../src/registry/registry.ts';
import { openStores } from '../../src/store/open.ts';
import { headed, scaling } from '../../test/helpers/onnx-models.ts';
import { freePort } from '../../test/helpers/ports.ts';
import { startRedis } from '../../test/helpers/redis.ts';
import { metaOf } from '../../test/serve/serving.ts';

export const mebibyte = 2 ** 20;
const program = path.resolve(import.meta.dirname, '../../dist/main.js');

export interface Service {
  readonly httpPort: number;
  readonly grpcPort: number;
  readonly metricsPort: number;
  readonly pid: number;
  /** resident memory now, MiB */
  rss(): number;
  /** most resident memory since the last `resetPeak`, MiB */
  peak(): number;
  resetPeak(): void;
  /** that the gateway has used since it was started */
  processorSeconds(): number;
  /** what the gateway has written to its log */
  log(): string;
  /** how the gateway ended by itself; undefined while it runs */
  ended(): string | undefined;
  stop(): Promise<void>;
}

/** A model of a tenant other than `default`, 2×2 → 2. */
export interface TenantModel {
  readonly tenant: string;
  readonly name: string;
}

/** Serves `digits` (784 → 32), with the file `large.bin` of 17 MiB, and a small model for each in `others`. */
export async function startService(
  environment: Readonly<Record<string, string>> = {},
  others: readonly TenantModel[] = [],
): Promise<Service> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'hourglass-attack-'));
  const redis = await startRedis();
  const stores = await openStores({ dataDir: folder });
  const { versions } = stores;
  const registry = await Registry.open(versions);
  await registry.publish('digits', {
    files: { ...scaling(784, 32, 1), 'large.bin': Buffer.alloc(17 * mebibyte, 7) },
    meta: metaOf('digits', { inputShape: [28, 28, 1], codeShape: [32] }),
  });
  for (const { tenant, name } of others) {
    const own = await Registry.open((await stores.forTenant(tenant)).versions, { tenant });
    const meta = metaOf(name, {
      operations: ['encode', 'decode', 'denoise', 'reconstruct', 'classify'],
      classes: ['a', 'b'],
    });
    await own.publish(name, {
      files: { ...scaling(4, 2, 1), ...headed(4, 2), 'report.json': Buffer.from('{}') },
      meta,
    });
    await own.setAlias(name, 'stable', 1);
  }
  const [httpPort, grpcPort, metricsPort] = [await freePort(), await freePort(), await freePort()];
  const child: ChildProcess = spawn(process.execPath, [program, 'gateway'], {
    env: {
      ...process.env,
      HOURGLASS_DATA_DIR: folder,
      HOURGLASS_HTTP_PORT: String(httpPort),
      HOURGLASS_GRPC_PORT: String(grpcPort),
      HOURGLASS_METRICS_PORT: String(metricsPort),
      HOURGLASS_LOG_LEVEL: 'warn',
      HOURGLASS_DRAIN: '0s',
      HOURGLASS_GRACE: '1s',
      REDIS_URL: redis.url,
      ...environment,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const pid = child.pid ?? 0;
  const output: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk) => {
      output.push(String(chunk));
      if (output.length > 1000) output.shift();
    });
  }
  const field = (name: string): number => {
    const kibibytes = new RegExp(`${name}:\\s+(\\d+)`).exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return Math.round(Number(kibibytes) / 1024);
  };
  for (let tries = 0; ; tries++) {
    const ready = await fetch(`http://127.0.0.1:${httpPort}/readyz`).catch(() => undefined);
    if (ready?.status === 200) break;
    if (tries > 600 || child.exitCode !== null) throw new Error(`the gateway did not start:\n${output.join('')}`);
    await sleep(100);
  }
  return {
    ...{ httpPort, grpcPort, metricsPort, pid },
    rss: () => field('VmRSS'),
    peak: () => field('VmHWM'),
    // User and system time in ticks, the 14th and 15th field of the line.
    processorSeconds() {
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
        .replace(/^.*\) /, '')
        .split(' ');
      return (Number(fields[11]) + Number(fields[12])) / 100;
    },
    resetPeak: () => writeFileSync(`/proc/${pid}/clear_refs`, '5'),
    log: () => output.join(''),
    ended: () =>
      child.exitCode === null && child.signalCode === null
        ? undefined
        : `exit code ${child.exitCode}, ${child.signalCode}`,
    async stop() {
      child.kill('SIGTERM');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
      await redis.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
