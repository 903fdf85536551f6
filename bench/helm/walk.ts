/**
 * The walk of a new operator: "Install on Kubernetes" and "Upgrade" of docs/operations.md, block by block as they stand there, from an
 * empty namespace to an answered /decode, an upgrade and a rollback under load, and the end. The API server is real, the pods are run
 * by podman (node.ts); Redis and the bucket are a redis-server and a versitygw of this machine.
 */

import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startRedis } from '../../test/helpers/redis.ts';
import { credentials, s3Server, startBucket } from '../../test/helpers/s3.ts';
import { missingTools } from '../images/engine.ts';
import { startRelay } from '../images/relay.ts';
import { runScript } from '../images/script.ts';
import type { Cluster } from './cluster.ts';
import { PodmanNode, podman, type Stop } from './node.ts';

const root = path.resolve(import.meta.dirname, '../..');
const tag = 'check';
const network = 'hourglass-check';

export interface Walk {
  readonly installSeconds: number;
  readonly trainedSeconds: number;
  readonly answer: string;
  readonly users: readonly string[];
  readonly upgrade: UnderLoad;
  readonly rollback: UnderLoad;
  /** what became of the job that was trained meanwhile */
  readonly job: string;
  readonly stops: readonly Stop[];
}

interface UnderLoad {
  readonly seconds: number;
  readonly requests: number;
  readonly failures: readonly string[];
}

/** Why the walk cannot be done here; undefined when it can. */
export async function missingForWalk(): Promise<string | undefined> {
  const missing = missingTools(['podman', 'runc', 'redis-server', 'curl']);
  if (missing.length > 0) return `${missing.join(', ')} missing here`;
  if (s3Server() === undefined) return 'versitygw is missing here';
  for (const target of ['gateway', 'worker']) {
    const image = `localhost/hourglass-${target}:${tag}`;
    const isThere = await podman('image', 'exists', image).then(
      () => true,
      () => false,
    );
    if (!isThere) return `${image} is missing (npm run check:images builds it)`;
  }
  return undefined;
}

/** Code blocks of a section of docs/operations.md, without their indentation. */
function blocksOf(section: string): string[] {
  const docs = readFileSync(path.join(root, 'docs/operations.md'), 'utf8');
  const [text = ''] = docs.split(`## ${section}\n`).slice(1);
  const [own = ''] = text.split(/^## /m);
  return [...own.matchAll(/^( *)```\w+\n([\s\S]*?)^ *```/gm)].map(([, indent = '', block = '']) =>
    block.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
  );
}

function replaced(text: string, pairs: readonly (readonly [from: string, to: string])[]): string {
  return pairs.reduce((all, [from, to]) => {
    if (!all.includes(from)) throw new Error(`docs/operations.md does not say ${JSON.stringify(from)} any more`);
    return all.replace(from, () => to);
  }, text);
}

export async function walk(cluster: Cluster, helm: string): Promise<Walk> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'hourglass-walk-'));
  const ending: (() => unknown)[] = [() => rmSync(folder, { recursive: true, force: true })];
  try {
    const redis = await startRedis();
    ending.push(() => redis.stop());
    const bucket = await startBucket();
    ending.push(() => bucket.stop());
    mkdirSync(path.join(bucket.folder, '../../my-bucket'));
    await podman('network', 'rm', '-f', network).catch(() => '');
    await podman('network', 'create', '--disable-dns', network);
    ending.push(() => podman('network', 'rm', '-f', network));
    const bridge = await podman('network', 'inspect', '-f', '{{range .Subnets}}{{.Gateway}}{{end}}', network);
    // The bridge comes with the first container on it.
    const holder = `${network}-holder`;
    const forever = ['-e', 'setInterval(() => {}, 1e9)'];
    await podman(
      ...['run', '-d', '--name', holder, '--pull=never', '--network', network, '--entrypoint', 'node'],
      ...[
        '--ulimit',
        'nofile=1024:1024',
        '--ulimit',
        'nproc=1024:1024',
        `localhost/hourglass-gateway:${tag}`,
        ...forever,
      ],
    );
    ending.push(() => podman('rm', '-f', '-t', '0', holder));
    for (const [port, to] of [
      [6379, redis.port],
      [7070, bucket.port],
    ] as const) {
      const relay = await startRelay(bridge, port, () => ({ host: '127.0.0.1', port: to }));
      ending.push(() => relay.close());
    }
    const hosts = { 'redis.data.svc': bridge, 's3.data.svc': bridge };
    const node = new PodmanNode({ cluster, namespace: 'hourglass', network, hosts });
    ending.push(() => node.stop());
    try {
      const done = await steps({ cluster, helm, folder, node, password: redis.password });
      return { ...done, stops: node.stops };
    } catch (error) {
      console.error(await node.logs().catch(() => ''));
      throw node.failure ?? error;
    }
  } finally {
    for (const end of ending.reverse()) await end();
  }
}

interface Place {
  readonly cluster: Cluster;
  readonly helm: string;
  readonly folder: string;
  readonly node: PodmanNode;
  readonly password: string;
}

