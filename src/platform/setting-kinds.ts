/**
 * How the text of an environment variable becomes a value. A kind knows what it allows, in words, so that a refusal and
 * the help text say the same.
 */

import { availableParallelism } from 'node:os';

export interface Kind<T> {
  /** what is allowed, as it is printed: `on, off`, `1 to 65535` … */
  readonly allowed: string;
  /** undefined when the text is not allowed */
  parse(text: string): T | undefined;
}

/** A value in place of none: settings that may be left out. */
export function optional<T>(kind: Kind<T>): Kind<T | null> {
  return kind;
}

export function choice<const T extends readonly string[]>(...values: T): Kind<T[number]> {
  return { allowed: values.join(', '), parse: (text) => values.find((value) => value === text) };
}

export const onOff: Kind<boolean> = {
  allowed: 'on, off',
  parse: (text) => (text === 'on' ? true : text === 'off' ? false : undefined),
};

export function integer(min: number, max = Number.MAX_SAFE_INTEGER): Kind<number> {
  return {
    allowed: max === Number.MAX_SAFE_INTEGER ? `a whole number from ${min}` : `a whole number from ${min} to ${max}`,
    parse(text) {
      const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
      return value >= min && value <= max ? value : undefined;
    },
  };
}

/** A number of threads or slots; `auto` is a share of the cores that this process may use. */
export function count(max: number, share: number): Kind<number> {
  const number = integer(1, max);
  return {
    allowed: `auto, or ${number.allowed}`,
    parse: (text) =>
      text === 'auto' ? Math.min(max, Math.max(1, Math.floor(availableParallelism() * share))) : number.parse(text),
  };
}

/** A part of a whole: `0.01` is one in a hundred. */
export const share: Kind<number> = {
  allowed: 'a number from 0 to 1',
  parse: (text) => (/^(0|1|0?\.\d{1,12}|1\.0+)$/.test(text) ? Number(text) : undefined),
};

const byteUnits: Readonly<Record<string, number>> = {
  '': 1,
  B: 1,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

/** A size in bytes: `65536`, `64KiB`, `64MiB`, `2GiB`. */
export function bytes(min: number, max = 2 ** 50): Kind<number> {
  return {
    allowed: `bytes with an optional unit (KiB, MiB, GiB, TiB), from ${showBytes(min)} to ${showBytes(max)}`,
    parse(text) {
      const match = /^(\d{1,15}(?:\.\d{1,6})?) ?([KMGT]iB|B)?$/.exec(text);
      const value = match ? Math.floor(Number(match[1]) * (byteUnits[match[2] ?? ''] ?? Number.NaN)) : Number.NaN;
      return value >= min && value <= max ? value : undefined;
    },
  };
}

const timeUnits: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A duration, parsed to milliseconds: `500ms`, `15s`, `2m`, `1h`. The unit must be named. */
export function duration(min: number, max: number): Kind<number> {
  return {
    allowed: `a duration with its unit (ms, s, m, h, d), from ${showDuration(min)} to ${showDuration(max)}`,
    parse(text) {
      const match = /^(\d{1,12}(?:\.\d{1,6})?) ?(ms|s|m|h|d)$/.exec(text);
      const value = match ? Math.round(Number(match[1]) * (timeUnits[match[2] ?? ''] ?? Number.NaN)) : Number.NaN;
      return value >= min && value <= max ? value : undefined;
    },
  };
}

export function pattern(expression: RegExp, allowed: string): Kind<string> {
  return { allowed, parse: (text) => (expression.test(text) ? text : undefined) };
}

/** Several values with commas between them. */
export function listOf<T>({ allowed, parse }: Kind<T>): Kind<readonly T[]> {
  return {
    allowed: `one or more, with commas between them: ${allowed}`,
    parse(text) {
      const values = text.split(',').map((item) => parse(item.trim()));
      return values.every((value) => value !== undefined) ? (values as T[]) : undefined;
    },
  };
}

/** An origin as browsers send it (`https://app.example`), or `*` for all of them. */
export const origin: Kind<string> = {
  allowed: '* or origins such as https://app.example, without a path',
  parse: (text) => (text === '*' || (URL.canParse(text) && new URL(text).origin === text) ? text : undefined),
};

/** A URL of one of the given schemes (with their colon). Kept as text: its reader knows the scheme's details. */
export function url(...schemes: readonly string[]): Kind<string> {
  return {
    allowed: `a URL that starts with ${schemes.map((scheme) => `${scheme}//`).join(' or ')}`,
    parse: (text) => (URL.canParse(text) && schemes.includes(new URL(text).protocol) ? text : undefined),
  };
}

function showIn(units: Readonly<Record<string, number>>, value: number): string {
  let shown = String(value);
  for (const [unit, size] of Object.entries(units)) {
    if (value > 0 && value % size === 0) shown = `${value / size}${unit}`;
  }
  return shown;
}

export const showBytes = (value: number): string => showIn(byteUnits, value);
export const showDuration = (value: number): string => (value === 0 ? '0s' : showIn(timeUnits, value));
