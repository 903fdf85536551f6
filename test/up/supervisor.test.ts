// Real child processes under supervision: restarted with a growing pause, stopped in order, by force where they must.
import { type ChildProcess, spawn } from 'node:child_process';
import { pino } from 'pino';
import { expect, it } from 'vitest';
import { type Part, Supervisor } from '../../src/up/supervisor.ts';
import { until } from '../queue/fixtures.ts';

interface Watched {
  readonly supervisor: Supervisor;
  readonly lines: Record<string, unknown>[];
  readonly children: ChildProcess[];
  readonly hopeless: string[];
  part(name: string, code: string, more?: Partial<Part>): Part;
}

function supervise(): Watched {
  const lines: Record<string, unknown>[] = [];
  const children: ChildProcess[] = [];
  const hopeless: string[] = [];
  const log = pino({ level: 'debug' }, { write: (line: string) => lines.push(JSON.parse(line)) });
  return {
    supervisor: new Supervisor({ log, onHopeless: (name) => hopeless.push(name) }),
    lines,
    children,
    hopeless,
    part: (name, code, more = {}) => ({
      name,
      stopMs: 5000,
      launch: async () => {
        const child = spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
        children.push(child);
        await new Promise((resolve) => child.stdout?.once('data', resolve).once('end', resolve));
        return child;
      },
      ...more,
    }),
  };
}

const waits = "console.log('up'); setInterval(() => {}, 1000);";
const gone = (child: ChildProcess | undefined): boolean => child?.exitCode !== null || child?.signalCode !== null;

it('starts a killed part again, after a longer pause each time, and says so', async () => {
  const { supervisor, part, children, lines } = supervise();
  await supervisor.start(part('one', waits));
  for (let kills = 1; kills <= 3; kills++) {
    children.at(-1)?.kill('SIGKILL');
    await until(() => children.length > kills);
  }
  const pauses = lines.filter((line) => line.msg === 'ended unexpectedly, starting it again');
  expect(pauses.map(({ part: name, signal, pauseMs }) => [name, signal, pauseMs])).toEqual([
    ['one', 'SIGKILL', 250],
    ['one', 'SIGKILL', 500],
    ['one', 'SIGKILL', 1000],
  ]);
  await supervisor.stop();
  expect(children.every(gone)).toBe(true);
});

it('stops the foundation after the others, and ends by force what does not stop', async () => {
  const { supervisor, part, children, lines } = supervise();
  const order: string[] = [];
  const deaf = `process.on('SIGTERM', () => {}); ${waits}`;
  await supervisor.start(part('base', waits, { isFoundation: true }));
  await supervisor.start(part('deaf', deaf, { stopMs: 300 }));
  for (const [i, name] of ['base', 'deaf'].entries()) children[i]?.once('exit', () => order.push(name));
  await supervisor.stop();
  expect(order).toEqual(['deaf', 'base']);
  expect(children.map((child) => child.signalCode)).toEqual(['SIGTERM', 'SIGKILL']);
  expect(lines.some((line) => line.part === 'deaf' && /by force/.test(String(line.msg)))).toBe(true);
});

it('does not start again what cannot run here, nor anything while it stops', async () => {
  const { supervisor, part, children, hopeless } = supervise();
  await supervisor.start(part('port taken', "console.log('up'); process.exitCode = 78;", { hopelessCode: 78 }));
  await until(() => hopeless.length > 0);
  expect(hopeless).toEqual(['port taken']);
  await supervisor.start(part('flaky', "console.log('up'); setTimeout(() => process.exit(1), 50)"));
  await until(() => gone(children[1]));
  await supervisor.stop();
  expect(children).toHaveLength(2);
});

it('keeps trying when a start fails later on, and reports it when the first one does', async () => {
  const { supervisor, part, children, lines } = supervise();
  let starts = 0;
  const base = part('weak', waits);
  const launch = async (): Promise<ChildProcess> => {
    starts++;
    if (starts === 2) throw new Error('not now');
    return base.launch();
  };
  await supervisor.start({ ...base, launch });
  children[0]?.kill('SIGKILL');
  await until(() => children.length === 2);
  expect(lines.some((line) => line.reason === 'not now')).toBe(true);
  await expect(supervisor.start({ ...base, launch: () => Promise.reject(new Error('never')) })).rejects.toThrow(
    'never',
  );
  await supervisor.stop();
  expect(children.every(gone)).toBe(true);
});
