/** Builds images with buildah and runs containers with podman and runc, locked down as the chart runs them. */

import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import path from 'node:path';

export interface BuildRequest {
  readonly root: string;
  readonly target: string;
  readonly tag: string;
  readonly base: string;
}

export interface ContainerRequest {
  readonly name: string;
  readonly image: string;
  readonly memory: string;
  /** volume or host folder:container folder */
  readonly volume: string;
  readonly environment: Readonly<Record<string, string>>;
}

export interface Engine {
  build(request: BuildRequest): void;
  /** bytes of an image, uncompressed */
  sizeOf(image: string): number;
  start(request: ContainerRequest): void;
  exec(name: string, command: readonly string[]): string;
  /** SIGTERM, SIGKILL after so many seconds. Returns the exit code. */
  stop(name: string, seconds: number): number;
  logs(name: string): string;
  remove(name: string): void;
  removeVolume(name: string): void;
  /** What a command prints in a container of its own. */
  runOnce(image: string, command: readonly string[]): string;
  run(command: string, args: readonly string[]): string;
}

/** Programs that are not on the PATH. */
export function missingTools(programs: readonly string[]): string[] {
  const folders = (process.env.PATH ?? '').split(path.delimiter);
  const isThere = (program: string): boolean =>
    folders.some((folder) => {
      try {
        accessSync(path.join(folder, program), constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
  return programs.filter((program) => !isThere(program));
}

// cgroups of a machine without systemd; crun of Debian 12 refuses hybrid hierarchies.
export const podmanFlags = ['--runtime', 'runc', '--cgroup-manager=cgroupfs'] as const;
export const podmanEnvironment = { ...process.env, STORAGE_DRIVER: process.env.STORAGE_DRIVER ?? 'overlay' };
const caBundle = '/etc/ssl/certs/ca-certificates.crt';

export function openEngine(): Engine {
  const env = podmanEnvironment;
  const run = (command: string, args: readonly string[]): string => {
    const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8', env, maxBuffer: 2 ** 28 });
    if (status === 0) return stdout.trim();
    throw new Error(`${command} ${args.join(' ')} failed:\n${error?.message ?? ''}${stdout}${stderr}`.slice(-6000));
  };
  return {
    run,

    build({ root, target, tag, base }) {
      // A machine whose traffic passes a proxy trusts a certificate that the base image does not know.
      const trust = existsSync(caBundle)
        ? [
            ...['-v', `${caBundle}:${caBundle}:ro`, '--build-arg', `NODE_EXTRA_CA_CERTS=${caBundle}`],
            ...['--build-arg', `PIP_CERT=${caBundle}`],
          ]
        : [];
      const registry = run('npm', ['config', 'get', 'registry']);
      run('buildah', [
        ...['bud', '--isolation', 'chroot', '--pull-never', '--layers', ...trust],
        ...['--build-arg', `NPM_CONFIG_REGISTRY=${registry}`, '--build-arg', `NODE_IMAGE=${base}`],
        ...['--ignorefile', path.join(root, 'docker/Dockerfile.dockerignore')],
        ...['-f', path.join(root, 'docker/Dockerfile'), '--target', target, '-t', tag, root],
      ]);
    },

    sizeOf: (image) => sizeOfImage(run, image),

    start({ name, image, memory, volume, environment }) {
      run('podman', [
        ...podmanFlags,
        ...['run', '-d', '--name', name, '--pull=never', '--network', 'host', '-m', memory, '--pids-limit', '512'],
        ...['--read-only', '--tmpfs', '/tmp:rw,size=64m', '--cap-drop=all', '--security-opt', 'no-new-privileges'],
        // Where CAP_SYS_RESOURCE is missing, runc cannot raise limits: name some that are within the present ones.
        ...['--ulimit', 'nofile=4096:4096', '--ulimit', 'nproc=4096:4096', '--log-driver', 'k8s-file'],
        ...Object.entries(environment).flatMap(([key, value]) => ['-e', `${key}=${value}`]),
        ...['-v', volume, image],
      ]);
    },

    exec: (name, command) => run('podman', [...podmanFlags, 'exec', name, ...command]),

    stop(name, seconds) {
      run('podman', [...podmanFlags, 'stop', '-t', String(seconds), name]);
      return Number(run('podman', [...podmanFlags, 'inspect', '-f', '{{.State.ExitCode}}', name]));
    },

    logs: (name) =>
      spawnSync('podman', [...podmanFlags, 'logs', '--tail', '20', name], { encoding: 'utf8', env }).stdout,

    remove: (name) => void spawnSync('podman', [...podmanFlags, 'rm', '-f', name], { env }),

    removeVolume: (name) => void spawnSync('podman', [...podmanFlags, 'volume', 'rm', '-f', name], { env }),

    runOnce: (image, [program = '', ...args]) =>
      run('podman', [
        ...podmanFlags,
        ...['run', '--rm', '--pull=never', '--network', 'none', '--read-only', '--cap-drop=all'],
        ...['--ulimit', 'nofile=4096:4096', '--ulimit', 'nproc=4096:4096', '--entrypoint', program, image, ...args],
      ]),
  };
}

function sizeOfImage(run: Engine['run'], image: string): number {
  const [{ size }] = JSON.parse(run('buildah', ['images', '--json', image])) as [{ size: string }];
  const [, number, unit] = /^([\d.]+) ?([kMG]?B)$/.exec(size) ?? [];
  const scale = { B: 1, kB: 1e3, MB: 1e6, GB: 1e9 }[unit ?? ''];
  if (scale === undefined) throw new Error(`buildah says a size of "${size}"`);
  return Number(number) * scale;
}
