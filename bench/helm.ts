/**
 * `npm run check:helm`: the chart on a real Kubernetes API. For every values file of ci/: lint, Pod Security
 * `restricted`, schemas, install, upgrade, rollback, uninstall; then wrong values, each refused with a message that names it; the
 * alerts and metrics by Prometheus' own checks. Writes bench/helm.md. Needs kubectl and Go (which builds what is missing once, some minutes of
 * all cores); says so and ends with 0 where they are missing.
 */

import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { parse, stringify } from 'yaml';
import { type MetricName, type MetricRow, metricTable } from '../src/platform/metric-table.ts';
import { Metrics, renderSnapshots } from '../src/platform/metrics.ts';
import { chart, type Manifest, podTemplates, render, valuesFiles } from '../test/helm/render.ts';
import { wrongValues } from '../test/helm/wrong-values.ts';
import { type Cluster, startCluster } from './helm/cluster.ts';
import { customResourceDefinitions } from './helm/crds.ts';
import { buildTool, findTool } from './helm/tools.ts';
import { missingForWalk, type Walk, walk } from './helm/walk.ts';

const root = path.resolve(import.meta.dirname, '..');

interface Step {
  readonly name: string;
  readonly seconds: number;
}

interface Checked {
  readonly values: string;
  readonly objects: number;
  readonly pods: number;
  readonly steps: readonly Step[];
}

async function main(helm: string): Promise<void> {
  const cluster = await startCluster();
  try {
    const { status, output } = cluster.kubectl(['apply', '--server-side', '-f', '-'], customResourceDefinitions());
    if (status !== 0) throw new Error(`the CustomResourceDefinitions were refused:\n${output}`);
    cluster.kubectl(['wait', '--for=condition=Established', 'crd', '--all', '--timeout=60s']);
    const checked: Checked[] = [];
    for (const values of valuesFiles) {
      checked.push(await checkValues(cluster, helm, values));
      console.log(`${values}: ok`);
    }
    const refused = wrongValues.map(([settings, named]) => {
      const { status: code, error } = render('minimal-values.yaml', ...settings.split(' '));
      if (code === 0 || !error.includes(named)) throw new Error(`${settings} was not refused by name:\n${error}`);
      return settings;
    });
    const units = unitTests();
    const rules = await checkMonitoring();
    const missing = await missingForWalk();
    const walked = missing === undefined ? walkText(await walk(cluster, helm)) : `Not run here: ${missing}.\n`;
    if (missing !== undefined) console.warn(`NOT RUN: the walk of a new operator. ${missing}.`);
    const parts = { checked, refused: refused.length, rules, units, walked };
    writeFileSync(path.join(root, 'bench/helm.md'), report(cluster, helm, parts));
    console.log('bench/helm.md is written.');
  } finally {
    await cluster.stop();
  }
}

