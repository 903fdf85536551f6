// The log: JSON lines, child loggers, and secrets that never come out whatever way they come in.
import { describe, expect, it } from 'vitest';
import { newKey } from '../../src/access/api-key.ts';
import { loadConfig } from '../../src/platform/config.ts';
import { createLog, type LogOptions } from '../../src/platform/log.ts';
import { redactor, secretsOf } from '../../src/platform/secrets.ts';

const canary = 'c4nary/+"p@ss';

function capture(options: Partial<LogOptions> = {}) {
  const lines: string[] = [];
  const log = createLog({
    level: 'debug',
    format: 'json',
    process: 'test',
    destination: { write: (line: string) => lines.push(line) },
    ...options,
  });
  return { log, lines };
}

describe('createLog', () => {
  it('writes one JSON object a line, with what a child logger adds', () => {
    const { log, lines } = capture();
    log.child({ requestId: 'r1' }).info({ rows: 3 }, 'answered');
    log.trace('below the level');
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0] as string)).toMatchObject({
      level: 'info',
      process: 'test',
      requestId: 'r1',
      rows: 3,
      msg: 'answered',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
    });
  });

  it('writes an error with its stack and the cause behind it', () => {
    const { log, lines } = capture();
    log.error({ err: new Error('outer', { cause: new Error('inner') }) }, 'failed');
    const { err } = JSON.parse(lines[0] as string);
    expect(err.stack).toContain('outer');
    expect(JSON.stringify(err)).toContain('inner');
  });

  it('writes a line for people when asked', () => {
    const { log, lines } = capture({ format: 'text' });
    log.warn({ port: 8080, path: 'a b' }, 'listening');
    expect(lines[0]).toMatch(/^\d\d:\d\d:\d\d\.\d{3} WARN {2}test listening port=8080 path="a b"\n$/);
  });

  it.each([
    [true, 'text'],
    [false, 'json'],
  ] as const)('chooses by itself: standard output is a terminal: %s → %s', (isTTY, format) => {
    const before = Object.getOwnPropertyDescriptor(process.stdout, 'isTTY');
    Object.defineProperty(process.stdout, 'isTTY', { value: isTTY, configurable: true });
    try {
      const { log, lines } = capture({ format: 'auto' });
      log.info({ port: 8080 }, 'listening');
      expect(lines[0]?.startsWith('{') ? 'json' : 'text').toBe(format);
    } finally {
      Object.defineProperty(process.stdout, 'isTTY', before ?? { value: undefined, configurable: true });
    }
  });
});

describe('secrets', () => {
  const config = loadConfig({ REDIS_URL: `redis://user:${encodeURIComponent(canary)}@redis:6379` });

  it.each([
    ['in a message', (log: ReturnType<typeof capture>['log']) => log.info(`password is ${canary}`)],
    ['in a URL', (log) => log.info({ url: config.redisUrl }, 'x')],
    ['in an error message', (log) => log.error({ err: new Error(`cannot reach ${config.redisUrl}`) })],
    ['in the cause of an error', (log) => log.error({ err: new Error('x', { cause: new Error(canary) }) })],
    ['in a nested member', (log) => log.info({ a: { b: [{ c: canary }] } })],
    ['as a binding of a child logger', (log) => log.child({ key: canary }).info('x')],
  ] as [string, (log: ReturnType<typeof capture>['log']) => void][])('stay out of the log %s', (_, write) => {
    for (const format of ['json', 'text'] as const) {
      const { log, lines } = capture({ format, secrets: secretsOf(config) });
      write(log);
      const text = lines.join('');
      expect(text).toContain('[redacted]');
      for (const spelling of [canary, encodeURIComponent(canary), JSON.stringify(canary).slice(1, -1)]) {
        expect(text).not.toContain(spelling);
      }
    }
  });

  it('are recognised in URLs and by the names of members without being known', () => {
    const { log, lines } = capture();
    log.info({ headers: { authorization: 'Bearer abc"def', 'X-Api-Key': 'k123', Cookie: 'sid=9' } }, 'request');
    log.info('connect ECONNREFUSED rediss://:hunter2@10.0.0.1:6380/0');
    const text = lines.join('');
    for (const secret of ['abc', 'def', 'k123', 'sid=9', 'hunter2']) expect(text).not.toContain(secret);
    expect(text).toContain('10.0.0.1:6380');
    for (const line of lines) expect(() => JSON.parse(line)).not.toThrow();
  });

  it('are recognised as API keys and as tokens, in any text', () => {
    const key = newKey();
    const token = `${Buffer.from('{"alg":"ES256"}').toString('base64url')}.${Buffer.from('{"sub":"ada"}').toString('base64url')}.c2lnbmF0dXJl`;
    const line = JSON.stringify({ msg: `no such path /v1/${key}`, err: { message: `Bearer ${token} is not valid` } });
    const shown = redactor([])(line);
    for (const secret of [key, token]) expect(shown).not.toContain(secret.slice(8, 30));
    expect(shown).toContain('[redacted]');
  });

  it('leave other text as it is', () => {
    const text = '{"msg":"http://host:8080/path?x=1 a@b tokens: 3","tokens":3}';
    expect(redactor([])(text)).toBe(text);
  });
});
