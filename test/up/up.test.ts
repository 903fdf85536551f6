// `hourglass up` as a person meets it: a first model is trained, the printed lines work as printed, a second start is quick,
// whatever is killed comes back, and nothing is left running at the end.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chmodSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { descendants, isAlive } from '../../bench/faults/fleet.ts';
import { decodeImage } from '../../src/data/image.ts';
import { freePorts } from '../helpers/ports.ts';
import { until } from '../queue/fixtures.ts';

const program = path.resolve(import.meta.dirname, '../../dist/main.js');
let folder: string;
let environment: Record<string, string | undefined>;
let address: string;
let metrics: string;

beforeAll(async () => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'hourglass up ')); // with a blank, as folders of people have
  const [http = 0, grpc = 0, metricsPort = 0] = await freePorts(3);
  address = `http://127.0.0.1:${http}`;
  metrics = `http://127.0.0.1:${metricsPort}/metrics`;
  environment = {
    PATH: process.env.PATH,
    HOME: folder,
    HOURGLASS_DATA_DIR: path.join(folder, 'data'),
    HOURGLASS_HTTP_PORT: String(http),
    HOURGLASS_GRPC_PORT: String(grpc),
    HOURGLASS_METRICS_PORT: String(metricsPort),
  };
});
const started: ChildProcess[] = [];
// one that a failed test leaves would refuse its data folder to the next
afterEach(async () => {
  for (const child of started.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const parts = await descendants(child.pid as number);
    child.kill('SIGKILL');
    await until(() => !parts.some(isAlive));
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Started {
  readonly child: ChildProcess;
  readonly output: () => string;
  readonly ended: Promise<number | null>;
}

function up(changes: Record<string, string> = {}): Started {
  const child = spawn(process.execPath, [program, 'up'], {
    cwd: folder,
    env: { ...environment, ...changes },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  started.push(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (output += chunk));
  return { child, output: () => output, ended: new Promise((resolve) => child.once('exit', resolve)) };
}

const isReady = async (): Promise<boolean> => (await fetch(`${address}/readyz`).catch(() => undefined))?.status === 200;

/** Pids of its parts by name. */
async function partsOf(child: ChildProcess): Promise<Record<string, number>> {
  const parts: Record<string, number> = {};
  for (const pid of await descendants(child.pid as number)) {
    let line = '';
    try {
      line = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
    } catch {
      continue; // it ended meanwhile
    }
    const name = /main\.js (gateway|worker)/.exec(line)?.[1] ?? (/^redis-server/.test(line) ? 'redis' : 'other');
    parts[name] = pid;
  }
  return parts;
}

const digit = { height: 28, width: 28, channels: 1 };

/** dB, of values in [0, 1] */
function psnr(a: readonly number[], b: readonly number[]): number {
  const error = a.reduce((sum, value, i) => sum + (value - (b[i] as number)) ** 2, 0) / a.length;
  return -10 * Math.log10(error);
}

async function reportOf(model: string): Promise<Record<string, Record<string, { readonly psnr: number }>>> {
  const answer = await fetch(`${address}/v1/models/${model}/versions/1/files/report.json`);
  return (await answer.json()) as Awaited<ReturnType<typeof reportOf>>;
}

describe.skipIf(process.platform !== 'linux')('hourglass up', () => {
  it('trains a first model, prints lines that work, and leaves nothing behind when it is stopped', async () => {
    const data = path.join(folder, 'data');
    mkdirSync(data);
    chmodSync(data, 0o755); // as earlier releases made it
    const { child, output, ended } = up();
    await until(() => output().includes('Stop with Ctrl-C.'));
    const files = ['', ...readdirSync(data, { recursive: true, encoding: 'utf8' })];
    const readableByOthers = files.filter((file) => (lstatSync(path.join(data, file)).mode & 0o077) !== 0);
    expect(readableByOthers).toEqual([]);
    expect(files.length).toBeGreaterThan(20);
    expect(output()).toMatch(/REST +(http:\S+) {2}\(its contract: \1\/docs\)\n +console +\1\/\n +demo +\1\/demo/);
    expect(output()).toContain('The registry is empty. Jobs that train first models: 2.');
    expect(output()).toContain('Training digits on mnist');
    expect(output()).toContain('Training digits-denoiser on mnist');
    expect(output()).toMatch(/%\s+train, epoch [1-5] of 5\s+loss \d+\.\d+\s+[\d,]+ rows\/s/);
    const lines = output()
      .split('\n')
      .filter((line) => line.startsWith('curl '));
    expect(lines).toHaveLength(4);
    const [encoded, frame, denoised] = lines.map((line) =>
      execFileSync('sh', ['-c', line], { cwd: folder, encoding: 'utf8' }),
    ) as [string, string, string, string];
    expect(JSON.parse(encoded)).toMatchObject({ model: 'digits', version: 1 });
    expect(JSON.parse(encoded).codes[0]).toHaveLength(32);
    const example = (name: string) => readFileSync(path.join(folder, 'data/examples', name));
    const [row, noisy] = ['row.json', 'noisy.json'].map((name) => JSON.parse(example(name).toString()).inputs[0]);
    expect(Number.parseInt(frame, 10)).toBe(example('row.frame').length);
    expect(example('row.frame').length).toBeLessThan(30);
    const picture = await decodeImage(example('decoded.png'), { shape: digit, maxPixels: 784 });
    expect(
      psnr(
        row,
        [...picture].map((value) => value / 255),
      ),
    ).toBeGreaterThan(17);
    const clean = JSON.parse(denoised).outputs[0].flat(3);
    expect(psnr(row, clean)).toBeGreaterThan(psnr(row, noisy) + 4);
    expect(existsSync(path.join(folder, 'data/examples/clean.png'))).toBe(true);

    // the report of each shows what the model is for: more than PCA with as many numbers
    const { reconstruction = {} } = await reportOf('digits');
    expect(reconstruction.model?.psnr).toBeGreaterThan((reconstruction.pca?.psnr ?? 99) + 2);
    const { denoising = {} } = await reportOf('digits-denoiser');
    expect(denoising.model?.psnr).toBeGreaterThan((denoising.pca?.psnr ?? 99) + 1);
    expect(denoising.model?.psnr).toBeGreaterThan((denoising.input?.psnr ?? 99) + 4);

    const { gateway = 0, worker = 0, redis = 0 } = await partsOf(child);
    const second = up();
    expect(await second.ended).toBe(78);
    expect(second.output()).toContain('Another hourglass is using');
    expect(isAlive(gateway) && isAlive(worker) && isAlive(redis)).toBe(true);

    child.kill('SIGINT');
    expect(await ended).toBe(0);
    expect([gateway, worker, redis].map(isAlive)).toEqual([false, false, false]);
    expect(existsSync(path.join(folder, 'data/hourglass.lock'))).toBe(false);
    // no library keeps records of its own about this machine
    expect(readdirSync(folder)).toEqual(['data']);
  }, 600_000);

  it('answers at once on a later start, brings back what is killed, and takes all with it when it is killed', async () => {
    const { child, output } = up();
    await until(() => output().includes('Stop with Ctrl-C.'));
    expect(output()).not.toMatch(/training/i);
    expect(output()).toContain('digits@1 answers');
    for (const name of ['gateway', 'worker', 'redis']) {
      const pid = (await partsOf(child))[name] as number;
      process.kill(pid, 'SIGKILL');
      await until(async () => {
        const now = (await partsOf(child))[name];
        return now !== undefined && now !== pid && (await isReady());
      });
      expect(output()).toMatch(new RegExp(`ended unexpectedly, starting it again part=${name} .*signal=SIGKILL`));
    }
    // what the others record arrives every two seconds
    const restarted = /hourglass_process_restarts_total\{.*part="redis".*\} 1/;
    const text = await until(async () => {
      const page = await fetch(metrics).then((response) => response.text());
      return restarted.test(page) && page.includes('process="worker"') && page;
    });
    expect(text).toMatch(/hourglass_queue_up\{process="gateway"\} 1/);

    const everything = await descendants(child.pid as number);
    expect(everything.length).toBeGreaterThanOrEqual(3);
    child.kill('SIGKILL');
    await until(() => !everything.some(isAlive));
    // the folder of one that was killed can be used again
    const again = up({ HOURGLASS_STARTER: 'off' });
    await until(() => again.output().includes('digits@1 answers'));
    again.child.kill('SIGTERM');
    expect(await again.ended).toBe(0);
  }, 120_000);
});
