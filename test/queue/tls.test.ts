// A Redis behind TLS with a password: reached by a client that trusts its certificate, and by no other.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect, it } from 'vitest';
import { freePort } from '../helpers/ports.ts';
import { startRedis } from '../helpers/redis.ts';

const hasOpenssl = spawnSync('openssl', ['version']).status === 0;

it.skipIf(!hasOpenssl)('speaks rediss:// and refuses a certificate that nobody vouches for', async () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'hourglass-tls-'));
  const [key, certificate] = [path.join(folder, 'key.pem'), path.join(folder, 'certificate.pem')];
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  execFileSync('openssl', ['req', '-x509', ...curve, '-keyout', key, '-out', certificate, ...subject], {
    stdio: 'ignore',
  });
  const port = await freePort();
  const tls = ['--tls-port', String(port), '--tls-cert-file', certificate, '--tls-key-file', key];
  const redis = await startRedis(...tls, '--tls-auth-clients', 'no');
  const ping = (host: string, trusted: boolean): string => {
    const code = `
      import { RedisJobQueue } from '${new URL('../../dist/queue/redis-job-queue.js', import.meta.url).href}';
      import { pino } from '${import.meta.resolve('pino')}';
      const url = 'rediss://:${redis.password}@${host}:${port}';
      const settings = { url, prefix: 'tls', timeoutMs: 3000, keepJobs: 10, keepEvents: 10 };
      const queue = await RedisJobQueue.open(settings, pino({ level: 'silent' }));
      console.log(await queue.ping().then(() => 'answers', (error) => error.code));
      await queue.close();`;
    const env = trusted ? { NODE_EXTRA_CA_CERTS: certificate } : {};
    const args = ['--input-type=module', '-e', code];
    return spawnSync(process.execPath, args, { env, encoding: 'utf8', timeout: 30_000 }).stdout.trim();
  };
  try {
    expect(ping('localhost', true)).toBe('answers');
    expect(ping('127.0.0.1', true)).toBe('answers');
    expect(ping('localhost', false)).toBe('queue-unavailable');
  } finally {
    await redis.stop();
    rmSync(folder, { recursive: true, force: true });
  }
});
