/**
 * A real Kubernetes API on loopback: etcd, kube-apiserver and kube-controller-manager. No node: a stand-in for scheduler and
 * kubelet binds every pending pod to one node object and reports it ready, which is all that `helm --wait` looks at.
 */

import { type ChildProcess, execFile, execFileSync, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createWriteStream, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../test/helpers/ports.ts';
import { buildTool, findTool } from './tools.ts';

export interface Cluster {
  readonly kubeconfig: string;
  readonly version: string;
  readonly readySeconds: number;
  kubectl(args: readonly string[], input?: string): { readonly status: number | null; readonly output: string };
  /** The same without blocking this process. Rejects when it fails. */
  kubectlLater(args: readonly string[], input?: string): Promise<string>;
  /** Pods of this namespace are somebody else's: the stand-in for nodes leaves them alone. */
  reserve(namespace: string): void;
  stop(): Promise<void>;
}

const kubeletIntervalMs = 400;

export async function startCluster(): Promise<Cluster> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'hourglass-kubernetes-'));
  const at = (name: string): string => path.join(folder, name);
  const children: ChildProcess[] = [];
  const run = (program: string, args: readonly string[]): ChildProcess => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const log = createWriteStream(at(`${path.basename(program)}.log`));
    child.stdout?.pipe(log, { end: false });
    child.stderr?.pipe(log, { end: false });
    children.push(child);
    return child;
  };
  const stopAll = async (): Promise<void> => {
    for (const child of children.reverse()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await gone;
    }
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const [client, peer, port, controllers] = [await freePort(), await freePort(), await freePort(), await freePort()];
    execFileSync('openssl', ['genrsa', '-out', at('sa.key'), '2048'], { stdio: 'ignore' });
    execFileSync('openssl', ['rsa', '-in', at('sa.key'), '-pubout', '-out', at('sa.pub')], { stdio: 'ignore' });
    const token = randomBytes(16).toString('hex');
    writeFileSync(at('tokens.csv'), `${token},admin,admin,system:masters\n`, { mode: 0o600 });
    const etcdUrl = `http://127.0.0.1:${client}`;
    const peerUrl = `http://127.0.0.1:${peer}`;
    run(buildTool('etcd'), [
      ...['--name', 'e', '--data-dir', at('etcd'), '--unsafe-no-fsync', '--initial-cluster', `e=${peerUrl}`],
      ...['--listen-client-urls', etcdUrl, '--advertise-client-urls', etcdUrl],
      ...['--listen-peer-urls', peerUrl, '--initial-advertise-peer-urls', peerUrl],
    ]);
    const started = Date.now();
    const server = run(buildTool('kube-apiserver'), [
      ...['--etcd-servers', etcdUrl, '--bind-address', '127.0.0.1', '--secure-port', String(port)],
      ...['--endpoint-reconciler-type', 'none', '--cert-dir', at('certs'), '--authorization-mode', 'RBAC'],
      ...['--service-account-issuer', 'https://kubernetes.default.svc', '--service-account-key-file', at('sa.pub')],
      ...['--service-account-signing-key-file', at('sa.key'), '--service-cluster-ip-range', '10.96.0.0/24'],
      ...['--token-auth-file', at('tokens.csv'), '--disable-admission-plugins', 'ServiceAccount'],
    ]);
    const kubeconfig = at('kubeconfig');
    writeFileSync(kubeconfig, kubeconfigText(port, token), { mode: 0o600 });
    const program = findTool('kubectl');
    if (!program) throw new Error('kubectl is missing');
    const kubectl: Cluster['kubectl'] = (args, input) => {
      const env = { ...process.env, KUBECONFIG: kubeconfig };
      const result = spawnSync(program, args, {
        encoding: 'utf8',
        env,
        maxBuffer: 2 ** 26,
        ...(input !== undefined && { input }),
      });
      return { status: result.status, output: `${result.stdout}${result.stderr}` };
    };
    while (kubectl(['get', '--raw', '/readyz']).status !== 0) {
      if (server.exitCode !== null || Date.now() - started > 120_000) {
        throw new Error(
          `kube-apiserver did not become ready:\n${readFileSync(at('kube-apiserver.log'), 'utf8').slice(-3000)}`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    const readySeconds = (Date.now() - started) / 1000;
    mkdirSync(at('controllers'));
    run(buildTool('kube-controller-manager'), [
      ...['--kubeconfig', kubeconfig, '--bind-address', '127.0.0.1', '--secure-port', String(controllers)],
      ...['--cert-dir', at('controllers'), '--service-account-private-key-file', at('sa.key'), '--leader-elect=false'],
      '--use-service-account-credentials=false',
      `--controllers=${controllerNames.join(',')}`,
    ]);
    const reserved = new Set<string>();
    const ending = new AbortController();
    const kubectlLater: Cluster['kubectlLater'] = (args, input) =>
      runLater(program, args, { ...process.env, KUBECONFIG: kubeconfig }, input);
    const nodes = standInForNodes(kubectlLater, reserved, ending.signal);
    const version = /"gitVersion": "([^"]+)"/.exec(kubectl(['get', '--raw', '/version']).output)?.[1] ?? 'unknown';
    return {
      kubeconfig,
      version,
      readySeconds,
      kubectl,
      kubectlLater,
      reserve: (namespace) => void reserved.add(namespace),
      async stop() {
        ending.abort();
        await nodes;
        await stopAll();
      },
    };
  } catch (error) {
    await stopAll();
    throw error;
  }
}

