/**
 * The log: pino, one JSON object a line, a child logger per request and job. Secrets are taken out of the finished line,
 * so that they are caught wherever they come from: a URL inside an error message as well as a header.
 */

import { pino } from 'pino';
import { LogOutput } from './log-output.ts';
import { redactor } from './secrets.ts';

export type Logger = pino.Logger;
export type LogLevel = pino.LevelWithSilent;

export interface LogOptions {
  readonly level: LogLevel;
  /** `auto`: text where a person reads it, on a terminal, else JSON */
  readonly format: 'auto' | 'json' | 'text';
  /** which process writes: gateway, worker … */
  readonly process: string;
  /** values that must never be written, such as the password of a database */
  readonly secrets?: readonly string[];
  /** keep lines below `warn` back for a moment and write many at once: for processes that log each of many requests */
  readonly buffered?: boolean;
  /** default: standard output */
  readonly destination?: { write(line: string): unknown };
}

const buffering = { fd: 1, bufferBytes: 32 * 1024, flushMs: 100, maxBytes: 4 * 1024 * 1024 } as const;

export function createLog(options: LogOptions): Logger {
  const hideSecrets = redactor(options.secrets ?? []);
  // Asked in any case: with that, Node.js opens a pipe such that a write returns when it is full.
  const { isTTY } = process.stdout;
  const isText = options.format === 'auto' ? isTTY : options.format === 'text';
  const format = isText ? textLine : (line: string) => line;
  // Synchronous unless buffered, so that the last line before an exit is not lost. What is buffered is written at an exit as
  // well, and at once with a line that matters: of a process that is killed, the last lines of at most a tenth of a second are lost.
  const buffer = options.buffered && options.destination === undefined ? new LogOutput(buffering) : undefined;
  const destination = options.destination ?? buffer ?? pino.destination({ dest: 1, sync: true });
  return pino(
    {
      level: options.level,
      base: { process: options.process, pid: process.pid },
      timestamp: isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: pino.stdSerializers.err },
      hooks: {
        streamWrite: (line) => format(hideSecrets(line)),
        ...(buffer && {
          logMethod(args, method, level) {
            method.apply(this, args);
            if (level >= pino.levels.values.warn!) buffer.flushSync();
          },
        }),
      },
    },
    destination,
  );
}

let lastMs = 0;
let lastTime = '';

/** The member `time` of a line, with a comma before. Lines of one millisecond share it. */
function isoTime(): string {
  const now = Date.now();
  if (now !== lastMs) {
    lastMs = now;
    lastTime = `,"time":"${new Date(now).toISOString()}"`;
  }
  return lastTime;
}

/** A line for people: time, level, process, message, then what else there is. */
function textLine(line: string): string {
  const { level, time, process: from, pid, msg, err, ...rest } = JSON.parse(line) as Record<string, unknown>;
  const members = Object.entries(rest).map(([key, value]) => `${key}=${inline(value)}`);
  const head = `${String(time).slice(11, 23)} ${String(level).toUpperCase().padEnd(5)} ${from}`;
  const stack = typeof err === 'object' && err !== null ? `\n${(err as { stack?: string }).stack}` : '';
  return `${[head, msg, ...members].filter((part) => part !== undefined).join(' ')}${stack}\n`;
}

const inline = (value: unknown): string =>
  typeof value === 'string' && !/[\s"=]/.test(value) ? value : JSON.stringify(value);
