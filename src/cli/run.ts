/** A command of the command line as a process: what it writes belongs to its user as any file does, and Ctrl-C ends it. */

import { type CliOptions, runCli } from './cli.ts';

export { isCliCommand } from './cli.ts';

/** `umask`: that of the user's shell. Sets the exit code. */
export async function callServer(
  words: readonly string[],
  { umask, environment }: { readonly umask: number; readonly environment: CliOptions['environment'] },
): Promise<void> {
  process.umask(umask);
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort());
  const { stdin, stdout, stderr } = process;
  // a reader that has had enough, as head has
  stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
  process.exitCode = await runCli({ words, environment, streams: { stdin, stdout, stderr }, signal: stop.signal });
}
