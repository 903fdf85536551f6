/**
 * From the environment to a `Config`: everything wrong is found at once and refused with what is allowed. The
 * environment is an argument; nothing here reads it by itself.
 */

import path from 'node:path';
import { type Config, type Setting, type SettingGroup, settingGroups, settings } from './settings.ts';

export type { Config, SettingName } from './settings.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** One line for each thing that is wrong. For the terminal; it never reaches a client. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.problems = problems;
  }
}

const prefix = 'HOURGLASS_';

/**
 * Kubernetes puts the address of each Service into every pod: a Service `hourglass-gateway` appears as
 * HOURGLASS_GATEWAY_SERVICE_HOST, …_PORT_8080_TCP and so on. These are not ours and not mistakes.
 */
const linkName = /^HOURGLASS_(?:\w+_)?(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT_\d+_(?:TCP|UDP|SCTP)(?:_\w+)?)$/;
const isServiceLink = (variable: string, value: string): boolean =>
  linkName.test(variable) || (variable.endsWith('_PORT') && /^(tcp|udp|sctp):\/\//.test(value));

/** Of the command line, which talks to a gateway elsewhere: no settings of this process. */
const clientVariables = ['HOURGLASS_URL', 'HOURGLASS_API_KEY'];

const table = Object.entries(settings) as readonly (readonly [keyof Config, Setting<unknown>])[];

/** Throws ConfigError that lists every unknown variable and bad value. An empty variable counts as not set. */
export function loadConfig(env: Environment): Config {
  const problems: string[] = [];
  const config: Record<string, unknown> = {};
  for (const [name, setting] of table) {
    const given = env[setting.variable];
    const text = given === undefined || given === '' ? setting.fallback : given;
    const value = text === null ? null : setting.kind.parse(text);
    if (value === undefined) problems.push(badValue(setting, text ?? ''));
    config[name] = value;
  }
  const known = [...table.map(([, setting]) => setting.variable), ...clientVariables];
  for (const [variable, value = ''] of Object.entries(env)) {
    if (!variable.startsWith(prefix) || known.includes(variable) || isServiceLink(variable, value)) continue;
    const near = nearest(variable, known);
    problems.push(
      `${variable} is not a setting.${near ? ` Did you mean ${near}?` : ''} \`hourglass --help\` lists them all.`,
    );
  }
  if (problems.length > 0) throw new ConfigError(problems);
  const loaded = config as Config;
  return { ...loaded, dataDir: path.resolve(loaded.dataDir) };
}

function badValue(setting: Setting<unknown>, text: string): string {
  const shown = setting.secret ? 'its value (not shown)' : JSON.stringify(text);
  const hint = text.startsWith('tcp://')
    ? ' Kubernetes set it from a Service of the same name: use enableServiceLinks: false.'
    : '';
  return `${setting.variable}: ${shown} is not allowed. Allowed: ${setting.kind.allowed}.${hint}`;
}

/** Settings by name as environment variables, for a child process: `{ httpPort: '0' }` → `{ HOURGLASS_HTTP_PORT: '0' }`. */
export function variablesOf(changes: Partial<Record<keyof Config, string>>): Record<string, string> {
  const env: Record<string, string> = {};
  for (const [name, text] of Object.entries(changes)) env[settings[name as keyof Config].variable] = text;
  return env;
}

/** The table for `hourglass --help`, at most 120 columns. */
export function settingsHelp(): string {
  const section = (group: SettingGroup): string => {
    const rows = table.filter(([, setting]) => setting.group === group);
    const lines = rows.map(([, { variable, fallback, kind, doc }]) => {
      const head = `  ${variable.padEnd(32)}${(fallback ?? '(none)').padEnd(12)} ${doc}`;
      return `${head}\n${' '.repeat(47)}${kind.allowed}`;
    });
    return `${group}\n${lines.join('\n')}`;
  };
  return `Settings (environment variables)\n\n  ${'variable'.padEnd(32)}${'default'.padEnd(12)} meaning, allowed values\n\n${settingGroups.map(section).join('\n\n')}\n`;
}

/** Rows of the same table for documentation pages. */
export function settingRows(): readonly { variable: string; fallback: string | null; allowed: string; doc: string }[] {
  return table.map(([, { variable, fallback, kind, doc }]) => ({ variable, fallback, allowed: kind.allowed, doc }));
}

/** The closest by Levenshtein's distance, of at most 3 and at most half of what is the word's own. */
function nearest(word: string, candidates: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = 1 + Math.min(3, (word.length - prefix.length) / 2);
  for (const candidate of candidates) {
    const distance = editDistance(word, candidate);
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const substituted = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      current.push(Math.min(substituted, previous[j]! + 1, current[j - 1]! + 1));
    }
    previous = current;
  }
  return previous[b.length]!;
}
