/**
 * A node for the pods of one namespace: each container is run by podman with the image, arguments, environment, user, volumes, limits
 * and probes that the API holds, has an address of its own on a bridge, and is stopped within its grace time. What a kubelet
 * and kube-proxy do and this does not: CPU shares, sizes of emptyDirs, network policies, init containers.
 */

import { execFile } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Manifest } from '../../test/helm/render.ts';
import { podmanEnvironment, podmanFlags } from '../images/engine.ts';
import { type Relay, startRelay } from '../images/relay.ts';
import type { Cluster } from './cluster.ts';

const run = promisify(execFile);
const tickMs = 400;
/** A pod that is being deleted is still sent new connections for so long, as real proxies are late. */
const proxyLagMs = 1000;

export interface Stop {
  readonly pod: string;
  readonly seconds: number;
  readonly graceSeconds: number;
  readonly exitCode: number;
}

interface Running {
  readonly manifest: Manifest;
  readonly container: string;
  readonly address: string;
  readonly nextProbeAt: Record<string, number>;
  hasStarted: boolean;
  isReady: boolean;
  livenessFailures: number;
  deletedAt?: number;
}

export interface NodeSettings {
  readonly cluster: Cluster;
  readonly namespace: string;
  /** a bridge of podman */
  readonly network: string;
  /** names that pods may look up, with their addresses */
  readonly hosts: Readonly<Record<string, string>>;
}

export const podman = async (...args: string[]): Promise<string> =>
  (await run('podman', [...podmanFlags, ...args], { env: podmanEnvironment, maxBuffer: 2 ** 26 })).stdout.trim();

export class PodmanNode {
  readonly #settings: NodeSettings;
  readonly #folder = mkdtempSync(path.join(os.tmpdir(), 'hourglass-node-'));
  readonly #pods = new Map<string, Running>();
  readonly #deleted = new Set<string>();
  readonly #stops: Stop[] = [];
  readonly #stopping: Promise<void>[] = [];
  readonly #loop: Promise<void>;
  #ended = false;
  #failure: unknown;
  #turn = 0;

  constructor(settings: NodeSettings) {
    this.#settings = settings;
    settings.cluster.reserve(settings.namespace);
    this.#loop = this.#work();
  }

  /** how each pod that was stopped ended */
  get stops(): readonly Stop[] {
    return this.#stops;
  }

  /** what went wrong with a pod, if anything did */
  get failure(): unknown {
    return this.#failure;
  }

  /** containers of the pods of a component */
  containers(component: string): string[] {
    return this.#of(component).map(({ container }) => container);
  }

  /** A port of this machine that leads to the pods of a component that are ready, one after the other. */
  forward(component: string, port: number): Promise<Relay> {
    return startRelay('127.0.0.1', 0, () => {
      const isProxied = ({ isReady, deletedAt }: Running): boolean =>
        deletedAt === undefined ? isReady : Date.now() - deletedAt < proxyLagMs;
      const ready = this.#of(component).filter(isProxied);
      const pod = ready[this.#turn++ % Math.max(1, ready.length)];
      return pod && { host: pod.address, port };
    });
  }

  async logs(): Promise<string> {
    const texts = await Promise.all(
      [...this.#pods.values()].map(async ({ container }) => {
        const { stdout, stderr } = await run('podman', [...podmanFlags, 'logs', '--tail', '30', container], {
          env: podmanEnvironment,
        });
        return `--- ${container}\n${stdout}${stderr}`;
      }),
    );
    return texts.join('\n');
  }

  async stop(): Promise<void> {
    this.#ended = true;
    await this.#loop;
    await Promise.allSettled(this.#stopping);
    for (const { container } of this.#pods.values()) await podman('rm', '-f', '-t', '0', container).catch(() => '');
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #of(component: string): Running[] {
    return [...this.#pods.values()].filter(
      ({ manifest }) => manifest.metadata.labels['app.kubernetes.io/component'] === component,
    );
  }

  async #work(): Promise<void> {
    while (!this.#ended) {
      try {
        const { items } = JSON.parse(await this.#kubectl('get', 'pods', '-o', 'json')) as { items: Manifest[] };
        for (const manifest of items) await this.#look(manifest);
      } catch (error) {
        this.#failure ??= error;
      }
      await sleep(tickMs);
    }
  }

  async #look(manifest: Manifest): Promise<void> {
    const { name, deletionTimestamp } = manifest.metadata;
    const pod = this.#pods.get(name);
    if (deletionTimestamp !== undefined) {
      if (this.#deleted.has(name)) return;
      this.#deleted.add(name);
      const removing = this.#remove(manifest, pod).catch((error: unknown) => {
        this.#failure ??= error;
      });
      this.#stopping.push(removing);
    } else if (pod) await this.#probe(pod);
    else this.#pods.set(name, await this.#start(manifest));
  }

