/**
 * The redis-server that `hourglass up` brings along: a child process with its append-only file in the data folder, reached
 * through a unix socket that only this user can open (loopback where the path is too long for one), with a password of
 * this start and a user that can neither change nor stop the server.
 *
 *   up ──stdin: configuration──► redis-server ──► <data>/redis/appendonlydir
 *      ──fd 3: stays open as long as `up` lives; a watcher ends redis-server when it closes
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import type { Logger } from '../platform/log.ts';
import { connectRedis, untilReady } from './redis.ts';

export interface EmbeddedRedis {
  /** for `RedisSettings.url`; the same after each launch */
  readonly url: string;
  /** Starts the server. Throws EmbeddedRedisError when it ends before it answers. */
  launch(): Promise<ChildProcess>;
}

/** For the terminal: what is wrong and the ways on. */
export class EmbeddedRedisError extends Error {
  override readonly name = 'EmbeddedRedisError';
}

/** sun_path holds 108 bytes on Linux, 104 elsewhere */
const maxSocketPath = 100;
const guarded = '(read _ <&3; kill -TERM $$ 2>/dev/null) & exec "$0" - 3<&-';

export interface EmbeddedRedisOptions {
  /** redis-server or one that works alike */
  readonly program?: string;
  /** called when its file had lost its end, as after a power failure, and was loaded without it */
  readonly onTruncated?: () => void;
}

export async function embeddedRedis(
  dataDir: string,
  log: Logger,
  { program = 'redis-server', onTruncated = () => undefined }: EmbeddedRedisOptions = {},
): Promise<EmbeddedRedis> {
  const folder = path.join(dataDir, 'redis');
  mkdirSync(folder, { recursive: true });
  chmodSync(folder, 0o700);
  const password = randomBytes(24).toString('hex');
  const socket = path.join(folder, 'redis.sock');
  const bySocket = Buffer.byteLength(socket) <= maxSocketPath;
  const port = bySocket ? 0 : await freePort();
  const url = bySocket
    ? `unix://${pathToFileURL(socket).pathname}?username=hourglass&password=${password}`
    : `redis://hourglass:${password}@127.0.0.1:${port}`;
  const configuration = [
    `dir ${quoted(folder)}`,
    ...(bySocket ? ['port 0', `unixsocket ${quoted(socket)}`, 'unixsocketperm 700'] : [`port ${port}`]),
    'bind 127.0.0.1',
    // the append-only file is loaded as the default user: without its rights every transaction in it would be dropped
    `user default on >${randomBytes(24).toString('hex')} ~* &* +@all`,
    // no CONFIG, DEBUG, SHUTDOWN, REPLICAOF, MODULE, FLUSHALL …; INFO is what a connection asks first
    `user hourglass on >${password} ~* &* +@all -@dangerous -@admin +info`,
    'appendonly yes',
    'appendfsync everysec',
    'aof-load-truncated yes',
    'save ""',
    'maxmemory-policy noeviction',
    'daemonize no',
    'logfile ""',
    'loglevel notice',
  ].join('\n');

  const launch = async (): Promise<ChildProcess> => {
    if (bySocket) rmSync(socket, { force: true });
    // a process group of its own: Ctrl-C in the terminal is for `up`, which stops the server last
    const child = spawn('sh', ['-c', guarded, program], { stdio: ['pipe', 'pipe', 'pipe', 'pipe'], detached: true });
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(configuration);
    child.once('exit', () => child.stdio[3]?.destroy());
    const truncated = (): void => {
      log.warn("the end of the queue's append-only file was cut off: what it held is lost, all before it was loaded");
      onTruncated();
    };
    const lines = followLog(child, log, truncated);
    if (await answers(child, url, log)) return child;
    if (child.exitCode !== null && cannotExecute.has(child.exitCode)) {
      throw new EmbeddedRedisError(
        `${program} is not installed, or this user may not run it. Install it, or set REDIS_URL to an existing Redis.`,
      );
    }
    throw new EmbeddedRedisError(reasonOf(lines, folder, program));
  };
  return { url, launch };
}

/** What the shell ends with when there is no such program, and when none of those on the PATH may be run (POSIX, 2.8.2). */
const cannotExecute: ReadonlySet<number> = new Set([127, 126]);

const quoted = (text: string): string => `"${text.replace(/[\\"]/g, '\\$&')}"`;

/** The server's own lines: warnings go to our log. Returns the last ones as they come. */
function followLog(child: ChildProcess, log: Logger, truncated: () => void): string[] {
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    if (!stream) continue;
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line);
      if (lines.length > 50) lines.shift();
      if (line.includes('loaded anyway because aof-load-truncated')) truncated();
      // <pid>:<role> <date and time> <level> <text>; # is a warning
      const text = /^\d+:[A-Z] .{24} ([.\-*#]) (.*)$/.exec(line);
      const unimportant =
        /oO0OoO|Redis version=|overcommit|THP|TCP backlog|maxclients|open files|Reading config|Configuration loaded|Server initialized|shutdown|ready to exit/;
      if (text?.[1] === '#' && !unimportant.test(line)) log.warn(`redis-server: ${text[2]}`);
      else log.debug(`redis-server: ${text?.[2] ?? line}`);
    });
  }
  return lines;
}

/** Waits until the server has loaded its data, however long that takes; false when it ends first. */
async function answers(child: ChildProcess, url: string, log: Logger): Promise<boolean> {
  const ended = new Promise<false>((resolve) => {
    child.once('exit', () => setTimeout(() => resolve(false), 50)); // its last lines are still on the way
    child.once('error', () => resolve(false));
  });
  const silent = log.child({}, { level: 'silent' });
  const client = connectRedis({ url, prefix: '', timeoutMs: 900 }, 'commands', silent);
  const ready = async (): Promise<true> => {
    for (;;) {
      if (
        await untilReady(client, 5000).then(
          () => true,
          () => false,
        )
      )
        return true;
      log.info('redis-server is loading its data');
    }
  };
  try {
    return await Promise.race([ready(), ended]);
  } finally {
    client.disconnect();
  }
}

function reasonOf(lines: readonly string[], folder: string, program: string): string {
  const text = lines.join('\n');
  if (
    /Bad file format|Unrecoverable error reading the append only file|Unexpected end of file|AOF loading/i.test(text)
  ) {
    return [
      `The queue's append-only file in ${folder} is damaged, so it was not loaded; it is kept as it is. Ways on:`,
      '  repair a copy:   redis-check-aof --fix (it cuts the file at the damage: later jobs are lost)',
      `  begin anew:      mv ${folder} ${folder}.damaged (models and data sets are not in it)`,
      'redis-server said:',
      ...lines.slice(-5),
    ].join('\n');
  }
  return [`${program} does not start. Its last words:`, ...lines.slice(-8)].join('\n');
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));

  return typeof address === 'object' && address ? address.port : 0;
}
