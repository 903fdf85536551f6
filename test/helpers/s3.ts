// A real S3 server for tests: versitygw, built once as a Go tool into the user's cache. Of the servers that install without a
// container engine it is the one that keeps conditional writes under many writers. Where it cannot be had, tests say so and skip.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { StoreSettings } from '../../src/store/open.ts';
import { freePort } from './ports.ts';

const version = 'v1.8.0';
const cache = process.env.XDG_CACHE_HOME ?? path.join(os.homedir(), '.cache');
const folder = path.join(cache, 'hourglass', `versitygw-${version}`);
const program = process.env.HOURGLASS_TEST_VERSITYGW ?? path.join(folder, 'versitygw');

export const credentials = {
  AWS_ACCESS_KEY_ID: 'testaccess',
  AWS_SECRET_ACCESS_KEY: 'testsecret123',
  AWS_REGION: 'us-east-1',
};

/** The path of the server; undefined where it is not. */
export const s3ServerProgram = (): string | undefined => (existsSync(program) ? program : undefined);

/** The same; undefined, with a loud line, where it could not be built before the tests (`buildS3Server`). */
export function s3Server(): string | undefined {
  if (existsSync(program)) return program;
  console.warn('SKIPPED: everything that needs an S3 server, because versitygw is not here.');
  return undefined;
}

/** Builds the server where it is missing: once, before any test, because it takes a minute or more of all cores. */
export function buildS3Server(): void {
  if (existsSync(program)) return;
  try {
    mkdirSync(folder, { recursive: true });
    console.warn(`building versitygw ${version}, once for this user (some minutes) …`);
    execFileSync('go', ['install', `github.com/versity/versitygw/cmd/versitygw@${version}`], {
      env: { ...process.env, GOBIN: folder },
      stdio: ['ignore', 'ignore', 'inherit'],
      timeout: 6 * 60_000,
    });
  } catch (error) {
    const why = error instanceof Error && 'code' in error && error.code === 'ENOENT' ? 'there is no Go' : String(error);
    console.warn(`versitygw could not be built: ${why}`);
  }
}

export interface TestBucket {
  readonly port: number;
  /** of the server's process */
  readonly pid: number;
  /** `s3://bucket/prefix` */
  readonly url: string;
  readonly endpoint: string;
  /** its environment variables for a process that uses it */
  readonly environment: Readonly<Record<string, string>>;
  /** where the server keeps the bucket */
  readonly folder: string;
  /** for a machine with an empty disk of its own */
  settings(dataDir: string, changes?: Partial<StoreSettings>): StoreSettings;
  /** Makes everything under a prefix of the bucket three hours old; returns how many files are in a folder of it. */
  ageAll(prefix: string): { count(folder: string): number };
  /** Ends the server as a crash does; `start` brings it back with what it had. */
  kill(): Promise<void>;
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts a server with an empty bucket. Sets the credentials of this process. */
export async function startBucket(): Promise<TestBucket> {
  const root = mkdtempSync(path.join(os.tmpdir(), 'hourglass-s3-'));
  mkdirSync(path.join(root, 'test'));
  const port = await freePort();
  const endpoint = `http://127.0.0.1:${port}`;
  Object.assign(process.env, credentials, { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true' });
  let server: ReturnType<typeof spawn> | undefined;
  const start = async (): Promise<void> => {
    const child = spawn(program, ['--port', `127.0.0.1:${port}`, '--quiet', '--keep-alive', 'posix', root], {
      env: { PATH: process.env.PATH, ROOT_ACCESS_KEY: 'testaccess', ROOT_SECRET_KEY: 'testsecret123' },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let output = '';
    child.stderr.on('data', (chunk) => {
      output += chunk;
    });
    server = child;
    for (let tried = 0; ; tried++) {
      if (
        await fetch(endpoint).then(
          () => true,
          () => false,
        )
      )
        return;
      if (child.exitCode !== null || tried === 200) throw new Error(`versitygw does not answer: ${output}`);
      await delay(25);
    }
  };
  const kill = async (): Promise<void> => {
    const child = server;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  };
  await start();
  const url = 's3://test/hourglass';
  return {
    ...{ port, url, endpoint, start, kill },
    get pid() {
      return server?.pid ?? 0;
    },
    folder: path.join(root, 'test', 'hourglass'),
    environment: {
      ...credentials,
      HOURGLASS_STORE: url,
      HOURGLASS_S3_ENDPOINT: endpoint,
      HOURGLASS_S3_PATH_STYLE: 'on',
    },
    settings: (dataDir, changes = {}) => ({
      ...{ dataDir, store: url, s3Endpoint: endpoint, s3PathStyle: true, storeRefreshMs: 200 },
      ...changes,
    }),
    ageAll(prefix) {
      const within = path.join(root, 'test', prefix);
      const filesIn = (folder: string) =>
        readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
      const time = new Date(Date.now() - 3 * 3600_000);
      for (const entry of filesIn(within)) utimesSync(path.join(entry.parentPath, entry.name), time, time);
      return { count: (folder) => filesIn(path.join(within, folder)).length };
    },
    async stop() {
      await kill();
      rmSync(root, { recursive: true, force: true });
    },
  };
}
