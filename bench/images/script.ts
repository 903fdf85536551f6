/** Runs lines of a shell as a document shows them; the first that fails ends it. */

import { execFile } from 'node:child_process';

export interface ScriptOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** What the script prints. Rejects with all that it said when it fails. */
export function runScript(script: string, { cwd, env = {} }: ScriptOptions = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { env: { ...process.env, ...env }, maxBuffer: 2 ** 26, timeout: 300_000, ...(cwd && { cwd }) };
    execFile('bash', ['-euc', script], options, (error, stdout, stderr) => {
      if (error) reject(new Error(`these lines failed:\n${script}\n${stdout}${stderr}`));
      else resolve(stdout);
    });
  });
}
