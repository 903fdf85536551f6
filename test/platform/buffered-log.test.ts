// The log of a process that logs each request: written in blocks, and yet nothing that matters is lost.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { entry } from '../../src/platform/entry.ts';

const run = promisify(execFile);
const log = entry(import.meta.url.replace('/test/', '/src/'), './log.ts').href;

/** A process that logs and goes on, whose log somebody reads or not. */
const logging = (statements: string) =>
  spawn(
    process.execPath,
    [
      '--input-type=module',
      '-e',
      `import { createLog } from ${JSON.stringify(log)};
       const log = createLog({ level: 'info', format: 'json', process: 'gateway', buffered: true });
       ${statements}`,
    ],
    { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] },
  );

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

  it('does not hold up its process when its reader has ended', async () => {
    const child = logging(`process.once('message', () => {
      log.error('nobody reads this');
      for (let i = 0; i < 1000; i++) log.warn({ i }, 'nor this');
      process.send('on', () => process.exit(7));
    }); process.send('begun');`);
    await once(child, 'message');
    child.stdout?.destroy();
    child.send('go on');
    expect(await once(child, 'message')).toEqual(['on', undefined]);
    expect(await once(child, 'exit')).toEqual([7, null]);
  });

  it('drops lines and says how many when its reader is slow', async () => {
    const child = logging(`
      const text = 'x'.repeat(1000);
      for (let i = 0; i < 20_000; i++) log.info({ text }, 'answered');
      log.error('this waits for its reader only for a moment');
      process.once('message', () => setTimeout(() => process.exit(0), 1000));
      process.send(process.memoryUsage().rss);`);
    const [resident] = (await once(child, 'message')) as [number];
    expect(resident).toBeLessThan(160 * 2 ** 20);
    child.send('go on');
    let text = '';
    for await (const piece of child.stdout ?? []) text += piece;
    const dropped = Number(/(\d+) lines of the log were dropped/.exec(text)?.[1]);
    const lines = text.split('\n').filter((line) => line.includes('"answered"')).length;
    expect(dropped).toBeGreaterThan(10_000);
    // The error came when there was no room.
    expect(lines + dropped).toBe(20_001);
  });
});
