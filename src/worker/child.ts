/**
 * The process in which a job trains. Started by attempt.ts, told what to do over IPC, and gone with its worker. An error
 * that it does not know ends it with a stack on stderr: for the worker that is a crash like any other.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { HourglassError } from '../base/errors.ts';
import { FencedError } from '../store/contract.ts';
import type { FromChild, ToChild } from './protocol.ts';
import { runTraining } from './training.ts';

const stop = new AbortController();

const tell = (message: FromChild): void => {
  process.send?.(message);
};

/**
 * When memory runs out the kernel shall end this process, not its worker, who can then say why, and not a server beside it. On
 * Linux only; elsewhere the file is not there.
 */
function offerToOomKiller(): void {
  const file = '/proc/self/oom_score_adj';
  try {
    writeFileSync(file, String(Math.min(1000, Number(readFileSync(file, 'utf8')) + 500)));
  } catch {
    // not allowed here, or not Linux
  }
}

/** The last message has to be on its way before the process ends. */
function end(message: FromChild): void {
  process.send?.(message, () => process.exit(0));
}

offerToOomKiller();
// without its worker nobody would ever hear of what is done here
process.on('disconnect', () => process.exit(1));
// Ctrl-C reaches every process of the terminal; it is the worker that decides what happens then
process.on('SIGINT', () => undefined);
process.on('message', (message: ToChild) => {
  switch (message.type) {
    case 'start':
      runTraining({ assignment: message.assignment, signal: stop.signal, tell }).then(end).catch(endWith);
      break;
    case 'stop':
      stop.abort(new HourglassError('cancelled', 'The training was stopped.'));
      break;
    default:
      message satisfies never;
  }
});

function endWith(thrown: unknown): void {
  if (thrown instanceof FencedError) return end({ type: 'fenced' });
  if (!(thrown instanceof HourglassError)) {
    console.error(thrown);
    process.exit(1);
  }
  if (thrown.code === 'cancelled') return end({ type: 'stopped' });
  if (thrown.code === 'storage-full' || thrown.code === 'storage-unavailable') {
    return end({ type: 'held-back', waitingFor: thrown.code });
  }
  end({ type: 'failed', failure: { reason: thrown.code, message: thrown.message } });
}
