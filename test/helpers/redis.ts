// A private, real redis-server for one test file: free port, own folder, gone when the test process is gone.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect as openSocket } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './ports.ts';

export interface TestRedis {
  /** `redis://:password@127.0.0.1:port` */
  readonly url: string;
  readonly port: number;
  readonly password: string;
  /** holds the append-only file and redis.log */
  readonly dir: string;
  readonly pid: number;
  /** ends the server as given and waits until it is gone; start() brings it back on the same port and data */
  kill(signal?: NodeJS.Signals): Promise<void>;
  start(): Promise<void>;
  /** ends the server and removes its folder */
  stop(): Promise<void>;
}

// The watcher ends redis-server when this process dies, however it dies: file descriptor 3 then reads as closed.
const guarded = '(read _ <&3; kill -9 $$ 2>/dev/null) & exec redis-server "$@" 3<&-';

/** Extra arguments are redis-server's own, such as `--maxmemory 8mb`. */
export async function startRedis(...args: string[]): Promise<TestRedis> {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'hourglass-redis-'));
  const removeDir = (): void => rmSync(dir, { recursive: true, force: true });
  process.once('exit', removeDir);
  const password = 'test-password';
  let port = 0;
  let child: ChildProcess | undefined;

  const launch = async (): Promise<boolean> => {
    const settings = ['--port', String(port), '--bind', '127.0.0.1', '--dir', dir, '--logfile', 'redis.log'];
    const durable = ['--appendonly', 'yes', '--save', '', '--maxmemory-policy', 'noeviction'];
    const started = spawn(
      'sh',
      ['-c', guarded, 'sh', ...settings, ...durable, '--requirepass', password, '--loglevel', 'notice', ...args],
      { stdio: ['ignore', 'ignore', 'inherit', 'pipe'] },
    );
    child = started;
    while (started.exitCode === null && started.signalCode === null) {
      if (await answers(port, password)) return true;
      await sleep(20);
    }
    return false;
  };

  const kill = async (signal: NodeJS.Signals = 'SIGKILL'): Promise<void> => {
    const ending = child;
    if (!ending || ending.exitCode !== null || ending.signalCode !== null) return;
    const gone = new Promise((resolve) => ending.once('exit', resolve));
    ending.kill(signal);
    await gone;
    ending.stdio[3]?.destroy();
  };

  for (let attempt = 1; ; attempt++) {
    port = await freePort();
    if (await launch()) break;
    if (attempt === 5) throw new Error(`redis-server does not start:\n${readFileSync(path.join(dir, 'redis.log'))}`);
  }

  return {
    url: `redis://:${password}@127.0.0.1:${port}`,
    port,
    password,
    dir,
    get pid() {
      return child?.pid ?? 0;
    },
    kill,
    start: async () => {
      if (!(await launch()))
        throw new Error(`redis-server does not start:\n${readFileSync(path.join(dir, 'redis.log'))}`);
    },
    stop: async () => {
      await kill();
      process.off('exit', removeDir);
      removeDir();
    },
  };
}

/** True once the server has loaded its data and answers with the password. */
function answers(port: number, password: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = openSocket({ port, host: '127.0.0.1' }, () => socket.write(`AUTH ${password}\r\nPING\r\n`));
    let reply = '';
    socket.setTimeout(1000, () => socket.destroy());
    socket.on('data', (chunk) => {
      reply += chunk;
      if (reply.split('\r\n').length > 2) socket.destroy();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(reply.includes('+PONG')));
  });
}
