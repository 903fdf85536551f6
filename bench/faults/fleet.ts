// Processes of `hourglass worker` or `hourglass gateway` that can be killed, frozen and replaced. Runs the build.
import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';

const program = path.resolve(import.meta.dirname, '../../dist/main.js');

export class Fleet {
  readonly #role: 'worker' | 'gateway';
  readonly #environment: Readonly<Record<string, string>>;
  readonly #members = new Set<ChildProcess>();
  /** everything that the members wrote */
  output = '';

  constructor(role: 'worker' | 'gateway', environment: Readonly<Record<string, string>>) {
    this.#role = role;
    this.#environment = environment;
  }

  get members(): readonly ChildProcess[] {
    return [...this.#members];
  }

  start(changes: Readonly<Record<string, string>> = {}): ChildProcess {
    const child = spawn(process.execPath, [program, this.#role], {
      env: { PATH: process.env.PATH, ...this.#environment, ...changes },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk) => {
        this.output += chunk;
      });
    }
    this.#members.add(child);
    child.once('exit', () => this.#members.delete(child));
    return child;
  }

  /** Sends the signal and waits until the member is gone. Resolves to its exit code. */
  async end(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
    const gone = new Promise<number | null>((resolve) => child.once('exit', resolve));
    child.kill(signal);
    if (signal === 'SIGKILL') child.kill('SIGCONT');
    return gone;
  }

  async stop(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await Promise.all(this.members.map((member) => this.end(member, signal)));
  }
}

/** Whether there is a process of this number. */
export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** Processes that have `ancestor` among their parents, itself left out. */
export async function descendants(ancestor: number): Promise<number[]> {
  const { readdir, readFile } = await import('node:fs/promises');
  const parents = new Map<number, number>();
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '');
    const parent = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1];
    if (parent !== undefined) parents.set(Number(name), Number(parent));
  }
  const found: number[] = [];
  for (const queue = [ancestor]; queue.length > 0; ) {
    const parent = queue.pop() as number;
    for (const [pid, of] of parents) {
      if (of === parent) {
        found.push(pid);
        queue.push(pid);
      }
    }
  }
  return found;
}

/** Workers that have a training process. */
export async function busyMembers(fleet: Fleet): Promise<ChildProcess[]> {
  const busy: ChildProcess[] = [];
  for (const member of fleet.members) {
    if ((await descendants(member.pid ?? 0)).length > 0) busy.push(member);
  }
  return busy;
}
