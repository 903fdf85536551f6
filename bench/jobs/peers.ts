// The peers of bench:jobs: the same training as a script that a user of Keras or PyTorch would write, run as a process.
import { spawn } from 'node:child_process';
import os from 'node:os';
import path from 'node:path';

export interface Ran {
  /** from the start of the process (Hourglass: from the submission) to the saved model */
  readonly seconds: number;
  /** seconds of each epoch, held-out rows and checkpoint included */
  readonly epochs: readonly number[];
  /** peak resident memory of the process that trains */
  readonly megabytes: number;
  /** processor time of that process, all threads */
  readonly processorSeconds: number;
  /** reconstruction error on the test rows, squared and averaged over values */
  readonly testMse: number;
}

export interface PeerTask {
  /** rows as float32 [rows, 784] */
  readonly train: string;
  readonly test: string;
  readonly heldOut: number;
  readonly epochs: number;
  readonly batch: number;
  readonly hidden: readonly number[];
  readonly code: number;
  readonly threads: number;
  /** where it may write its checkpoints and model */
  readonly folder: string;
}

export const peers = { Keras: 'job_keras.py', PyTorch: 'job_torch.py' } as const;
export type PeerName = keyof typeof peers;

/** Throws what the script printed when it fails. */
export async function runPeer(python: string, name: PeerName, task: PeerTask): Promise<Ran> {
  const script = path.join(import.meta.dirname, '../python', peers[name]);
  const limits = Object.fromEntries(
    ['OMP_NUM_THREADS', 'MKL_NUM_THREADS', 'TF_NUM_INTRAOP_THREADS'].map((key) => [key, String(task.threads)]),
  );
  const pinned = task.threads < os.availableParallelism() ? ['taskset', '-c', `0-${task.threads - 1}`] : [];
  const command = [...pinned, python, script, JSON.stringify(task)];
  const [file = python, ...args] = command;
  const began = performance.now();
  const child = spawn(file, args, { env: { ...process.env, ...limits, TF_CPP_MIN_LOG_LEVEL: '3' } });
  let output = '';
  let errors = '';
  child.stdout.on('data', (chunk) => {
    output += chunk;
  });
  child.stderr.on('data', (chunk) => {
    errors += chunk;
  });
  const code = await new Promise((resolve) => child.once('close', resolve));
  const seconds = (performance.now() - began) / 1000;
  const last = output.trim().split('\n').at(-1) ?? '';
  if (code !== 0) throw new Error(`${name} ended with ${code}: ${errors.slice(-2000)}`);
  return { seconds, ...(JSON.parse(last) as Omit<Ran, 'seconds'>) };
}

/** The sentence that says how to get what is missing; undefined when the peer is there. */
export async function missing(python: string, name: PeerName): Promise<string | undefined> {
  const module = name === 'Keras' ? 'keras' : 'torch';
  const child = spawn(python, ['-c', `import ${module}`], { stdio: 'ignore' });
  const code = await new Promise((resolve) => {
    child.once('error', () => resolve(1));
    child.once('close', resolve);
  });
  if (code === 0) return undefined;
  return `${module} is not in ${python}: python3 -m venv ~/bench && ~/bench/bin/pip install torch keras tensorflow-cpu numpy, then BENCH_PYTHON=~/bench/bin/python npm run bench:jobs`;
}
