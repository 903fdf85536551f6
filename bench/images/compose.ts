/**
 * Starts docker/compose.yaml with podman-compose, as it stands there: redis, the S3 server, the bucket, gateway and worker, which find each
 * other by their names. Images that cannot be pulled here are replaced by stand-ins of the same programs (`standIns`); Prometheus and
 * Grafana are left out.
 */

import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { freePorts } from '../../test/helpers/ports.ts';
import { s3ServerProgram } from '../../test/helpers/s3.ts';
import { type Engine, missingTools, podmanEnvironment } from './engine.ts';
import { runScript } from './script.ts';

const run = promisify(execFile);
const root = path.resolve(import.meta.dirname, '../..');
const project = 'hourglass-compose-check';
const services = ['redis', 's3', 'make-bucket', 'gateway', 'worker'];

export interface ComposeProof {
  readonly readySeconds: number;
  readonly trainedSeconds: number;
  readonly answer: string;
  readonly stoppedSeconds: number;
}

/** Why it cannot be started here; undefined when it can. */
export function missingForCompose(): string | undefined {
  const missing = missingTools(['podman-compose']);
  if (missing.length > 0) return `${missing.join(', ')} missing (pip install podman-compose)`;
  // podman's own networks of Debian 12 look names up with this plugin; newer ones bring aardvark.
  const resolvers = ['/usr/lib/cni/dnsname', '/usr/libexec/podman/aardvark-dns', '/usr/lib/podman/aardvark-dns'];
  if (!resolvers.some(existsSync)) return 'podman cannot look up names of containers (dnsname or aardvark-dns)';
  return s3ServerProgram() === undefined ? 'versitygw is missing' : undefined;
}

/** Images with the programs of those that compose.yaml names. */
function standIns(engine: Engine, base: string, folder: string): void {
  const build = (image: string, lines: readonly string[], context = folder): void => {
    const file = path.join(folder, 'Dockerfile');
    writeFileSync(file, `${[`FROM ${base}`, ...lines].join('\n')}\n`);
    const how = ['--isolation', 'chroot', '--pull-never', '--layers'];
    engine.run('buildah', ['bud', ...how, '-f', file, '-t', `localhost/${image}`, context]);
  };
  const install = (name: string): string =>
    `RUN apt-get update && apt-get install -y --no-install-recommends ${name} && rm -rf /var/lib/apt/lists/*`;
  build('redis:7-bookworm', [
    install('redis-server'),
    'RUN install -d -o 999 -g 999 /data',
    'WORKDIR /data',
    'VOLUME /data',
    'CMD ["redis-server"]',
  ]);
  build('busybox:1.37', ['CMD ["sh"]']);
  const program = s3ServerProgram() ?? '';
  build(
    'versity/versitygw:v1.8.0',
    [`COPY ${path.basename(program)} /usr/local/bin/versitygw`, 'ENTRYPOINT ["/usr/local/bin/versitygw"]'],
    path.dirname(program),
  );
  for (const name of ['gateway', 'worker']) {
    engine.run('buildah', ['tag', `localhost/hourglass-${name}:check`, `localhost/${project}_${name}:latest`]);
  }
}

/** `steps` are the documented lines for a gateway at an address. */
export async function proveCompose(
  engine: Engine,
  base: string,
  steps: (url: string) => string,
): Promise<ComposeProof> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'hourglass-compose-'));
  try {
    standIns(engine, base, folder);
    // What docker/compose.yaml cannot know of a machine without systemd and without CAP_SYS_RESOURCE.
    const settings = path.join(folder, 'containers.conf');
    writeFileSync(
      settings,
      '[containers]\ndefault_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]\nlog_driver = "k8s-file"\n[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\n',
    );
    const [http = 0, grpc = 0] = await freePorts(2);
    const env = { ...podmanEnvironment, CONTAINERS_CONF: settings, HTTP_PORT: String(http), GRPC_PORT: String(grpc) };
    const compose = (...args: string[]) =>
      run('podman-compose', ['-p', project, '-f', path.join(root, 'docker/compose.yaml'), ...args], {
        ...{ env, maxBuffer: 2 ** 26, timeout: 240_000 },
      });
    const podman = async (...args: string[]): Promise<string> => (await run('podman', args, { env })).stdout;
    const down = () => compose('down', '-v', '-t', '40');
    await down().catch(() => undefined);
    let isUp = false;
    // systemd's timers run health checks elsewhere.
    const checking = (async () => {
      while (!isUp) {
        await podman('healthcheck', 'run', `${project}_redis_1`).catch(() => '');
        await sleep(1000);
      }
    })();
    const started = Date.now();
    try {
      await compose('up', '-d', '--no-build', ...services);
      const url = `http://127.0.0.1:${http}`;
      await until(async () => (await fetch(`${url}/readyz`).catch(() => undefined))?.ok === true);
      const readySeconds = since(started);
      // It has made the first key and printed it once.
      const [key] = /hg_[A-Za-z0-9]{40,}/.exec(await podman('logs', `${project}_gateway_1`)) ?? [];
      if (key === undefined) throw new Error('the gateway has not printed its first key');
      const training = Date.now();
      const answer = await runScript(steps(url), { env: { HOURGLASS_API_KEY: key } });
      const trainedSeconds = since(training);
      if (!/^\{"model":"digits","version":1,"outputs":\[\[/.test(answer)) throw new Error(`/decode answered ${answer}`);
      const stopping = Date.now();
      await compose('stop', '-t', '40');
      return { readySeconds, trainedSeconds, answer: answer.slice(0, 120), stoppedSeconds: since(stopping) };
    } catch (error) {
      for (const name of ['redis', 's3', 'gateway', 'worker']) {
        console.error(`--- ${name}\n${await podman('logs', '--tail', '20', `${project}_${name}_1`).catch(String)}`);
      }
      throw error;
    } finally {
      isUp = true;
      await checking;
      await down().catch(() => undefined);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const since = (started: number): number => (Date.now() - started) / 1000;

async function until(check: () => Promise<boolean>): Promise<void> {
  const limit = Date.now() + 120_000;
  while (!(await check())) {
    if (Date.now() > limit) throw new Error('the gateway is not ready after 120 s');
    await sleep(300);
  }
}
