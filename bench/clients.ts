/**
 * `npm run conformance:clients`: drives a real gateway with inference clients that we did not write (tritonclient, kserve,
 * grpcio-health-checking), in a Python environment that it makes when there is none. Writes clients.md. CLIENTS_PYTHON names the
 * Python of an environment that has them already. Exits with 1 when a check fails, and says so when there is no python3.
 *
 *   npm run conformance:clients -- [--only triton|kserve] [--dry]
 */

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { scaling } from '../test/helpers/onnx-models.ts';
import { codes, startService, values } from './http/service.ts';

interface Check {
  readonly group: string;
  readonly name: string;
  readonly ok: boolean;
  readonly why?: string;
}

const { values: options } = parseArgs({
  options: { only: { type: 'string', default: '' }, dry: { type: 'boolean', default: false } },
});
const programs = ['clients_triton.py', 'clients_kserve.py'].filter((name) => name.includes(options.only));

const packages = ['tritonclient[http,grpc]', 'kserve', 'grpcio-health-checking'];
/** Not together: each brings the messages of the protocol under the same names, which one process cannot have twice. */
const modules = ['tritonclient.http, tritonclient.grpc, grpc_health.v1', 'kserve'];
/** ignored by git, kept between runs */
const environment = path.resolve('node_modules/.cache/hourglass-clients');

const python = findPython();
if (python === undefined) {
  console.error('SKIPPED: there is no python3 with venv here, so no client of others was tried.');
  process.exit(0);
}
const service = await startService(scaling(values, codes, 1));
const checks: Check[] = [];
try {
  for (const program of programs) await drive(program, python);
} finally {
  await service.stop();
}
if (!options.dry) writeFileSync(path.join(import.meta.dirname, 'clients.md'), markdown());
const failures = checks.filter(({ ok }) => !ok).length;
console.log(`${checks.length - failures} of ${checks.length} checks passed`);
process.exitCode = failures > 0 || checks.length === 0 ? 1 : 0;

/** Runs one program of checks against the service. */
async function drive(program: string, interpreter: string): Promise<void> {
  const file = path.join(import.meta.dirname, 'python', program);
  const child = spawn(interpreter, [file, String(service.httpPort), String(service.grpcPort)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  for await (const line of createInterface({ input: child.stdout })) {
    if (!line.startsWith('{"group"')) continue;
    const check = JSON.parse(line) as Check;
    checks.push(check);
    console.log(`${check.ok ? 'ok  ' : 'FAIL'} ${check.group}: ${check.name}${check.why ? `: ${check.why}` : ''}`);
  }
  const [code] = (await ended) as [number | null];
  if (code !== 0 && code !== 1)
    checks.push({ group: program, name: 'runs to its end', ok: false, why: `exit ${code}` });
}

function findPython(): string | undefined {
  const inside = path.join(environment, 'bin/python');
  const given = process.env.CLIENTS_PYTHON;
  if (given !== undefined) return given;
  if (!existsSync(inside)) {
    mkdirSync(path.dirname(environment), { recursive: true });
    try {
      execFileSync('python3', ['-m', 'venv', environment], { stdio: 'inherit' });
    } catch (error) {
      console.error(String(error));
      return undefined;
    }
  }
  // What fails from here on is not a reason to skip the checks.
  execFileSync(inside, ['-m', 'pip', 'install', '--quiet', ...packages], { stdio: 'inherit' });
  for (const names of modules) execFileSync(inside, ['-c', `import ${names}`]);
  return inside;
}

function markdown(): string {
  const program =
    "import importlib.metadata as m; print(*(p + ' ' + m.version(p) for p in ['tritonclient', 'kserve', 'grpcio-health-checking']), sep=', ')";
  const versions = execFileSync(python as string, ['-c', program], { encoding: 'utf8' }).trim();
  const lines = [
    '# Clients that we did not write',
    '',
    `\`npm run conformance:clients\`: ${versions}, against a gateway as \`hourglass gateway\` starts it. Each check compares numbers or texts.`,
    '',
    '| client | check | |',
    '| --- | --- | --- |',
    ...checks.map(({ group, name, ok, why }) => `| ${group} | ${name} | ${ok ? 'ok' : `FAILED: ${why}`} |`),
  ];
  return `${lines.join('\n')}\n`;
}