function runLater(program: string, args: readonly string[], env: NodeJS.ProcessEnv, input = ''): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(program, args, { env, maxBuffer: 2 ** 26, timeout: 30_000 }, (error, stdout, stderr) => {
      if (error) reject(new Error(`${path.basename(program)} ${args.join(' ')} failed:\n${stdout}${stderr}`));
      else resolve(stdout);
    });
    child.stdin?.end(input);
  });
}

const controllerNames = [
  'deployment-controller',
  'replicaset-controller',
  'statefulset-controller',
  'horizontal-pod-autoscaler-controller',
  'disruption-controller',
  'garbage-collector-controller',
  'namespace-controller',
  'serviceaccount-controller',
  'job-controller',
];

const kubeconfigText = (port: number, token: string): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'c', cluster: { server: `https://127.0.0.1:${port}`, 'insecure-skip-tls-verify': true } }],
    users: [{ name: 'u', user: { token } }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'x',
  });

interface Pod {
  readonly metadata: { readonly namespace: string; readonly name: string; readonly deletionTimestamp?: string };
  readonly spec: { readonly nodeName?: string };
  readonly status: { readonly phase: string };
}

/** Binds pending pods, reports them ready, and lets deleted ones go, until the signal is aborted. Never blocks this process. */
async function standInForNodes(
  kubectl: Cluster['kubectlLater'],
  reserved: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<void> {
  const asked = (args: readonly string[], input?: string): Promise<string> => kubectl(args, input).catch(() => '');
  await asked(
    ['create', '-f', '-'],
    JSON.stringify({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'stand-in' } }),
  );
  while (!signal.aborted) {
    const output = await asked(['get', 'pods', '-A', '-o', 'json']);
    const { items } = JSON.parse(output === '' ? '{ "items": [] }' : output) as { items: Pod[] };
    for (const pod of items) if (!reserved.has(pod.metadata.namespace)) await settle(asked, pod);
    await sleep(kubeletIntervalMs);
  }
}

async function settle(kubectl: Cluster['kubectlLater'], { metadata, spec, status }: Pod): Promise<void> {
  const { namespace, name } = metadata;
  if (metadata.deletionTimestamp !== undefined) {
    await kubectl(['delete', 'pod', '-n', namespace, name, '--grace-period=0', '--force', '--wait=false']);
  } else if (status.phase === 'Pending') {
    if (!spec.nodeName) {
      const target = { apiVersion: 'v1', kind: 'Node', name: 'stand-in' };
      const binding = { apiVersion: 'v1', kind: 'Binding', metadata: { name }, target };
      const path = `/api/v1/namespaces/${namespace}/pods/${name}/binding`;
      await kubectl(['create', '--raw', path, '-f', '-'], JSON.stringify(binding));
    }
    const lastTransitionTime = new Date().toISOString().replace(/\.\d+/, '');
    const conditions = ['Ready', 'ContainersReady'].map((type) => ({ type, status: 'True', lastTransitionTime }));
    const patch = JSON.stringify({ status: { phase: 'Running', conditions } });
    await kubectl(['patch', 'pod', '-n', namespace, name, '--subresource=status', '--type=merge', '-p', patch]);
  }
}
