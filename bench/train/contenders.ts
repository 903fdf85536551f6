/** Who takes part in the training benchmark on this machine, and the child process that each of them runs in. */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { tensorflowInstalled } from '../../src/engine/tensorflow.ts';
import type { Answer, Command } from './protocol.ts';

export interface Contender {
  readonly name: string;
  readonly ours: boolean;
  /** runs on one thread whatever it is told: takes part in the one-thread table only */
  readonly singleThread: boolean;
  readonly command: (threads: number) => readonly string[];
}

const worker = path.join(import.meta.dirname, 'worker.ts');
const node = (name: string, engine: string, singleThread = false): Contender => ({
  name,
  ours: true,
  singleThread,
  command: (threads) => [process.execPath, '--import', 'tsx', worker, engine, String(threads)],
});

const pythonModules = { PyTorch: 'torch', JAX: 'jax', Keras: 'keras' } as const;

/** The Python of the comparison: a virtual environment of the user's choice. */
const pythonContenders = (python: string): Contender[] =>
  Object.entries(pythonModules).map(([name, module]) => ({
    name,
    ours: false,
    singleThread: false,
    command: (threads) => [
      ...[python, path.join(import.meta.dirname, '../python', `train_${module}.py`), String(threads)],
    ],
  }));

/** Names of what is missing among the Python contenders; all of them where there is no such Python. */
function missingModules(python: string): string[] {
  const program = `import importlib.util as u; print(*(m for m in ${JSON.stringify(Object.values(pythonModules))} if not u.find_spec(m)))`;
  try {
    const found = execFileSync(python, ['-c', program], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    return found.trim().split(' ').filter(Boolean);
  } catch {
    return Object.values(pythonModules);
  }
}

/** The contenders that are there, and a sentence about each one that is not. */
export function findContenders(python: string): { contenders: Contender[]; absent: string[] } {
  const missing = missingModules(python);
  const absent = missing.map(
    (module) =>
      `${module} is not in ${python}: python3 -m venv ~/bench && ~/bench/bin/pip install torch jax keras tensorflow-cpu numpy, then BENCH_PYTHON=~/bench/bin/python npm run bench:train`,
  );
  const contenders = [
    node('Hourglass onnx', 'onnx'),
    node('Hourglass tensorflow (tfjs-node)', 'tensorflow'),
    node('Hourglass eager wasm', 'wasm', true),
    node('Hourglass eager cpu', 'cpu', true),
  ];
  if (!tensorflowInstalled()) {
    contenders.splice(1, 1);
    absent.push('tfjs-node is not installed: npm run setup:tensorflow');
  }
  contenders.push(
    ...pythonContenders(python).filter(
      ({ name }) => !missing.includes(pythonModules[name as keyof typeof pythonModules]),
    ),
  );
  return { contenders, absent };
}

/** Pins a child to as many processors as it may have threads: the one limit that every runtime respects. */
function pinned(command: readonly string[], threads: number): readonly string[] {
  if (process.platform !== 'linux' || threads >= os.availableParallelism()) return command;
  return ['taskset', '-c', `0-${threads - 1}`, ...command];
}

/** A running contender. */
export class Runner {
  readonly contender: Contender;
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  #stderr = '';

  constructor(contender: Contender, threads: number) {
    this.contender = contender;
    const [file, ...args] = pinned(contender.command(threads), threads) as [string, ...string[]];
    const limits = { OMP_NUM_THREADS: threads, MKL_NUM_THREADS: threads, TF_NUM_INTRAOP_THREADS: threads };
    const env = { ...process.env, TF_CPP_MIN_LOG_LEVEL: '2', PYTHONWARNINGS: 'ignore' };
    for (const [name, value] of Object.entries(limits)) Object.assign(env, { [name]: String(value) });
    this.#child = spawn(file, args, { env, stdio: ['pipe', 'pipe', 'pipe'] });
    this.#child.stderr?.on('data', (chunk: Buffer) => {
      this.#stderr = `${this.#stderr}${chunk}`.slice(-2000);
    });
    this.#lines = createInterface({ input: this.#child.stdout! })[Symbol.asyncIterator]();
  }

  /** Throws what the contender answered as an error, or the last lines that it printed when it ended. */
  async ask(command: Command): Promise<Exclude<Answer, { error: string }>> {
    this.#child.stdin?.write(`${JSON.stringify(command)}\n`);
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`${this.contender.name} ended: ${this.#stderr.trim()}`);
    const answer = JSON.parse(value) as Answer;
    if ('error' in answer) throw new Error(`${this.contender.name}: ${answer.error}`);
    return answer;
  }

  async round(steps: number): Promise<{ milliseconds: number; processor: number; loss: number }> {
    const answer = await this.ask({ do: 'round', steps });
    if (!('milliseconds' in answer)) throw new Error(`${this.contender.name} did not answer a round with its time`);
    return answer;
  }

  async close(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.stdin?.end();
    if (this.#child.exitCode === null) await ended;
  }
}