async function steps({ cluster, helm, folder, node, password }: Place): Promise<Omit<Walk, 'stops'>> {
  symlinkSync(path.join(root, 'helm'), path.join(folder, 'helm'));
  const env = { KUBECONFIG: cluster.kubeconfig, PATH: `${path.dirname(helm)}:${process.env.PATH}` };
  const run = (script: string, more: Record<string, string> = {}): Promise<string> =>
    runScript(script, { cwd: folder, env: { ...env, ...more } });
  const [build = '', secrets = '', values = '', install = '', key = '', train = ''] = blocksOf('Install on Kubernetes');
  if (!build.includes('docker build')) throw new Error('the first step is not the build of the images');
  await run(
    replaced(secrets, [
      ['password=…', `password=${password}`],
      ['accessKeyId=…', `accessKeyId=${credentials.AWS_ACCESS_KEY_ID}`],
      ['secretAccessKey=…', `secretAccessKey=${credentials.AWS_SECRET_ACCESS_KEY}`],
    ]),
  );
  const own = replaced(values, [
    ['registry: registry.example/me, tag: 0.1.0', `registry: localhost, tag: ${tag}`],
    ['store: {', 'store: { endpoint: "http://s3.data.svc:7070", pathStyle: true,'],
    ['region: eu-central-1', 'region: us-east-1'],
  ]);
  writeFileSync(path.join(folder, 'my-values.yaml'), `${own}\nnetworkPolicy: { storePorts: [7070] }\n`);
  const installing = Date.now();
  await run(install);
  const installSeconds = since(installing);

  const http = await node.forward('gateway', 8080);
  try {
    const url = `http://127.0.0.1:${http.port}`;
    const training = Date.now();
    const answer = await run(`${key}\n${replaced(train, [['http://127.0.0.1:8080', url]])}`);
    const trainedSeconds = since(training);
    if (!/^\{"model":"digits","version":1,"outputs":\[\[/.test(answer)) throw new Error(`/decode answered ${answer}`);
    const apiKey = (await run(`${key}\necho $HOURGLASS_API_KEY`)).trim();
    const headers = { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' };
    const users: string[] = [];
    for (const component of ['gateway', 'worker']) {
      const [container = ''] = node.containers(component);
      const told = await podman(
        'exec',
        container,
        'node',
        '-p',
        '"uid " + process.getuid() + ", groups " + process.getgroups()',
      );
      users.push(`${component}: ${told}`);
    }

    const submitted = await fetch(`${url}/v1/jobs`, {
      ...{ method: 'POST', headers },
      body: JSON.stringify({
        ...{ name: 'longer', dataset: 'mnist', model: { type: 'dense', code: 16, hidden: [64] } },
        training: { epochs: 40, maxSamples: 10_000 },
      }),
    });
    const { id } = (await submitted.json()) as { id: string };
    const view = async () =>
      (await (await fetch(`${url}/v1/jobs/${id}`, { headers })).json()) as {
        state: string;
        attempts: number;
        progress?: { epoch?: number };
      };
    await until(async () => ((await view()).progress?.epoch ?? 0) >= 2);

    const [, upgradeLine = ''] =
      /`(helm upgrade [^`]+)`/.exec(readFileSync(path.join(root, 'docs/operations.md'), 'utf8')) ?? [];
    const [, rollbackLine = ''] =
      /`(helm rollback [^`]+)`/.exec(readFileSync(path.join(root, 'docs/operations.md'), 'utf8')) ?? [];
    const codes = /"codes":(\[\[[^\]]*\]\])/.exec(
      await (
        await fetch(`${url}/v1/models/digits/encode`, {
          ...{ method: 'POST', headers },
          body: JSON.stringify({ inputs: [Array.from({ length: 784 }, () => 0.5)] }),
        })
      ).text(),
    )?.[1];
    const question = { url: `${url}/v1/models/digits/decode`, headers, body: `{"codes":${codes}}` };
    // A new release is a change of the pods; here a setting stands for it.
    const upgrade = await underLoad(question, () => run(`${upgradeLine} --set settings.HOURGLASS_LOG_LEVEL=debug`));
    const rollback = await underLoad(question, () => run(rollbackLine));
    await until(async () => ['succeeded', 'failed', 'cancelled'].includes((await view()).state));
    const { state, attempts } = await view();
    if (state !== 'succeeded') throw new Error(`the job that was trained during the upgrade is ${state}`);
    await run('helm uninstall hourglass -n hourglass --wait');
    await until(async () => node.containers('gateway').length + node.containers('worker').length === 0);
    return {
      installSeconds,
      trainedSeconds,
      answer: answer.slice(0, 120),
      users,
      upgrade,
      rollback,
      job: `${state} in ${attempts} attempts`,
    };
  } finally {
    await http.close();
  }
}

/** Asks all the time from four sides, each over a new connection for each request, while something is done. */
async function underLoad(
  { url, headers, body }: { url: string; headers: Record<string, string>; body: string },
  work: () => Promise<unknown>,
): Promise<UnderLoad> {
  const began = Date.now();
  let isDone = false;
  let requests = 0;
  const failures: string[] = [];
  const asker = async (): Promise<void> => {
    while (!isDone) {
      requests++;
      try {
        const answer = await fetch(url, { method: 'POST', headers: { ...headers, connection: 'close' }, body });
        const text = await answer.text();
        if (!answer.ok) failures.push(`${answer.status} ${text.slice(0, 200)}`);
      } catch (error) {
        failures.push(String((error as Error).cause ?? error));
      }
      await sleep(25);
    }
  };
  const askers = [1, 2, 3, 4].map(asker);
  try {
    await work();
    // Until the last of the former pods is gone.
    await sleep(8000);
  } finally {
    isDone = true;
    await Promise.all(askers);
  }
  return { seconds: since(began), requests, failures };
}

const since = (began: number): number => (Date.now() - began) / 1000;

async function until(check: () => Promise<boolean>): Promise<void> {
  const limit = Date.now() + 240_000;
  while (!(await check())) {
    if (Date.now() > limit) throw new Error('not within 240 s');
    await sleep(300);
  }
}
