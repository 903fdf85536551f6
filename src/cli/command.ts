/** What a command is: its words and options as data, from which help, parsing and completion follow, and what it does. */

import type { HourglassClient } from '../sdk/index.ts';
import type { Terminal } from './terminal.ts';
import { UsageError } from './usage-error.ts';

export interface OptionSpec {
  readonly type: 'string' | 'boolean';
  readonly short?: string;
  /** what stands for the value in the help: `FILE` */
  readonly value?: string;
  readonly help: string;
}

export type Values = Readonly<Record<string, string | boolean | undefined>>;

export interface Call {
  readonly client: HourglassClient;
  /** of the server, without a slash at its end */
  readonly url: string;
  readonly apiKey: string | undefined;
  readonly terminal: Terminal;
  /** words that are no options */
  readonly words: readonly string[];
  readonly values: Values;
  /** aborted by Ctrl-C */
  readonly signal: AbortSignal;
}

export interface Command {
  readonly name: string;
  readonly summary: string;
  /** lines after `hourglass NAME` */
  readonly usage: readonly string[];
  /** words that may come first, for completion */
  readonly actions?: readonly string[];
  readonly options: Readonly<Record<string, OptionSpec>>;
  readonly examples: readonly string[];
  /** the exit code */
  run(call: Call): Promise<number>;
}

export const exitCodes = { done: 0, refused: 1, usage: 2, unreachable: 3, jobFailed: 4 } as const;

/** A word that has to be there. */
export function word({ words }: Call, at: number, what: string): string {
  const found = words[at];
  if (found === undefined) throw new UsageError(`${what} is missing.`);
  return found;
}

export function text({ values }: Call, name: string): string | undefined {
  const value = values[name];
  return typeof value === 'string' ? value : undefined;
}

export function count(call: Call, name: string): number | undefined {
  const value = text(call, name);
  if (value === undefined) return undefined;
  const number = Number(value);
  if (!Number.isFinite(number)) throw new UsageError(`--${name} takes a number; "${value}" is none.`);
  return number;
}

export function required(call: Call, name: string): string {
  const value = text(call, name);
  if (value === undefined) throw new UsageError(`--${name} is missing.`);
  return value;
}