async function checkValues(cluster: Cluster, helm: string, values: string): Promise<Checked> {
  const file = path.join(chart, 'ci', values);
  const namespace = values.replace('-values.yaml', '');
  const steps: Step[] = [];
  const step = async (name: string, work: () => unknown): Promise<void> => {
    const started = Date.now();
    await work();
    steps.push({ name, seconds: (Date.now() - started) / 1000 });
  };
  // Not the synchronous call: the stand-in for nodes runs in this process.
  const release = async (...args: string[]): Promise<void> => {
    const all = [...args, '-n', namespace, '--kubeconfig', cluster.kubeconfig];
    await promisify(execFile)(helm, all).catch((error: { stdout?: string; stderr?: string }) => {
      throw new Error(`${values}: helm ${args.join(' ')} failed:\n${error.stdout}${error.stderr}`);
    });
  };
  const must = (args: readonly string[], input?: string): string => {
    const { status, output } = cluster.kubectl(args, input);
    if (status !== 0) throw new Error(`${values}: kubectl ${args.join(' ')} failed:\n${output}`);
    return output;
  };
  const { objects } = render(values);

  await step('lint', () => {
    const { status, stdout } = spawnSync(helm, ['lint', chart, '--strict', '-f', file], { encoding: 'utf8' });
    if (status !== 0) throw new Error(`${values}: helm lint:\n${stdout}`);
  });
  must(['create', 'namespace', namespace]);
  const level = 'pod-security.kubernetes.io/enforce=restricted';
  must(['label', 'namespace', namespace, level, level.replace('enforce', 'warn')]);
  const pods = podTemplates(objects).map(([name, { metadata, spec }]) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { ...metadata, name: name.toLowerCase().replace(' ', '-') },
    // Admission looks for the account and the class; both are checked by the install.
    spec: { ...spec, serviceAccountName: undefined, runtimeClassName: undefined, volumes: volumesOf(spec) },
  }));
  await step('Pod Security', () => {
    // In a Deployment a violation only warns: ask for the pods themselves.
    const list = { apiVersion: 'v1', kind: 'List', items: pods };
    must(['apply', '-n', namespace, '--server-side', '--dry-run=server', '-f', '-'], JSON.stringify(list));
  });
  await step('schemas', () => {
    // Misspelt fields and wrong values, of Kubernetes' own kinds and of the custom resources.
    const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects.map(withNamespace(namespace)) });
    must(['apply', '--server-side', '--dry-run=server', '--validate=strict', '-f', '-'], list);
  });
  if (namespace === 'gpu') {
    must(
      ['create', '-f', '-'],
      JSON.stringify({
        apiVersion: 'node.k8s.io/v1',
        kind: 'RuntimeClass',
        metadata: { name: 'nvidia' },
        handler: 'nvidia',
      }),
    );
  }
  await step('install', () => release('install', 'r', chart, '-f', file, '--wait', '--timeout', '150s'));
  const before = liveSpecs(must, namespace);
  await step('upgrade', () =>
    release(
      'upgrade',
      'r',
      chart,
      '-f',
      file,
      '--set',
      'settings.HOURGLASS_LOG_LEVEL=debug',
      '--wait',
      '--timeout',
      '150s',
    ),
  );
  if (liveSpecs(must, namespace) === before) throw new Error(`${values}: the upgrade changed nothing`);
  await step('rollback', () => release('rollback', 'r', '1', '--wait', '--timeout', '150s'));
  if (liveSpecs(must, namespace) !== before)
    throw new Error(`${values}: the rollback did not bring back what was there`);
  await step('uninstall', () => release('uninstall', 'r', '--wait', '--timeout', '150s'));
  const left = must([
    'get',
    'deployments,services,networkpolicies,pdb,hpa,serviceaccounts',
    '-n',
    namespace,
    '-o',
    'name',
  ]);
  const ours = left.split('\n').filter((name) => name.includes('hourglass'));
  if (ours.length > 0) throw new Error(`${values}: left behind: ${ours.join(', ')}`);
  return { values, objects: objects.length, pods: pods.length, steps };
}

/** The volumes of a pod; those that a StatefulSet claims are folders here. */
function volumesOf({ volumes = [], containers }: Manifest): Manifest[] {
  const named = new Set<string>(volumes.map(({ name }: Manifest) => name));
  const mounted = containers.flatMap(({ volumeMounts = [] }: Manifest) =>
    volumeMounts.map(({ name }: Manifest) => name),
  );
  const claimed = mounted.filter((name: string) => !named.has(name));
  return [...volumes, ...claimed.map((name: string) => ({ name, emptyDir: {} }))];
}

const withNamespace =
  (namespace: string) =>
  (object: Manifest): Manifest => ({ ...object, metadata: { ...object.metadata, namespace } });

/** The pod templates that the API holds. */
function liveSpecs(must: (args: readonly string[]) => string, namespace: string): string {
  const path = 'jsonpath={range .items[*]}{.metadata.name}{.spec.template.spec.containers}{"\\n"}{end}';
  return must(['get', 'deployments', '-n', namespace, '-o', path]);
}

