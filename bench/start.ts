/**
 * `npm run bench:start`: what a new user waits for. A fresh clone of the last commit, `npm start` in it as from a terminal, the
 * printed /encode and /denoise lines until they answer, Ctrl-C until the last process is gone, and a second start. Writes start.md.
 */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePorts } from '../test/helpers/ports.ts';
import { descendants, isAlive } from './faults/fleet.ts';

const root = path.resolve(import.meta.dirname, '..');
const folder = mkdtempSync(path.join(os.tmpdir(), 'hourglass-start-'));
const clone = path.join(folder, 'clone');
const pollMs = 50;

const [http, grpc, metrics] = await freePorts(3);
const environment = {
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(npm_|HOURGLASS_|REDIS_URL$)/.test(name))),
  HOURGLASS_HTTP_PORT: String(http),
  HOURGLASS_GRPC_PORT: String(grpc),
  HOURGLASS_METRICS_PORT: String(metrics),
};

interface Start {
  readonly child: ChildProcess;
  readonly began: number;
  readonly output: () => string;
}

const started: ChildProcess[] = [];

/** In a process group of its own, as a shell does it, so that Ctrl-C reaches all of it. */
function start(): Start {
  const began = performance.now();
  const child = spawn('npm', ['start'], {
    cwd: clone,
    env: environment,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  started.push(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (output += chunk));
  return { child, began, output: () => output };
}

const since = (began: number): number => (performance.now() - began) / 1000;

/** Whether the printed line answers with rows. */
function answers(line: string): boolean {
  try {
    const answer = execFileSync('sh', ['-c', line], {
      cwd: clone,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const { outputs, codes } = JSON.parse(answer) as { outputs?: unknown; codes?: unknown };
    return Array.isArray(outputs ?? codes);
  } catch {
    return false;
  }
}

/** Seconds until an operation's line answers: the one that this start prints, or one that an earlier start has printed. */
async function firstAnswer(
  { child, began, output }: Start,
  operation: 'encode' | 'denoise',
  known?: string,
): Promise<{ seconds: number; line: string }> {
  for (;;) {
    const line =
      known ??
      output()
        .split('\n')
        .find((text) => /^curl \S* ?\S+\/(encode|denoise) .*-d @\S+$/.test(text) && text.includes(`/${operation} `));
    if (line !== undefined && answers(line)) return { seconds: since(began), line };
    if (child.exitCode !== null) throw new Error(`npm start ended with ${child.exitCode}:\n${output()}`);
    await sleep(pollMs);
  }
}

/** Seconds until nothing that was started is left. */
async function interrupt({ child }: Start): Promise<number> {
  const pid = child.pid as number;
  const all = [pid, ...(await descendants(pid))];
  const began = performance.now();
  process.kill(-pid, 'SIGINT');
  while (all.some(isAlive)) await sleep(pollMs);
  return since(began);
}

try {
  execFileSync('git', ['clone', '-q', root, clone]);
  const commit = execFileSync('git', ['-C', clone, 'log', '-1', '--format=%h'], { encoding: 'utf8' }).trim();
  const first = start();
  const { seconds, line } = await firstAnswer(first, 'encode');
  const denoised = await firstAnswer(first, 'denoise');
  const gone = await interrupt(first);
  const second = start();
  const later = await firstAnswer(second, 'encode', line);
  const goneAgain = await interrupt(second);
  const load = os.loadavg()[0]?.toFixed(1);
  const rows = [
    `| empty clone to the first /encode answer | ${seconds.toFixed(1)} s | 120 s |`,
    `| empty clone to the first /denoise answer, of the second model | ${denoised.seconds.toFixed(1)} s | |`,
    `| a later start to its first answer | ${later.seconds.toFixed(1)} s | 5 s |`,
    `| Ctrl-C until the last process is gone, after the first and the later start | ${gone.toFixed(2)} s, ${goneAgain.toFixed(2)} s | |`,
  ];
  console.log(rows.join('\n'));
  const lines = [
    '# From nothing to an answer',
    '',
    `Written by \`npm run bench:start\`: commit ${commit}, ${os.availableParallelism()} × ${os.cpus()[0]?.model}, Node ${process.versions.node}, load ${load} at the end.`,
    'A fresh clone without node_modules, packages from a warm npm cache, `npm start`: set-up, build, first trainings, the printed lines.',
    '',
    '| | | limit |',
    '| --- | ---: | ---: |',
    ...rows,
    '',
  ];
  writeFileSync(path.join(import.meta.dirname, 'start.md'), lines.join('\n'));
} finally {
  for (const { pid, exitCode, signalCode } of started) {
    if (pid !== undefined && exitCode === null && signalCode === null) process.kill(-pid, 'SIGTERM');
  }
  rmSync(folder, { recursive: true, force: true });
}
