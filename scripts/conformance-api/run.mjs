// Schemathesis against a running Hourglass with a data set and a trained model. Writes bench/api.md.
//   npm run conformance:api [-- --examples 40] [-- --seed 1] [-- --phases coverage,fuzzing]
// Python is needed; without it this says so and ends with 0. Schemathesis is installed into a virtual environment outside of the
// repository. `default` responses are taken out of the contract first: they would excuse every status.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parse, stringify } from 'yaml';

const version = '4.32.5';
const root = path.resolve(import.meta.dirname, '../..');
const here = import.meta.dirname;
const argument = (name, fallback) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? fallback : process.argv[at + 1];
};
const examples = argument('examples', '40');
const seed = argument('seed', '1');
const phases = argument('phases', 'examples,coverage,fuzzing,stateful');

if (spawnSync('python3', ['--version']).status !== 0) {
  console.error(
    'NOT RUN: there is no python3 on this machine, so Schemathesis cannot be run. bench/api.md stays as it is.',
  );
  process.exit(0);
}
const venv = path.join(os.tmpdir(), `hourglass-schemathesis-${version}`);
const program = path.join(venv, 'bin/schemathesis');
if (!existsSync(program)) {
  execFileSync('python3', ['-m', 'venv', venv]);
  execFileSync(path.join(venv, 'bin/pip'), ['install', '-q', `schemathesis==${version}`], { stdio: 'inherit' });
}

const freePort = () =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

const folder = mkdtempSync(path.join(os.tmpdir(), 'hourglass-api-'));
const [http, grpc, metrics] = [await freePort(), await freePort(), await freePort()];
const url = `http://127.0.0.1:${http}`;
// With access control on: the contract says that a key is needed, and that has to be true.
const { newKey } = await import(path.join(root, 'dist/access/api-key.js'));
const key = newKey();
const server = spawn(process.execPath, [path.join(root, 'dist/main.js'), 'up'], {
  env: {
    ...process.env,
    HOURGLASS_DATA_DIR: path.join(folder, 'data'),
    HOURGLASS_HTTP_PORT: String(http),
    HOURGLASS_GRPC_PORT: String(grpc),
    HOURGLASS_METRICS_PORT: String(metrics),
    HOURGLASS_STARTER: 'off',
    HOURGLASS_AUTH: 'keys',
    HOURGLASS_ADMIN_KEY: key,
    HOURGLASS_HEARTBEAT: '1s',
  },
  stdio: ['ignore', 'pipe', 'pipe'],
});
let output = '';
for (const stream of [server.stdout, server.stderr]) stream.on('data', (chunk) => (output += chunk));

const send = async (method, target, body, type = 'application/json') => {
  const answer = await fetch(url + target, {
    method,
    body,
    headers: { authorization: `Bearer ${key}`, ...(body !== undefined && { 'content-type': type }) },
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${target}: ${answer.status} ${text}`);
  return JSON.parse(text);
};

/** A data set of 60 rows of 4 values in two classes, a tiny model of it, and the job that made it. */
async function prepare() {
  for (let i = 0; ; i++) {
    const ready = await fetch(`${url}/readyz`).catch(() => undefined);
    if (ready?.status === 200) break;
    if (i > 600 || server.exitCode !== null) throw new Error(`not ready:\n${output}`);
    await sleep(100);
  }
  const table = Array.from({ length: 60 }, (_, i) =>
    [i % 7, i % 5, i % 3, i % 2].map((value) => value / 7).join(','),
  ).join('\n');
  await send('POST', '/v1/datasets?name=known', table, 'text/csv');
  const job = {
    name: 'known',
    dataset: 'known',
    model: { type: 'dense', code: 2, hidden: [] },
    training: { epochs: 1 },
  };
  const { id } = await send('POST', '/v1/jobs', JSON.stringify(job));
  for (;;) {
    const { state, failure } = await send('GET', `/v1/jobs/${id}`);
    if (state === 'succeeded') break;
    if (state === 'failed') throw new Error(`the job failed: ${JSON.stringify(failure)}`);
    await sleep(100);
  }
  return { job: id, model: 'known', dataset: 'known', values: 4, code: 2 };
}

let failed = true;
try {
  const known = await prepare();
  const contract = parse(readFileSync(path.join(root, 'openapi.yaml'), 'utf8'));
  for (const methods of Object.values(contract.paths)) {
    for (const { responses } of Object.values(methods)) delete responses.default;
  }
  const file = path.join(folder, 'openapi.yaml');
  writeFileSync(file, stringify(contract, { aliasDuplicateObjects: false }));
  const args = ['--config-file', path.join(here, 'schemathesis.toml'), 'run', file, '--url', url, '--seed', seed];
  args.push('--phases', phases);
  args.push(
    '--max-examples',
    examples,
    '--workers',
    '1',
    '--no-color',
    '--continue-on-failure',
    '--request-timeout',
    '20',
    '--header',
    `Authorization: Bearer ${key}`,
  );
  const child = spawn(program, args, {
    cwd: folder,
    env: {
      ...process.env,
      PYTHONPATH: here,
      SCHEMATHESIS_HOOKS: 'hooks',
      HOURGLASS_KNOWN: JSON.stringify(known),
      PYTHONHASHSEED: '0',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let report = '';
  child.stdout.on('data', (chunk) => {
    report += chunk;
    process.stdout.write(chunk);
  });
  const code = await new Promise((resolve) => child.once('exit', resolve));
  const alive = (await fetch(`${url}/readyz`)).status === 200;
  failed = code !== 0 || !alive;
  const tail = report.slice(report.lastIndexOf('= SUMMARY')).replace(/^=.*$/gm, '').trim();
  const head = report.slice(0, Math.max(0, report.indexOf('= FAILURES'))) || report;
  const done = [...head.matchAll(/^ *[✅❌🚫⏭].*$/gmu)]
    .map(([line]) => line.trim())
    .filter((line) => !/Loaded/.test(line));
  writeFileSync(
    path.join(root, 'bench/api.md'),
    `# The REST API against its contract

Written by \`npm run conformance:api\`: Schemathesis ${version} makes requests from openapi.yaml, valid and invalid ones, single and in
sequences, and checks every answer against it. The server has a data set and a trained model, which half of the requests name, so
that calls also succeed. Seed ${seed}, ${examples} examples a call; Node ${process.version}.

${failed ? 'It found failures:' : 'Nothing was found.'} ${alive ? 'The server was ready afterwards.' : 'The server was NOT ready afterwards.'}

\`\`\`
${done.join('\n')}

${tail}
\`\`\`
`.replace(folder, ''),
  );
} finally {
  server.kill('SIGTERM');
  await Promise.race([new Promise((resolve) => server.once('exit', resolve)), sleep(20_000)]);
  rmSync(folder, { recursive: true, force: true });
}
process.exit(failed ? 1 : 0);
