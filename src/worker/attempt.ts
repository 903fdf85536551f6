/**
 * One attempt at a job as its worker sees it: starts the process that trains, passes on what it says, watches over its
 * memory and its progress, ends it when it must, and tells how it ended.
 */

import { type ChildProcess, fork } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Logger } from '../platform/log.ts';
import type { Outcome } from '../queue/job-consumer.ts';
import type { Lease } from '../queue/lease.ts';
import { countOomKills, failureOf, residentBytes } from './crash.ts';
import type { Assignment, FromChild, ToChild } from './protocol.ts';

export interface AttemptSettings {
  /** compiled entry point of the process that trains */
  readonly program: URL;
  /** its environment; holds no secrets */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** without a message for this long it is hung */
  readonly stepTimeoutMs: number;
  /** between the request to stop and the end by force */
  readonly stopTimeoutMs: number;
  /** resident memory at which it is ended */
  readonly memoryBytes: number | null;
  /** until a job that found the storage full or away is tried again */
  readonly storageRetryMs: number;
}

const watchEveryMs = 500;
const keptLines = 100;

export async function runAttempt(
  lease: Lease,
  assignment: Assignment,
  settings: AttemptSettings,
  log: Logger,
  hear: (message: FromChild) => void = () => {},
): Promise<Outcome> {
  const oomKillsBefore = await countOomKills();
  const child = fork(settings.program, [], {
    env: settings.environment,
    execArgv: [],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const say = (message: ToChild): void => {
    if (child.connected) child.send(message, () => undefined);
  };
  const lines = followOutput(child, log);
  let ending: Ending | undefined;
  let heardAt = performance.now();
  let killedFor: 'hung' | 'memory' | undefined;
  let force: NodeJS.Timeout | undefined;

  child.on('message', (message: FromChild) => {
    heardAt = performance.now();
    hear(message);
    if (isReport(message)) pass(lease, message);
    else ending = message;
  });
  const stop = (): void => {
    say({ type: 'stop' });
    force ??= setTimeout(() => child.kill('SIGKILL'), settings.stopTimeoutMs);
  };
  const abandon = (): void => {
    child.kill('SIGKILL');
  };
  const watch = setInterval(async () => {
    if (performance.now() - heardAt > settings.stepTimeoutMs) killedFor ??= 'hung';
    const resident = settings.memoryBytes === null ? undefined : await residentBytes(child.pid ?? 0);
    if (resident !== undefined && settings.memoryBytes !== null && resident > settings.memoryBytes) {
      killedFor ??= 'memory';
    }
    if (killedFor) child.kill('SIGKILL');
  }, watchEveryMs);

  lease.signal.addEventListener('abort', stop);
  lease.lost.addEventListener('abort', abandon);
  try {
    const ended = untilGone(child);
    say({ type: 'start', assignment });
    if (lease.signal.aborted) stop();
    if (lease.lost.aborted) abandon();
    const { code, signal, error } = await ended;
    if (ending) return outcomeOf(ending, settings);
    if (lease.signal.aborted && killedFor === undefined) return { kind: 'stopped' };
    const oomKills = [oomKillsBefore, await countOomKills()] as const;
    const last = error ? [...lines, error.message] : lines;
    const { stepTimeoutMs } = settings;
    const failure = failureOf({ code, signal, killedFor, oomKills, lines: last, stepTimeoutMs });
    log.warn({ failure }, 'the training process died');
    return { kind: 'crashed', failure };
  } finally {
    clearInterval(watch);
    clearTimeout(force);
    lease.signal.removeEventListener('abort', stop);
    lease.lost.removeEventListener('abort', abandon);
  }
}

const reports = ['progress', 'epoch', 'sample', 'checkpoint', 'requests'] as const;
type Report = Extract<FromChild, { type: (typeof reports)[number] }>;
type Ending = Exclude<FromChild, Report>;

const isReport = (message: FromChild): message is Report => (reports as readonly string[]).includes(message.type);

function pass(lease: Lease, message: Report): void {
  switch (message.type) {
    case 'progress':
      return lease.progress(message.progress);
    case 'epoch':
      return lease.epoch(message.epoch);
    case 'sample':
      return lease.sample(message.rows, message.sample);
    case 'checkpoint':
      return lease.checkpointed(message.mark);
    case 'requests':
      return undefined; // for the metrics, see meter.ts
    default:
      return message satisfies never;
  }
}

function outcomeOf(ending: Ending, { storageRetryMs }: AttemptSettings): Outcome {
  switch (ending.type) {
    case 'done':
      return { kind: 'succeeded', published: ending.published, metrics: ending.published.metrics };
    case 'trained':
      return { kind: 'succeeded', metrics: ending.metrics };
    case 'failed':
      return { kind: 'failed', failure: ending.failure };
    case 'stopped':
    case 'fenced':
      return { kind: 'stopped' };
    case 'held-back':
      return { kind: 'postponed', waitingFor: ending.waitingFor, delayMs: storageRetryMs };
    default:
      return ending satisfies never;
  }
}

function followOutput(child: ChildProcess, log: Logger): string[] {
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    if (!stream) continue;
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line);
      if (lines.length > keptLines) lines.shift();
      log.debug({ line }, 'training process');
    });
  }
  return lines;
}

interface End {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly error?: Error;
}

/** `close` comes after the last line of output. */
function untilGone(child: ChildProcess): Promise<End> {
  return new Promise((resolve) => {
    child.once('close', (code, signal) => resolve({ code, signal }));
    child.once('error', (error) => {
      if (child.pid === undefined) resolve({ code: null, signal: null, error });
    });
  });
}