  async #start(manifest: Manifest): Promise<Running> {
    const { name } = manifest.metadata;
    const { spec } = manifest;
    const [container] = spec.containers;
    await this.#kubectl(
      'create',
      '--raw',
      `/api/v1/namespaces/${this.#settings.namespace}/pods/${name}/binding`,
      '-f',
      '-',
      {
        apiVersion: 'v1',
        kind: 'Binding',
        metadata: { name },
        target: { apiVersion: 'v1', kind: 'Node', name: 'stand-in' },
      },
    );
    const { runAsUser, runAsGroup } = { ...spec.securityContext, ...container.securityContext };
    const { readOnlyRootFilesystem, allowPrivilegeEscalation, capabilities } = container.securityContext;
    const environment = await this.#environment(manifest, container.env ?? []);
    const full = `hourglass-${name}`;
    await podman(
      ...['run', '-d', '--name', full, '--pull=never', '--network', this.#settings.network, '--pids-limit', '512'],
      ...['--ulimit', 'nofile=4096:4096', '--ulimit', 'nproc=4096:4096', '--log-driver', 'k8s-file'],
      ...['--user', `${runAsUser}:${runAsGroup}`, '-m', bytesOf(container.resources.limits.memory)],
      // Docker's and podman's own health check is not the kubelet's.
      '--no-healthcheck',
      ...(readOnlyRootFilesystem ? ['--read-only', '--read-only-tmpfs=false'] : []),
      ...(allowPrivilegeEscalation === false ? ['--security-opt', 'no-new-privileges'] : []),
      ...(capabilities?.drop ?? []).map((capability: string) => `--cap-drop=${capability.toLowerCase()}`),
      ...(spec.securityContext.fsGroup ? ['--group-add', String(spec.securityContext.fsGroup)] : []),
      ...Object.entries(this.#settings.hosts).flatMap(([host, address]) => ['--add-host', `${host}:${address}`]),
      ...environment.flatMap(([key, value]) => ['-e', `${key}=${value}`]),
      ...this.#volumes(manifest, container).flatMap((mount) => ['-v', mount]),
      ...(container.command ? ['--entrypoint', JSON.stringify(container.command)] : []),
      ...[container.image, ...(container.args ?? [])],
    );
    const addresses = await podman('inspect', '-f', '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}', full);
    const running = {
      ...{ manifest, container: full, address: addresses, nextProbeAt: {}, livenessFailures: 0 },
      ...{ hasStarted: container.startupProbe === undefined, isReady: false },
    };
    await this.#tell(running);
    return running;
  }

  /** As the kubelet resolves it: references to Secrets and fields, then $(NAME) of what stands before. */
  async #environment(manifest: Manifest, variables: readonly Manifest[]): Promise<[string, string][]> {
    const known = new Map<string, string>();
    for (const { name, value = '', valueFrom } of variables) {
      let resolved = value as string;
      if (valueFrom?.secretKeyRef) {
        const { name: secret, key } = valueFrom.secretKeyRef;
        const { data } = JSON.parse(await this.#kubectl('get', 'secret', secret, '-o', 'json')) as Manifest;
        if (data[key] === undefined) throw new Error(`the Secret ${secret} has no ${key}`);
        resolved = Buffer.from(data[key], 'base64').toString();
      } else if (valueFrom?.fieldRef) {
        const steps = (valueFrom.fieldRef.fieldPath as string).split('.');
        resolved = String(steps.reduce((at: Manifest, step) => at?.[step], manifest) ?? 'stand-in');
      }
      known.set(
        name,
        resolved.replace(/\$\(([A-Z0-9_]+)\)/g, (text, of: string) => known.get(of) ?? text),
      );
    }
    return [...known];
  }

  /** Folders as the kubelet makes them: open to everybody in the pod, of the group fsGroup. */
  #volumes({ metadata, spec }: Manifest, container: Manifest): string[] {
    return (container.volumeMounts ?? []).map(({ name, mountPath }: Manifest) => {
      const folder = path.join(this.#folder, metadata.name, name);
      mkdirSync(folder, { recursive: true });
      chmodSync(folder, 0o2777);
      if (spec.securityContext.fsGroup) chownSync(folder, 0, spec.securityContext.fsGroup);
      return `${folder}:${mountPath}`;
    });
  }

  async #probe(pod: Running): Promise<void> {
    const [container] = pod.manifest.spec.containers;
    const due = async (kind: 'startupProbe' | 'livenessProbe' | 'readinessProbe'): Promise<boolean | undefined> => {
      const probe = container[kind];
      if (!probe || Date.now() < (pod.nextProbeAt[kind] ?? 0)) return undefined;
      pod.nextProbeAt[kind] = Date.now() + 1000 * (probe.periodSeconds ?? 10);
      return passes(probe, pod.address, container.ports ?? []);
    };
    if (!pod.hasStarted) {
      pod.hasStarted = (await due('startupProbe')) ?? false;
      if (!pod.hasStarted) return;
    }
    const lives = await due('livenessProbe');
    if (lives !== undefined) pod.livenessFailures = lives ? 0 : pod.livenessFailures + 1;
    if (pod.livenessFailures >= 3) throw new Error(`${pod.container}: the liveness probe failed three times`);
    const ready = await due('readinessProbe');
    if (ready === undefined && container.readinessProbe) return;
    const isReady = ready ?? true;
    if (isReady === pod.isReady) return;
    pod.isReady = isReady;
    await this.#tell(pod);
  }

  async #tell({ manifest, address, isReady }: Running): Promise<void> {
    const lastTransitionTime = new Date().toISOString().replace(/\.\d+/, '');
    const status = isReady ? 'True' : 'False';
    const conditions = ['Ready', 'ContainersReady'].map((type) => ({ type, status, lastTransitionTime }));
    const patch = JSON.stringify({ status: { phase: 'Running', podIP: address, conditions } });
    await this.#kubectl('patch', 'pod', manifest.metadata.name, '--subresource=status', '--type=merge', '-p', patch);
  }

  async #remove(manifest: Manifest, pod: Running | undefined): Promise<void> {
    const { name } = manifest.metadata;
    if (pod) {
      pod.deletedAt = Date.now();
      const graceSeconds = manifest.metadata.deletionGracePeriodSeconds as number;
      await podman('stop', '-t', String(graceSeconds), pod.container);
      const exitCode = Number(await podman('inspect', '-f', '{{.State.ExitCode}}', pod.container));
      this.#stops.push({ pod: name, seconds: (Date.now() - pod.deletedAt) / 1000, graceSeconds, exitCode });
      await podman('rm', '-f', pod.container);
      this.#pods.delete(name);
    }
    await this.#kubectl('delete', 'pod', name, '--grace-period=0', '--force', '--wait=false', '--ignore-not-found');
  }

  async #kubectl(...given: (string | object)[]): Promise<string> {
    const args = given.filter((arg) => typeof arg === 'string');
    const input = given.find((arg) => typeof arg === 'object');
    return this.#settings.cluster.kubectlLater(
      args.includes('--raw') ? args : [...args, '-n', this.#settings.namespace],
      input && JSON.stringify(input),
    );
  }
}

/** "2Gi" as bytes */
function bytesOf(quantity: string | number): string {
  const [, number = '', unit = ''] = /^([\d.]+)([kKMGT]i?)?$/.exec(String(quantity)) ?? [];
  const power = { '': 0, k: 1, K: 1, M: 2, G: 3, T: 4 }[unit.replace('i', '')] ?? 0;
  return String(Math.round(Number(number) * (unit.endsWith('i') ? 1024 : 1000) ** power));
}

async function passes({ httpGet, timeoutSeconds = 1 }: Manifest, host: string, ports: readonly Manifest[]) {
  if (!httpGet) throw new Error('only probes by HTTP are known here');
  const port = ports.find(({ name }) => name === httpGet.port)?.containerPort ?? httpGet.port;
  const signal = AbortSignal.timeout(1000 * timeoutSeconds);
  const answer = await fetch(`http://${host}:${port}${httpGet.path}`, { signal }).catch(() => undefined);
  return answer !== undefined && answer.status >= 200 && answer.status < 400;
}
