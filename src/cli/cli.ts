/** The command line over the SDK: finds the command, reads its options, and turns what goes wrong into an exit code. */

import { parseArgs } from 'node:util';
import { HourglassClient, ProblemError } from '../sdk/index.ts';
import { type Command, exitCodes, type OptionSpec } from './command.ts';
import { auditCommand } from './commands/audit.ts';
import { benchCommand } from './commands/bench.ts';
import { datasetsCommand } from './commands/datasets.ts';
import { jobsCommand } from './commands/jobs.ts';
import { modelsCommand } from './commands/models.ts';
import { predictionCommands } from './commands/predictions.ts';
import { trainCommand } from './commands/train.ts';
import { completion } from './completion.ts';
import { type Streams, Terminal } from './terminal.ts';
import { UsageError } from './usage-error.ts';

export const commands: readonly Command[] = [
  trainCommand,
  jobsCommand,
  datasetsCommand,
  modelsCommand,
  ...predictionCommands,
  benchCommand,
  auditCommand,
];

const shared: Readonly<Record<string, OptionSpec>> = {
  url: { type: 'string', value: 'URL', help: 'the server; default HOURGLASS_URL, else http://127.0.0.1:8080' },
  json: { type: 'boolean', help: 'JSON on stdout, for scripts' },
  help: { type: 'boolean', short: 'h', help: 'this text' },
};

export interface CliOptions {
  /** the command and what comes after it */
  readonly words: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly streams: Streams;
  readonly signal: AbortSignal;
}

export const isCliCommand = (name: string): boolean =>
  name === 'completion' || commands.some((command) => command.name === name);

/** The exit code. */
export async function runCli({ words, environment, streams, signal }: CliOptions): Promise<number> {
  const [name = '', ...rest] = words;
  const plain = new Terminal(streams, false);
  if (name === 'completion') return printCompletion(rest[0], plain);
  const command = commands.find((one) => one.name === name);
  if (!command) throw new TypeError(`there is no command ${name}`);
  let terminal = plain;
  try {
    const options = { ...command.options, ...shared };
    const { values, positionals } = parse(rest, options);
    if (values.help === true) {
      plain.line(helpOf(command));
      return exitCodes.done;
    }
    terminal = new Terminal(streams, values.json === true);
    const url = String(values.url ?? environment.HOURGLASS_URL ?? 'http://127.0.0.1:8080').replace(/\/+$/, '');
    const apiKey = environment.HOURGLASS_API_KEY || undefined;
    const client = new HourglassClient({ baseUrl: url, ...(apiKey && { apiKey }), retries: 2 });
    return await command.run({ client, url, apiKey, terminal, words: positionals, values, signal });
  } catch (error) {
    return explain(error, command, terminal, signal);
  }
}

type Parsed = {
  readonly values: Record<string, string | boolean | undefined>;
  readonly positionals: readonly string[];
};

function parse(words: readonly string[], options: Readonly<Record<string, OptionSpec>>): Parsed {
  const config = Object.fromEntries(
    Object.entries(options).map(([name, { type, short }]) => [name, { type, ...(short && { short }) }]),
  );
  try {
    const { values, positionals } = parseArgs({
      args: [...words],
      options: config,
      allowPositionals: true,
      strict: true,
    });
    return { values: values as Parsed['values'], positionals };
  } catch (error) {
    throw new UsageError((error as Error).message.split('. To specify')[0] ?? '');
  }
}

function explain(error: unknown, command: Command, terminal: Terminal, signal: AbortSignal): number {
  terminal.endBar();
  if (signal.aborted) return 130;
  if (error instanceof UsageError) {
    terminal.note(`${error.message}\n\n${usageOf(command)}\nMore: hourglass ${command.name} --help`);
    return exitCodes.usage;
  }
  if (error instanceof ProblemError) {
    const { code, message, status, details } = error;
    terminal.json({ error: { code, status, message, ...(details.field !== undefined && { field: details.field }) } });
    const place = details.field === undefined ? '' : ` (${details.field})`;
    terminal.note(`${message}${place}`);
    return code === 'unreachable' ? exitCodes.unreachable : exitCodes.refused;
  }
  if (error instanceof TypeError && error.message.startsWith('baseUrl')) {
    terminal.note(error.message);
    return exitCodes.usage;
  }
  throw error;
}

const usageOf = ({ name, usage }: Command): string =>
  usage.map((line) => `  hourglass ${name} ${line}`.trimEnd()).join('\n');

function helpOf(command: Command): string {
  const rows = Object.entries({ ...command.options, ...shared }).map(([name, { short, value, help }]) => {
    const left = `  ${short ? `-${short}, ` : '    '}--${name}${value ? ` ${value}` : ''}`;
    return `${left.padEnd(28)} ${help}`;
  });
  return [
    `${command.summary}\n`,
    `${usageOf(command)}\n`,
    `${rows.join('\n')}\n`,
    'Examples:',
    ...command.examples.map((example) => `  ${example}`),
    '\nExit codes: 0 done, 1 refused by the server, 2 wrong usage, 3 no answer, 4 the job failed or was cancelled.',
  ].join('\n');
}

function printCompletion(shell: string | undefined, terminal: Terminal): number {
  const script = completion(shell ?? '', [...commands], Object.keys(shared));
  if (script === undefined) {
    terminal.note('Name the shell: hourglass completion bash|zsh|fish\n\n  source <(hourglass completion bash)');
    return exitCodes.usage;
  }
  terminal.line(script);
  return exitCodes.done;
}
