// The embedded redis-server: who can reach it and do what, what it keeps, and what it does with damaged files.
import { type ChildProcess, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Redis } from 'ioredis';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { EmbeddedRedisError, embeddedRedis } from '../../src/queue/embedded-redis.ts';
import { addressOf } from '../../src/queue/redis.ts';
import { jobSpec, openQueue, quiet } from './fixtures.ts';

let folder: string;
let children: ChildProcess[];

beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'hourglass-embedded-'));
  children = [];
});
afterEach(async () => {
  await Promise.all(children.map((child) => end(child, 'SIGKILL')));
  rmSync(folder, { recursive: true, force: true });
});

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  await gone;
}

async function launch(dataDir = folder, log = quiet) {
  const redis = await embeddedRedis(dataDir, log);
  const child = await redis.launch();
  children.push(child);
  return { ...redis, child };
}

async function withClient<T>(url: string, use: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis({ ...addressOf(url), replyMapping: 'legacy' });
  try {
    return await use(client);
  } finally {
    client.disconnect();
  }
}

const aofFile = (kind: 'incr' | 'base'): string => {
  const aofFolder = path.join(folder, 'redis/appendonlydir');
  const name = readdirSync(aofFolder).find((file) => file.includes(`.${kind}.`));
  return path.join(aofFolder, name as string);
};

/** Leaves 200 keys in the append-only file of a server that has ended. */
async function fill(): Promise<void> {
  const { url, child } = await launch();
  await withClient(url, async (client) => {
    for (let i = 0; i < 200; i++) await client.set(`key-${i}`, 'value '.repeat(10));
  });
  await end(child, 'SIGKILL');
}

it('lets only its own user in, and not to what changes or stops the server', async () => {
  const { url, child } = await launch();
  expect(statSync(path.join(folder, 'redis')).mode & 0o777).toBe(0o700);
  const socket = path.join(folder, 'redis/redis.sock');
  await withClient(url, async (client) => {
    const forbidden =
      'config get *, debug sleep 0, shutdown, flushall, keys *, module list, replicaof no one, acl list';
    for (const command of `${forbidden}, client list, save, monitor`.split(', ')) {
      const [name = '', ...args] = command.split(' ');
      await expect(client.call(name, ...args)).rejects.toThrow(/NOPERM|not allowed/);
    }
    expect(await client.set('a', '1')).toBe('OK');
  });
  const cli = (...args: string[]): string => String(spawnSync('redis-cli', ['-s', socket, ...args, 'ping']).stdout);
  expect(cli()).toContain('NOAUTH');
  expect(cli('--user', 'hourglass', '-a', 'guess')).toContain('NOAUTH');
  expect(readFileSync(`/proc/${child.pid}/cmdline`, 'latin1')).not.toContain(addressOf(url).password as string);
  if (process.getuid?.() === 0) {
    const nobody = spawnSync('redis-cli', ['-s', socket, 'ping'], { uid: 65534, gid: 65534 });
    expect(String(nobody.stderr) + String(nobody.stdout)).toMatch(/Permission denied|No such file/);
  }
});

it('keeps what it acknowledged over SIGKILL and SIGTERM, also what scripts and transactions wrote', async () => {
  const redis = await launch();
  const ids: string[] = [];
  for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
    const queue = await openQueue(redis.url);
    for (const id of ids) expect((await queue.get(id)).state).toBe('queued');
    for (let i = 0; i < 3; i++) ids.push((await queue.submit(jobSpec())).id);
    await withClient(redis.url, (client) => client.multi().set('a', signal).set('b', signal).exec());
    await queue.close();
    await end(children.at(-1) as ChildProcess, signal);
    children.push(await redis.launch());
    expect(await withClient(redis.url, (client) => client.mget('a', 'b'))).toEqual([signal, signal]);
  }
  const queue = await openQueue(redis.url);
  expect((await queue.list()).jobs.map((job) => job.id).toSorted()).toEqual(ids.toSorted());
  await queue.close();
});

it('listens on loopback where the path is too long for a socket', async () => {
  const { url } = await launch(path.join(folder, 'long-'.repeat(25)));
  expect(url).toMatch(/^redis:\/\/hourglass:\w+@127\.0\.0\.1:\d+$/);
  expect(await withClient(url, (client) => client.ping())).toBe('PONG');
});

it('starts from a file whose end was cut off, with a warning and all that is whole', async () => {
  await fill();
  const file = aofFile('incr');
  truncateSync(file, statSync(file).size - 13);
  const lines: string[] = [];
  const { url } = await launch(folder, pino({ level: 'warn' }, { write: (line: string) => lines.push(line) }));
  expect(await withClient(url, (client) => client.dbsize())).toBe(199);
  expect(lines.join('')).toMatch(/short read|[Tt]runcated/);
});

it('refuses a file that is damaged in the middle, and leaves it as it is', async () => {
  await fill();
  const file = aofFile('incr');
  const bytes = readFileSync(file);
  bytes[bytes.indexOf('*3', Math.floor(bytes.length / 2))] = 0x58;
  writeFileSync(file, bytes);
  await expect(launch()).rejects.toThrow(EmbeddedRedisError);
  await expect(launch()).rejects.toThrow(/damaged.*kept.*\n.*redis-check-aof/);
  expect(readFileSync(file).equals(bytes)).toBe(true);
});

it('says so when there is no redis-server, or none that this user may run', async () => {
  const forbidden = path.join(folder, 'redis-server');
  writeFileSync(forbidden, '', { mode: 0o644 });
  for (const program of ['no-such-redis-server', forbidden]) {
    const redis = await embeddedRedis(folder, quiet, { program });
    await expect(redis.launch()).rejects.toThrow(/not installed.*REDIS_URL/);
  }
});