/** The alerts and their cases, and every metric that a process may show, by promtool. */
async function checkMonitoring(): Promise<string> {
  const promtool = buildTool('promtool');
  const run = (args: readonly string[], input = ''): string => {
    const { status, stdout, stderr } = spawnSync(promtool, args, { input, encoding: 'utf8' });
    if (status !== 0) throw new Error(`promtool ${args.join(' ')}:\n${stdout}${stderr}`);
    return stdout.trim();
  };
  const [, rules] = /(\d+) rules found/.exec(run(['check', 'rules', path.join(chart, 'files/alerts.yaml')])) ?? [];
  const cases = testAlerts(run);
  const text = await renderSnapshots([await everyMetric().snapshot()]);
  run(['check', 'metrics'], text);
  const count = [...text.matchAll(/^# TYPE hourglass_/gm)].length;
  return `promtool finds no fault with the ${rules} alerts, ${cases} cases say when each fires and when not (\`promtool test rules\`), and it finds no fault with the ${count} metrics`;
}

/** Runs test/helm/alert-cases.yaml. promtool would compare annotations word for word too: they are left out. */
function testAlerts(run: (args: readonly string[]) => string): number {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'hourglass-alerts-'));
  try {
    const { groups } = parse(readFileSync(path.join(chart, 'files/alerts.yaml'), 'utf8')) as Manifest;
    for (const { rules } of groups) for (const rule of rules) delete rule.annotations;
    const cases = parse(readFileSync(path.join(root, 'test/helm/alert-cases.yaml'), 'utf8')) as Manifest;
    writeFileSync(path.join(folder, 'alerts.yaml'), stringify({ groups }));
    writeFileSync(path.join(folder, 'cases.yaml'), stringify({ ...cases, rule_files: ['alerts.yaml'] }));
    run(['test', 'rules', path.join(folder, 'cases.yaml')]);
    return cases.tests.length;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A process that has recorded each metric of the table. */
function everyMetric(): Metrics {
  const metrics = new Metrics('check');
  type Recorder = (name: string, value: number, labels: object) => void;
  const recorder = metrics as unknown as Record<'count' | 'set' | 'observe', Recorder>;
  const ways = { counter: 'count', gauge: 'set', histogram: 'observe' } as const;
  for (const [name, { kind, labels }] of Object.entries(metricTable) as [MetricName, MetricRow][]) {
    const values = Object.entries(labels).map(([label, of]) => [label, 'atMost' in of ? 'x' : of[0]]);
    recorder[ways[kind]](name, 1, Object.fromEntries(values));
  }
  return metrics;
}

/** The suites of helm/hourglass/tests, by helm-unittest. */
function unitTests(): string {
  const { status, stdout, stderr } = spawnSync(buildTool('helm-unittest'), ['--color=false', chart], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`helm-unittest:\n${stdout}${stderr}`);
  const [, tests] = /^Tests: +(\d+) passed, \1 total$/m.exec(stdout) ?? [];
  const [, suites] = /^Test Suites: +(\d+) passed, \1 total$/m.exec(stdout) ?? [];
  if (tests === undefined || suites === undefined) throw new Error(`helm-unittest did not pass all:\n${stdout}`);
  return `helm-unittest: ${tests} tests in ${suites} suites pass`;
}

function walkText({ installSeconds, trainedSeconds, answer, users, upgrade, rollback, job, stops }: Walk): string {
  const failed = (failures: readonly string[]): string =>
    failures.length === 0
      ? 'none failed'
      : `${failures.length} failed: ${[...new Set(failures)].slice(0, 3).join('; ')}`;
  const rows = stops.map(
    ({ pod, seconds, graceSeconds, exitCode }) => `| ${pod} | ${seconds.toFixed(1)} | ${graceSeconds} | ${exitCode} |`,
  );
  return `| | |
| --- | --- |
| \`helm install --wait\`: two gateways and a worker, every probe passed | ${installSeconds.toFixed(1)} s |
| "Train and answer": one epoch of MNIST, published, encoded, decoded | ${trainedSeconds.toFixed(1)} s |
| answer of \`/decode\` | \`${answer}…\` |
| who the processes are | ${users.join('; ')} |
| \`helm upgrade --wait\` under load | ${upgrade.seconds.toFixed(1)} s, ${upgrade.requests} requests of \`/decode\`, ${failed(upgrade.failures)} |
| \`helm rollback --wait\` under load | ${rollback.seconds.toFixed(1)} s, ${rollback.requests} requests, ${failed(rollback.failures)} |
| a job of 40 epochs, trained meanwhile | ${job} |

How the pods ended that upgrade, rollback and uninstall stopped:

| pod | seconds | grace | exit code |
| --- | ---: | ---: | ---: |
${rows.join('\n')}
`;
}

interface Parts {
  readonly checked: readonly Checked[];
  readonly refused: number;
  readonly rules: string;
  readonly units: string;
  readonly walked: string;
}

function report(cluster: Cluster, helm: string, { checked, refused, rules, units, walked }: Parts): string {
  const commit = execFileSync('git', ['-C', root, 'log', '-1', '--format=%h'], { encoding: 'utf8' }).trim();
  const version = execFileSync(helm, ['version', '--short'], { encoding: 'utf8' }).trim();
  const names = checked[0]?.steps.map(({ name }) => name) ?? [];
  const rows = checked.map(
    ({ values, objects, pods, steps }) =>
      `| ${values} | ${objects} | ${pods} | ${steps.map(({ seconds }) => seconds.toFixed(1)).join(' | ')} |`,
  );
  return `# The chart on a Kubernetes API

Written by \`npm run check:helm\`: commit ${commit}, ${os.availableParallelism()} × ${os.cpus()[0]?.model.trim()}, load ${os.loadavg()[0]?.toFixed(1)} at the end.

Kubernetes ${cluster.version} (kube-apiserver, kube-controller-manager and etcd on loopback, ready after ${cluster.readySeconds.toFixed(1)} s), Helm ${version}. No node runs: a
stand-in reports pods ready. Namespaces enforce Pod Security \`restricted\`. The CustomResourceDefinitions of KEDA, the Prometheus operator and the
Gateway API are installed. An upgrade changes a setting and must change the pods; the rollback must bring the same pods back; after the
uninstall nothing of the chart is left. Seconds for each step:

| values | objects | pods | ${names.join(' | ')} |
| --- | ---: | ---: | ${names.map(() => '---:').join(' | ')} |
${rows.join('\n')}

${refused} wrong values are refused with a message that names the field. ${units}. ${rules}.

Schemas are checked by the API server itself (\`--dry-run=server --validate=strict\`), with the CustomResourceDefinitions above; kubeconform is
not used, since it would know less.

## The walk of a new operator

docs/operations.md block by block as it stands there, on this API, with the images of \`npm run check:images\`: the pods' containers are run by
podman and runc as the API holds them (image, arguments, environment with its Secrets, user, groups, read-only root, capabilities,
memory, folders, probes, grace), each with an address of its own. Redis and the bucket are a redis-server and a versitygw of this
machine. Changed in the text: registry and tag, the passwords, and the S3 server's endpoint and region. There is no kubelet and no kube-proxy: CPU
shares, sizes of volumes and network policies are not enforced, and a relay to the pods that are ready stands for the Service and for
\`kubectl port-forward\`. It sends new connections to a stopping pod for another second.

${walked}`;
}

const missing = (['go', 'kubectl'] as const).filter((name) => findTool(name) === undefined);
if (missing.length > 0) console.log(`NOT RUN: the chart on a Kubernetes API. Missing here: ${missing.join(', ')}.`);
else await main(buildTool('helm'));
