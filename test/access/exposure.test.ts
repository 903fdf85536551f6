// Nothing is open to the network without having been told to be.
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmdirSync, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { newKey } from '../../src/access/api-key.ts';
import { exposureProblem, isLoopback } from '../../src/access/exposure.ts';
import { loadConfig } from '../../src/platform/config.ts';

const problem = (env: Record<string, string>): string | undefined => exposureProblem(loadConfig(env));

describe('what may start', () => {
  it.each(['127.0.0.1', '127.3.2.1', '::1', 'localhost', 'app.localhost'])('%s is loopback', (host) => {
    expect(isLoopback(host)).toBe(true);
    expect(problem({ HOURGLASS_HOST: host })).toBeUndefined();
  });

  it.each(['0.0.0.0', '::', '10.0.0.1', 'example.com', '128.0.0.1', 'localhost.example.com', '127.0.0.1.example.com'])(
    '%s needs a word about who may come in',
    (host) => {
      expect(problem({ HOURGLASS_HOST: host })).toMatch(/HOURGLASS_AUTH=keys/);
      for (const auth of ['keys', 'off'])
        expect(problem({ HOURGLASS_HOST: host, HOURGLASS_AUTH: auth })).toBeUndefined();
    },
  );

  it('tokens need a provider, an admin key must be one', () => {
    expect(problem({ HOURGLASS_AUTH: 'keys,oidc' })).toMatch(/HOURGLASS_OIDC_ISSUER/);
    const issuer = { HOURGLASS_OIDC_ISSUER: 'https://id.example', HOURGLASS_OIDC_AUDIENCE: 'hourglass' };
    expect(problem({ HOURGLASS_AUTH: 'keys,oidc', ...issuer })).toBeUndefined();
    expect(problem({ HOURGLASS_ADMIN_KEY: 'letmein' })).toMatch(/hourglass keys generate/);
    expect(problem({ HOURGLASS_ADMIN_KEY: newKey() })).toBeUndefined();
  });

  it.each(['gateway', 'up'])('hourglass %s ends with one line that says what to set', (role) => {
    const main = path.resolve(import.meta.dirname, '../../dist/main.js');
    const shared = mkdtempSync(path.join(os.tmpdir(), 'hourglass-shared-'));
    chmodSync(shared, 0o1777);
    const env = {
      PATH: process.env.PATH ?? '',
      HOURGLASS_HOST: '0.0.0.0',
      REDIS_URL: 'redis://127.0.0.1:9',
      HOURGLASS_DATA_DIR: shared,
    };
    const { status, stdout, stderr } = spawnSync(process.execPath, [main, role], { env, encoding: 'utf8' });
    expect(status).not.toBe(0);
    expect(stdout).toBe('');
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect(stderr).toContain('HOURGLASS_AUTH=keys');
    // a folder that all share stays theirs, and nothing was left in it
    expect(statSync(shared).mode & 0o7777).toBe(0o1777);
    rmdirSync(shared);
  });
});
