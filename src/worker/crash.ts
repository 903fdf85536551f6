/** Why a training process ended without a word: out of memory, hung, or crashed, told from what it left behind. */

import { readFile } from 'node:fs/promises';
import type { JobFailure } from '../jobspec/job.ts';

export interface Death {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** why the worker itself ended it, if it did */
  readonly killedFor: 'hung' | 'memory' | undefined;
  /** times that the kernel ended a process of this control group for want of memory, before and after */
  readonly oomKills: readonly [before: number, after: number];
  /** last lines of its output */
  readonly lines: readonly string[];
  readonly stepTimeoutMs: number;
}

const kept = 20;
const heapIsFull = /heap out of memory|Allocation failed|bad_alloc|Cannot allocate memory|Array buffer allocation/i;

export function failureOf(death: Death): JobFailure {
  const log = scrub(death.lines).slice(-kept);
  const ending = { log, ...(death.signal !== null && { signal: death.signal }) };
  const [before, after] = death.oomKills;
  const outOfMemory =
    death.killedFor === 'memory' ||
    (death.signal === 'SIGKILL' && death.killedFor === undefined && after > before) ||
    death.lines.some((line) => heapIsFull.test(line));
  if (outOfMemory) {
    const message =
      'The training process ran out of memory. Use a smaller batch or model, or give the worker more memory.';
    return { reason: 'out-of-memory', message, ...ending };
  }
  if (death.killedFor === 'hung') {
    const seconds = Math.round(death.stepTimeoutMs / 1000);
    return { reason: 'stalled', message: `The training made no progress for ${seconds} s and was ended.`, ...ending };
  }
  const how = death.signal === null ? `with exit code ${death.code}` : `by ${death.signal}`;
  return { reason: 'crashed', message: `The training process was ended ${how}.`, ...ending };
}

/** frames of JavaScript and native stacks, the garbage collector's last words, positions in source files */
const noise = /^\s*(at |\d+: |#\d+ |-----|<---|\[\d+:0x|\^+$|$)|^Node\.js v|^(node:|file:|\/)\S+:\d+$/;

/** A client may read these lines: no stack frames, no paths. */
function scrub(lines: readonly string[]): string[] {
  return lines
    .filter((line) => !noise.test(line))
    .map((line) => line.replace(/(?:file:\/\/)?(?:\/[\w.@+-]+){2,}\/?/g, '…').slice(0, 500));
}

const counters = ['/sys/fs/cgroup/memory.events', '/sys/fs/cgroup/memory/memory.oom_control'];

/** 0 where the system does not count them. */
export async function countOomKills(): Promise<number> {
  for (const file of counters) {
    const text = await readFile(file, 'utf8').catch(() => '');
    const count = /^oom_kill (\d+)/m.exec(text)?.[1];
    if (count !== undefined) return Number(count);
  }
  return 0;
}

/** Resident bytes of a process; undefined where the system does not tell. */
export async function residentBytes(pid: number): Promise<number | undefined> {
  const text = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  const kib = /^VmRSS:\s+(\d+) kB/m.exec(text)?.[1];
  return kib === undefined ? undefined : Number(kib) * 1024;
}
