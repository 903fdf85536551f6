// The settings table: defaults, every kind of value, refusals with what is allowed, and the help text.
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { ConfigError, loadConfig, settingsHelp, variablesOf } from '../../src/platform/config.ts';
import { settings } from '../../src/platform/settings.ts';

function problems(env: Record<string, string>): readonly string[] {
  try {
    loadConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe('loadConfig', () => {
  it('needs no variable at all', () => {
    const config = loadConfig({});
    expect(config).toMatchObject({
      host: '127.0.0.1',
      httpPort: 8080,
      grpcPort: 50051,
      metricsPort: 9464,
      redisUrl: null,
      engine: 'onnx',
      device: 'cpu',
      starter: true,
      maxBodyBytes: 64 * 2 ** 20,
      checkpointIntervalMs: 15_000,
      defaultModel: null,
    });
    expect(config.dataDir).toBe(path.resolve('data'));
    expect(config.trainingThreads).toBeGreaterThanOrEqual(1);
  });

  it('reads every kind of value', () => {
    const config = loadConfig({
      HOURGLASS_HTTP_PORT: '0',
      HOURGLASS_STARTER: 'off',
      HOURGLASS_MAX_BODY: '1.5 MiB',
      HOURGLASS_GRACE: '2m',
      HOURGLASS_BATCH_WINDOW: '2ms',
      HOURGLASS_TRAINING_THREADS: '3',
      HOURGLASS_DEFAULT_MODEL: 'digits:stable',
      REDIS_URL: 'rediss://user:secret@redis.example:6380/1',
      HOURGLASS_DATA_DIR: '/var/lib/hourglass',
    });
    expect(config).toMatchObject({
      httpPort: 0,
      starter: false,
      maxBodyBytes: 1_572_864,
      graceMs: 120_000,
      batchWindowMs: 2,
      trainingThreads: 3,
      defaultModel: 'digits:stable',
      redisUrl: 'rediss://user:secret@redis.example:6380/1',
      dataDir: '/var/lib/hourglass',
    });
  });

  it('takes an empty variable as not set', () => {
    expect(loadConfig({ HOURGLASS_HTTP_PORT: '', REDIS_URL: '' })).toMatchObject({ httpPort: 8080, redisUrl: null });
  });

  it.each([
    ['HOURGLASS_HTTP_PORT', '65536'],
    ['HOURGLASS_HTTP_PORT', '-1'],
    ['HOURGLASS_HTTP_PORT', '0x10'],
    ['HOURGLASS_HTTP_PORT', ' 80'],
    ['HOURGLASS_STARTER', 'true'],
    ['HOURGLASS_ENGINE', 'torch'],
    ['HOURGLASS_DEVICE', 'CPU'],
    ['HOURGLASS_GRACE', '20'],
    ['HOURGLASS_GRACE', '-1s'],
    ['HOURGLASS_MAX_BODY', '64MB'],
    ['HOURGLASS_MAX_BODY', '1TiB'],
    ['HOURGLASS_TRAINING_THREADS', '0'],
    ['HOURGLASS_DEFAULT_MODEL', 'Digits'],
    ['HOURGLASS_LOG_LEVEL', 'verbose'],
    ['HOURGLASS_HOST', 'http://localhost'],
    ['REDIS_URL', 'localhost:6379'],
    ['HOURGLASS_QUEUE_PREFIX', 'a:b'],
  ] as const)('refuses %s=%s and says what is allowed', (variable, value) => {
    const kind = Object.values(settings).find((setting) => setting.variable === variable)?.kind;
    const [problem, ...rest] = problems({ [variable]: value });
    expect(rest).toEqual([]);
    expect(problem).toContain(variable);
    expect(problem).toContain(`Allowed: ${kind?.allowed}`);
  });

  it('never shows a secret', () => {
    expect(problems({ REDIS_URL: 'http://user:hunter2@redis' }).join()).not.toContain('hunter2');
  });

  it('refuses an unknown variable and names the nearest one', () => {
    expect(problems({ HOURGLASS_HTP_PORT: '80' })).toEqual([
      'HOURGLASS_HTP_PORT is not a setting. Did you mean HOURGLASS_HTTP_PORT? `hourglass --help` lists them all.',
    ]);
    for (const other of ['HOURGLASS_FLUX_CAPACITOR', 'HOURGLASS_FOO']) {
      expect(problems({ [other]: 'on' })[0]).not.toContain('Did you mean');
    }
  });

  it('reports everything that is wrong at once', () => {
    expect(problems({ HOURGLASS_ENGINE: 'x', HOURGLASS_DEVICE: 'y', HOURGLASS_Z: 'z' })).toHaveLength(3);
  });

  it('passes over what Kubernetes adds for a Service called hourglass', () => {
    const links = {
      HOURGLASS_SERVICE_HOST: '10.0.0.1',
      HOURGLASS_SERVICE_PORT: '8080',
      HOURGLASS_SERVICE_PORT_HTTP: '8080',
      HOURGLASS_PORT: 'tcp://10.0.0.1:8080',
      HOURGLASS_PORT_8080_TCP: 'tcp://10.0.0.1:8080',
      HOURGLASS_GATEWAY_PORT_8080_TCP_ADDR: '10.0.0.1',
    };
    expect(problems(links)).toEqual([]);
    expect(problems({ HOURGLASS_HTTP_PORT: 'tcp://10.0.0.1:80' })[0]).toContain('enableServiceLinks: false');
  });
});

describe('the table', () => {
  it('has defaults that its own kinds allow, and each variable once', () => {
    const rows = Object.values(settings);
    for (const { variable, kind, fallback } of rows) {
      if (fallback !== null) expect([variable, kind.parse(fallback)]).not.toEqual([variable, undefined]);
    }
    expect(new Set(rows.map((row) => row.variable)).size).toBe(rows.length);
  });

  it('is printed in full by the help text', () => {
    const help = settingsHelp();
    for (const { variable, doc, kind } of Object.values(settings)) {
      expect(help).toContain(variable);
      expect(help).toContain(doc);
      expect(help).toContain(kind.allowed);
    }
  });

  it('names variables for child processes', () => {
    expect(variablesOf({ httpPort: '0', redisUrl: 'redis://x' })).toEqual({
      HOURGLASS_HTTP_PORT: '0',
      REDIS_URL: 'redis://x',
    });
  });
});
