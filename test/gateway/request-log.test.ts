// Failures leave so many lines a second, and one that counts the rest; successes one in so many.
import { expect, it } from 'vitest';
import { RequestLog, type RequestLogConfig } from '../../src/gateway/request-log.ts';
import { createLog } from '../../src/platform/log.ts';

function open(config: Partial<RequestLogConfig> = {}) {
  const lines: Record<string, unknown>[] = [];
  const destination = { write: (line: string) => lines.push(JSON.parse(line)) };
  const log = createLog({ level: 'info', format: 'json', process: 'gateway', destination });
  const requests = new RequestLog(log, {
    ...{ requestLogLevel: 'info', requestLogSample: 1, requestLogFailures: 5, ...config },
  });
  const end = (code: string, { isFault = false, isProbe = false } = {}): void =>
    requests.ended({ code, isFault, isProbe }, () => ({ code }));
  return { lines, end };
}

it('a flood of failures leaves a few lines of each code, and their number', async () => {
  const { lines, end } = open();
  for (let i = 0; i < 3000; i++) end('overloaded');
  for (let i = 0; i < 7; i++) end('model-crashed', { isFault: true });
  end('not-found');
  expect(lines.filter(({ code }) => code === 'overloaded')).toHaveLength(5);
  expect(lines.filter(({ level }) => level === 'warn')).toHaveLength(5);
  expect(lines.filter(({ code }) => code === 'not-found')).toHaveLength(1);
  await expect
    .poll(() => lines.at(-1), { timeout: 5000 })
    .toMatchObject({
      level: 'warn',
      omitted: { overloaded: 2995, 'model-crashed': 2 },
    });
  // In the next second there is room again, and nothing more to tell.
  end('overloaded');
  expect(lines.at(-1)).toMatchObject({ code: 'overloaded' });
});

it('samples successes, and leaves probes to a log that is asked for more', () => {
  const { lines, end } = open({ requestLogSample: 10 });
  for (let i = 0; i < 100; i++) end('ok');
  end('ok', { isProbe: true });
  expect(lines).toHaveLength(10);
  const off = open({ requestLogLevel: 'off' });
  off.end('ok');
  off.end('overloaded');
  off.end('model-crashed', { isFault: true });
  expect(off.lines).toMatchObject([{ code: 'model-crashed' }]);
});
