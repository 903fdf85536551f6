// The log of a process that logs each request: written in blocks, and yet nothing that matters is lost.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { entry } from '../../src/platform/entry.ts';

const run = promisify(execFile);
const log = entry(import.meta.url.replace('/test/', '/src/'), './log.ts').href;

/** What a process wrote that logged 1,000 requests and then ended as given. */
async function linesOf(ending: string): Promise<string[]> {
  const program = `
    import { createLog } from ${JSON.stringify(log)};
    const log = createLog({ level: 'info', format: 'json', process: 'gateway', buffered: true });
    for (let i = 0; i < 1000; i++) log.info({ i }, 'answered');
    ${ending}`;
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', program]).catch((error) => error);
  return (stdout as string).split('\n').filter((line) => line !== '');
}

describe('a buffered log', () => {
  it.each([
    ['its program ends', '', 1000],
    ['it exits', 'process.exit(3);', 1000],
    ['an exception is not caught', 'throw new Error("not caught");', 1000],
    ['it is killed after an error', 'log.error("broken"); process.kill(process.pid, "SIGKILL");', 1001],
    ['it is killed after a warning', 'log.warn("odd"); process.kill(process.pid, "SIGKILL");', 1001],
  ])('is complete when %s', async (_how, ending, count) => {
    const lines = await linesOf(ending);
    expect(lines).toHaveLength(count);
    for (const line of lines) expect(JSON.parse(line).process).toBe('gateway');
  });

  it('is written soon while the process goes on', async () => {
    const lines = await linesOf('setTimeout(() => process.kill(process.pid, "SIGKILL"), 2000);');
    expect(lines).toHaveLength(1000);
  });
});
