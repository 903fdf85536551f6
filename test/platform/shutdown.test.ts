// Stopping, seen from outside: real child processes that get real signals, and what they print and exit with.
import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { entry } from '../../src/platform/entry.ts';

const source = (name: string) =>
  entry(new URL('../../src/platform/shutdown.ts', import.meta.url).href, `./${name}`).href;

/** Runs `body` with a Shutdown `s` that listens, `say`, `sleep` and `pause`; sends `signals` once it has said "up". */
async function run(body: string, signals: readonly (NodeJS.Signals | number)[] = []) {
  const program = `
    import { Shutdown, pause } from '${source('shutdown.ts')}';
    import { createLog } from '${source('log.ts')}';
    import { setTimeout as sleep } from 'node:timers/promises';
    const say = (text) => process.stdout.write(text + '\\n');
    const s = new Shutdown(createLog({ level: 'info', format: 'json', process: 'child' }));
    s.listen();
    const alive = setInterval(() => {}, 1000);
    ${body}
    say('up');`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  let started = () => {};
  const up = new Promise<void>((resolve) => (started = resolve));
  child.stdout.on('data', (chunk) => {
    output += chunk;
    if (output.includes('up\n')) started();
  });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  await Promise.race([up, ended]);
  for (const signal of signals) {
    if (typeof signal === 'number') await sleep(signal);
    else child.kill(signal);
  }
  const code = await ended;
  const lines = output.split('\n').filter((line) => line !== '' && line !== 'up');
  return {
    code,
    said: lines.filter((line) => !line.startsWith('{')),
    log: lines.filter((line) => line.startsWith('{')),
  };
}

const steps = `
  s.add({ name: 'drain', limitMs: 60_000, run: async ({ signal, hurry }) => { await pause(DRAIN, hurry); say('drained ' + signal); } });
  s.add({ name: 'finish', limitMs: 60_000, run: async () => { await sleep(20); say('finished'); } });
  s.add({ name: 'close', limitMs: 60_000, run: () => say('closed') });`;

describe('Shutdown', () => {
  it('runs its steps in order on SIGTERM and exits with 0', async () => {
    const { code, said } = await run(steps.replace('DRAIN', '10'), ['SIGTERM']);
    expect(said).toEqual(['drained SIGTERM', 'finished', 'closed']);
    expect(code).toBe(0);
  });

  it('skips waiting on Ctrl-C, however often it arrives', async () => {
    const { code, said } = await run(steps.replace('DRAIN', '600_000'), ['SIGINT', 'SIGINT', 'SIGTERM']);
    expect(said).toEqual([expect.stringMatching(/^drained SIG(INT|TERM)$/), 'finished', 'closed']);
    expect(code).toBe(0);
  });

  it('stops waiting at a second signal that comes later', async () => {
    const { code, said } = await run(steps.replace('DRAIN', '600_000'), ['SIGTERM', 1200, 'SIGTERM']);
    expect(said).toEqual(['drained SIGTERM', 'finished', 'closed']);
    expect(code).toBe(0);
  });

  it('goes on after a step that fails or hangs, and exits with 1', async () => {
    const { code, said, log } = await run(
      `s.add({ name: 'throws', limitMs: 1000, run: () => { throw new Error('broken'); } });
       s.add({ name: 'hangs', limitMs: 30, run: () => new Promise(() => {}) });
       s.add({ name: 'close', limitMs: 1000, run: () => say('closed') });`,
      ['SIGTERM'],
    );
    expect(said).toEqual(['closed']);
    expect(code).toBe(1);
    expect(log.join()).toContain('"step":"throws"');
    expect(log.join()).toContain('"step":"hangs"');
  });

  it.each([
    ['an exception', "setTimeout(() => { throw new Error('boom'); }, 1);"],
    ['a rejection', "void Promise.reject(new Error('boom'));"],
    ['a rejection without an error', "void Promise.reject('boom');"],
    ['a stack overflow', 'setTimeout(function f() { f(); }, 1);'],
  ])('ends the process after %s that nobody caught, with a line in the log', async (_, body) => {
    const { code, said, log } = await run(`${steps.replace('DRAIN', '0')}\n${body}`);
    expect(code).toBe(1);
    expect(said).toEqual([]);
    expect(JSON.parse(log.at(-1) as string)).toMatchObject({
      level: 'fatal',
      err: { message: expect.stringMatching(/boom|call stack/) },
    });
  });
});
