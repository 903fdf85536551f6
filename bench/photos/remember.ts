/** Results that are kept in a file, so that a bench which was stopped need not measure them again. */

import { existsSync, readFileSync, writeFileSync } from 'node:fs';

/** What `work` gave the last time that it was asked for under this name; else what it gives. */
export type Remember = <T>(name: string, work: () => Promise<T>) => Promise<T>;

/** @param file undefined: nothing is kept; @param about what the results depend on besides their names */
export function rememberIn(file: string | undefined, about: string): Remember {
  const known: Record<string, unknown> = file && existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {};
  return async <T>(name: string, work: () => Promise<T>): Promise<T> => {
    const key = `${about} ${name}`;
    if (!(key in known)) {
      known[key] = await work();
      if (file) writeFileSync(file, JSON.stringify(known));
    }
    return known[key] as T;
  };
}
